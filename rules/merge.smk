"""Experts → merged models, and their cards."""

# A parameter only where a study maps the categories of a cocktail's examples: what others have weighed stays as it is.
EXAMPLE_CATEGORIES = (
    {"categories": of(merge_plan.categories, "merge")} if any(map(merge_plan.categories, study.merges)) else {}
)


rule check_parents:
    """Architectures, tensors and tokens of models that will be merged, compared before a GPU is used."""
    input:
        models=each(layout.MODEL, merge_plan.compared_models),
    output:
        layout.PARENTS_REPORT,
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
        models=paths.inputs(layout.MODEL, study.models_read, "merge"),
        manifests=paths.inputs(layout.MANIFEST, study.models_read, "merge"),
        item_set=paths.inputs(layout.ITEMS, merge_plan.example_sets, "merge"),
        example_file=of(merge_plan.example_files, "merge"),
        prompts=of(layout.chained(study.example_prompts, prompt_files), "merge"),
        texts=of(layout.chained(study.example_prompts, prompt_texts), "merge"),
    output:
        layout.MERGE_WEIGHTS,
    log:
        "results/{study}/logs/weigh_models/{merge}.log",
    benchmark:
        "results/{study}/timings/weigh_models/{merge}.tsv"
    conda:
        "../envs/judge.yaml"
    threads: settings.threads
    resources:
        **needed("weigh_models"),
        gpu=GPUS.weigh_models,
    params:
        **EXAMPLE_CATEGORIES,
        merge=of(merge_plan.entry, "merge"),
        prompt_contents=of(layout.chained(study.example_prompts, prompt_contents), "merge"),
        sources=layout.SOURCES,
    script:
        "../scripts/merge/weigh_models.py"


rule merge_models:
    """One merged model, with seed and thread count pinned; every tensor is checked afterwards."""
    input:
        models=paths.inputs(layout.MODEL, study.models_read, "merge"),
        manifests=paths.inputs(layout.MANIFEST, study.models_read, "merge"),
        adapters=paths.inputs(layout.ADAPTER, study.adapters_of, "merge"),
        weights=paths.inputs(layout.MERGE_WEIGHTS, merge_plan.weighed, "merge"),
    output:
        model=directory(renamed(layout.MODEL, model="merge")),
        manifest=renamed(layout.MANIFEST, model="merge"),
        recipe=layout.MERGE_RECIPE,
    log:
        "results/{study}/logs/merge_models/{merge}.log",
    benchmark:
        "results/{study}/timings/merge_models/{merge}.tsv"
    conda:
        "../envs/merge.yaml"
    threads: settings.threads
    resources:
        **needed("merge_models"),
    params:
        merge=of(merge_plan.entry, "merge"),
        bases=of(merge_plan.adapter_bases, "merge"),
        threads=settings.threads,
    script:
        "../scripts/merge/merge_models.py"


rule write_card:
    """The card of a merge: recipe, parents, seed, versions, and its agreement with people."""
    input:
        manifest=renamed(layout.MANIFEST, model="merge"),
        agreement=paths.path(layout.TABLE, "agreement"),
        replaceability=paths.path(layout.TABLE, "replaceability"),
    output:
        layout.CARD,
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
