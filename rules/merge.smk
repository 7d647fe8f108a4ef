"""Experts → merged models, and their cards."""


include: "inputs/merge.smk"


rule check_parents:
    """Architectures, tensors and tokens of models that will be merged, compared before a GPU is used."""
    input:
        models=compared_folders,
    output:
        "results/{study}/recipes/parents.json",
    log:
        "results/{study}/logs/check_parents.log",
    benchmark:
        "results/{study}/timings/check_parents.tsv"
    conda:
        "../envs/merge.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        models=compared_models()[0],
        groups=compared_models()[1],
        code=script_digest("merge/check_parents"),
    message:
        "Comparing the models that will be merged"
    script:
        "../scripts/merge/check_parents.py"


rule weigh_models:
    """The weights of a cocktail: the losses of its models on a few examples."""
    input:
        models=parent_models,
        manifests=parent_manifests,
        examples=merge_examples,
        prompts=merge_prompts,
        texts=merge_prompt_texts,
    output:
        "results/{study}/weights/{merge}.json",
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
        gpu=GPUS["weigh_models"],
    params:
        merge=merge_settings,
        asked=merge_prompt_contents,
        sources="results/{study}/sources",
    message:
        "Weighing the models of {wildcards.merge}"
    script:
        "../scripts/merge/weigh_models.py"


rule merge_models:
    """One merged model, with seed and thread count pinned; every tensor is checked afterwards."""
    input:
        models=parent_models,
        manifests=parent_manifests,
        adapters=merge_adapters,
        weights=merge_weights,
    output:
        model=directory("results/{study}/models/{merge}"),
        manifest="results/{study}/models/{merge}.json",
        recipe="results/{study}/recipes/{merge}.merge.yaml",
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
        merge=merge_settings,
        bases=merge_bases,
        threads=settings["threads"],
    message:
        "Merging {wildcards.merge}"
    script:
        "../scripts/merge/merge_models.py"


rule write_card:
    """The card of a merge: recipe, parents, seed, versions, and its agreement with people."""
    input:
        manifest="results/{study}/models/{merge}.json",
        agreement="results/{study}/tables/agreement.csv",
    output:
        "results/{study}/cards/{merge}.md",
    log:
        "results/{study}/logs/write_card/{merge}.log",
    benchmark:
        "results/{study}/timings/write_card/{merge}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        about=merge_about,
        code=script_digest("merge/write_card"),
    message:
        "Writing the card of {wildcards.merge}"
    script:
        "../scripts/merge/write_card.py"


localrules:
    check_parents,
    write_card,
