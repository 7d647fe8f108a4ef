"""Models that others are made from, and the experts trained on them."""


include: "inputs/train.smk"


rule make_model:
    """A tiny Llama made on the spot: tokenizer and random weights, then the pretraining stages of the study."""
    input:
        item_sets=stage_items,
        prompts=stage_prompts,
        texts=stage_prompt_texts,
    output:
        model=directory("results/{study}/models/{made}"),
        manifest="results/{study}/models/{made}.json",
    log:
        "results/{study}/logs/make_model/{made}.log",
    benchmark:
        "results/{study}/timings/make_model/{made}.tsv"
    conda:
        "../envs/train.yaml"
    threads: making_threads
    resources:
        mem_mb=needed("mem_mb", "make", "made"),
        runtime=needed("runtime", "make", "made"),
        gpu=GPUS["make_model"],
    params:
        make=lookup(within=settings, dpath="models/{made}/make"),
        prompts=stage_prompt_names,
        asked=stage_prompt_contents,
        sources="results/{study}/sources",
        seed=settings["seed"],
        kept="results/made",
    message:
        "Making and pretraining {wildcards.made}"
    script:
        "../scripts/train/make_model.py"


rule download_model:
    """A model of the Hugging Face hub at one commit, safetensors only."""
    output:
        model=directory("results/{study}/models/{downloaded}"),
        manifest="results/{study}/models/{downloaded}.json",
    log:
        "results/{study}/logs/download_model/{downloaded}.log",
    benchmark:
        "results/{study}/timings/download_model/{downloaded}.tsv"
    conda:
        "../envs/judge.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(240),
        judge_only=judge_only("downloaded"),
    params:
        **MODEL_TEMPLATES,
        repo=lookup(within=settings, dpath="models/{downloaded}/repo"),
        revision=lookup(within=settings, dpath="models/{downloaded}/revision"),
    message:
        "Downloading {wildcards.downloaded}"
    script:
        "../scripts/train/download_model.py"


rule link_model:
    """A model that lies in a folder of this machine; its files are linked, not copied."""
    output:
        model=directory("results/{study}/models/{found}"),
        manifest="results/{study}/models/{found}.json",
    log:
        "results/{study}/logs/link_model/{found}.log",
    benchmark:
        "results/{study}/timings/link_model/{found}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(60),
        judge_only=judge_only("found"),
    params:
        **MODEL_TEMPLATES,
        path=lookup(within=settings, dpath="models/{found}/path"),
        fingerprint=found_fingerprint,
    message:
        "Linking {wildcards.found}"
    script:
        "../scripts/train/link_model.py"


rule find_leaks:
    """The training items of one expert whose prompts stand in a benchmark of the study; training leaves them out."""
    input:
        item_sets=training_items,
        benchmarks=leak_items,
    output:
        "results/{study}/recipes/{expert}.left_out.json",
    log:
        "results/{study}/logs/find_leaks/{expert}.log",
    benchmark:
        "results/{study}/timings/find_leaks/{expert}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(30),
    params:
        sets=lookup(within=settings, dpath="experts/{expert}/train_on"),
        benchmarks=leak_names,
        code=script_digest("train/find_leaks"),
    message:
        "Looking for benchmark prompts in the training data of {wildcards.expert}"
    script:
        "../scripts/train/find_leaks.py"


rule train_expert:
    """One expert: LLaMA-Factory on its own item sets. Interrupted trainings go on at their checkpoint."""
    input:
        item_sets=training_items,
        left_out="results/{study}/recipes/{expert}.left_out.json",
        compared=parents_compared,
        prompts=expert_prompts,
        texts=expert_prompt_texts,
        evaluation=evaluation_items,
        model=base_model,
        manifest=base_manifest,
    output:
        adapter=directory("results/{study}/adapters/{expert}"),
        recipe="results/{study}/recipes/{expert}.train.yaml",
        curve="results/{study}/training_logs/{expert}.csv",
    log:
        "results/{study}/logs/train_expert/{expert}.log",
    benchmark:
        "results/{study}/timings/train_expert/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings["threads"]
    resources:
        **TRAINING_NODES,
        mem_mb=needed("mem_mb", "train", "expert"),
        runtime=needed("runtime", "train", "expert"),
        gpu=0 if TRAINING_NODES else GPUS["train_expert"],
    params:
        expert=lookup(within=settings, dpath="experts/{expert}"),
        prompts=training_prompt_names,
        asked=expert_prompt_contents,
        sources="results/{study}/sources",
        common=training_common,
        seed=settings["seed"],
        work="results/{study}/training/{expert}",
    message:
        "Training expert {wildcards.expert}"
    script:
        "../scripts/train/train_expert.py"


rule export_expert:
    """The expert as a model of its own: its LoRA update folded into the base, or all of it when all was trained."""
    input:
        adapter="results/{study}/adapters/{expert}",
        recipe="results/{study}/recipes/{expert}.train.yaml",
        model=base_model,
        manifest=base_manifest,
    output:
        model=directory("results/{study}/models/{expert}"),
        manifest="results/{study}/models/{expert}.json",
    log:
        "results/{study}/logs/export_expert/{expert}.log",
    benchmark:
        "results/{study}/timings/export_expert/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "export", "expert"),
        runtime=needed("runtime", "export", "expert"),
    message:
        "Exporting expert {wildcards.expert}"
    script:
        "../scripts/train/export_expert.py"


rule check_export:
    """Proof that the exported expert answers as its base with the adapter does: logits on a few prompts, or a failure."""
    input:
        item_sets=training_items,
        adapter="results/{study}/adapters/{expert}",
        exported="results/{study}/models/{expert}",
        model=base_model,
    output:
        "results/{study}/checks/{expert}.export.json",
    log:
        "results/{study}/logs/check_export/{expert}.log",
    benchmark:
        "results/{study}/timings/check_export/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "export", "expert"),
        runtime=needed("runtime", "export", "expert"),
    message:
        "Checking the export of {wildcards.expert}"
    script:
        "../scripts/train/check_export.py"


localrules:
    download_model,
    find_leaks,
    link_model,
