"""Experts → merged models, and their cards."""

from judgemerge.study.layout import CARD, MERGE_RECIPE, MERGE_WEIGHTS


rule check_parents:
    """Architectures, tensors and tokens of models that will be merged, compared before a GPU is used."""
    input:
        models=each(MODEL, merge_plan.compared_models),
    output:
        PARENTS_REPORT,
    log:
        "results/{study}/logs/check_parents.log",
    benchmark:
        "results/{study}/timings/check_parents.tsv"
    conda:
        "../envs/merge.yaml"
    resources:
        **small_job,
    params:
        models=merge_plan.compared_models,
        groups=merge_plan.groups,
        code=script_digest("merge/check_parents"),
    script:
        "../scripts/merge/check_parents.py"


rule weigh_models:
    """The weights of a cocktail: the losses of its models on a few examples."""
    input:
        models=paths.inputs(MODEL, study.models_read, "merge"),
        manifests=paths.inputs(MANIFEST, study.models_read, "merge"),
        item_set=paths.inputs(ITEMS, merge_plan.example_sets, "merge"),
        example_file=of(merge_plan.example_files, "merge"),
        prompts=of(chained(study.example_prompts, prompt_files), "merge"),
        texts=of(chained(study.example_prompts, prompt_texts), "merge"),
    output:
        MERGE_WEIGHTS,
    log:
        "results/{study}/logs/weigh_models/{merge}.log",
    benchmark:
        "results/{study}/timings/weigh_models/{merge}.tsv"
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "weigh", "merge"),
        runtime=needed("runtime", "weigh", "merge"),
        gpu=GPUS.weigh_models,
    params:
        merge=of(merge_plan.entry, "merge"),
        prompt_contents=of(chained(study.example_prompts, prompt_contents), "merge"),
        sources=SOURCES,
    script:
        "../scripts/merge/weigh_models.py"


rule merge_models:
    """One merged model, with seed and thread count pinned; every tensor is checked afterwards."""
    input:
        models=paths.inputs(MODEL, study.models_read, "merge"),
        manifests=paths.inputs(MANIFEST, study.models_read, "merge"),
        adapters=paths.inputs(ADAPTER, study.adapters_of, "merge"),
        weights=paths.inputs(MERGE_WEIGHTS, merge_plan.weighed, "merge"),
    output:
        model=directory(renamed(MODEL, model="merge")),
        manifest=renamed(MANIFEST, model="merge"),
        recipe=MERGE_RECIPE,
    log:
        "results/{study}/logs/merge_models/{merge}.log",
    benchmark:
        "results/{study}/timings/merge_models/{merge}.tsv"
    conda:
        "../envs/merge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "merge", "merge"),
        runtime=needed("runtime", "merge", "merge"),
    params:
        merge=of(merge_plan.entry, "merge"),
        bases=of(merge_plan.adapter_bases, "merge"),
        threads=settings["threads"],
    script:
        "../scripts/merge/merge_models.py"


rule write_card:
    """The card of a merge: recipe, parents, seed, versions, and its agreement with people."""
    input:
        manifest=renamed(MANIFEST, model="merge"),
        agreement=paths.path(TABLE, "agreement"),
    output:
        CARD,
    log:
        "results/{study}/logs/write_card/{merge}.log",
    benchmark:
        "results/{study}/timings/write_card/{merge}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        about=of(merge_plan.about, "merge"),
        code=script_digest("merge/write_card"),
    script:
        "../scripts/merge/write_card.py"


localrules:
    check_parents,
    write_card,
