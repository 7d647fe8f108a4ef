"""Experts → merged models, and their cards."""

# A parameter only where a study maps the categories of a cocktail's examples: what others have weighed stays as it is.
EXAMPLE_CATEGORIES = (
    {"categories": of(merge_plan.categories, "merge")} if any(map(merge_plan.categories, study.merges)) else {}
)


rule check_parents:
    """Architectures, tensors and tokens of models that will be merged, compared before a GPU is used."""
    input:
        models=each(paths.MODEL, merge_plan.compared_models),
    output:
        paths.PARENTS_REPORT,
    log:
        "<logs>/check_parents.log",
    benchmark:
        "<benchmarks>/check_parents.tsv"
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
        models=paths.inputs(paths.MODEL, study.models_read, "merge"),
        manifests=paths.inputs(paths.MANIFEST, study.models_read, "merge"),
        item_set=paths.inputs(paths.ITEMS, merge_plan.example_sets, "merge"),
        example_file=of(merge_plan.example_files, "merge"),
        prompts=of(chained(study.example_prompts, prompt_files), "merge"),
        texts=of(chained(study.example_prompts, prompt_texts), "merge"),
    output:
        paths.MERGE_WEIGHTS,
    log:
        "<logs>/weigh_models/{merge}.log",
    benchmark:
        "<benchmarks>/weigh_models/{merge}.tsv"
    wildcard_constraints:
        merge=one_of(merge_plan.weighed_by_losses),
    conda:
        "../envs/judge.yaml"
    threads: settings.threads
    resources:
        **needed("weigh_models"),
        gpu=GPUS.weigh_models,
    params:
        **EXAMPLE_CATEGORIES,
        merge=of(merge_plan.entry, "merge"),
        prompt_contents=of(chained(study.example_prompts, prompt_contents), "merge"),
        sources=paths.SOURCES,
    script:
        "../scripts/merge/weigh_models.py"


rule collect_grams:
    """What the layers of a merge's parents read, as Gram matrices on examples of the parents' tasks (RegMean)."""
    input:
        models=paths.inputs(paths.MODEL, study.models_read, "merge"),
        manifests=paths.inputs(paths.MANIFEST, study.models_read, "merge"),
        item_sets=paths.inputs(paths.ITEMS, merge_plan.gram_sets, "merge"),
        prompts=of(chained(merge_plan.gram_prompts, prompt_files), "merge"),
        texts=of(chained(merge_plan.gram_prompts, prompt_texts), "merge"),
    output:
        weights=paths.MERGE_WEIGHTS,
        grams=directory(paths.MERGE_GRAMS),
    log:
        "<logs>/collect_grams/{merge}.log",
    benchmark:
        "<benchmarks>/collect_grams/{merge}.tsv"
    wildcard_constraints:
        merge=one_of(merge_plan.with_grams),
    conda:
        "../envs/judge.yaml"
    threads: settings.threads
    resources:
        **needed("collect_grams"),
        gpu=GPUS.weigh_models,
    params:
        merge=of(merge_plan.entry, "merge"),
        categories=of(merge_plan.gram_categories, "merge"),
        prompt_contents=of(chained(merge_plan.gram_prompts, prompt_contents), "merge"),
        sources=paths.SOURCES,
    script:
        "../scripts/merge/collect_grams.py"


rule merge_models:
    """One merged model, with seed and thread count pinned; every tensor is checked afterwards."""
    input:
        models=paths.inputs(paths.MODEL, study.models_read, "merge"),
        manifests=paths.inputs(paths.MANIFEST, study.models_read, "merge"),
        adapters=paths.inputs(paths.ADAPTER, study.adapters_of, "merge"),
        weights=paths.inputs(paths.MERGE_WEIGHTS, merge_plan.weighed, "merge"),
    output:
        model=directory(renamed(paths.MODEL, model="merge")),
        manifest=renamed(paths.MANIFEST, model="merge"),
        recipe=paths.MERGE_RECIPE,
    log:
        "<logs>/merge_models/{merge}.log",
    benchmark:
        "<benchmarks>/merge_models/{merge}.tsv"
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


rule write_cards:
    """The card of every merge: recipe, parents, seed, versions, and its agreement with people.

    One job writes all of them: the tables that each waits for have the rows of all judges.
    """
    input:
        manifests=each(paths.MANIFEST, study.merges),
        agreement=paths.path(paths.TABLE, "agreement"),
        replaceability=paths.path(paths.TABLE, "replaceability"),
    output:
        directory(paths.CARDS),
    log:
        "<logs>/write_cards.log",
    benchmark:
        "<benchmarks>/write_cards.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        about=of(merge_plan.about_all),
        code=script_digest("merge/write_cards"),
    script:
        "../scripts/merge/write_cards.py"


localrules:
    check_parents,
    write_cards,
