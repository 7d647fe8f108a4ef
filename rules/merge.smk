"""Experts → merged models."""


rule merge_models:
    """One merged model by mergekit, with seed and thread count pinned; every tensor is checked afterwards."""
    input:
        models=parent_models,
        manifests=parent_manifests,
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
        merge=lookup(within=settings, dpath="merges/{merge}"),
        threads=settings["threads"],
    message:
        "Merging {wildcards.merge}"
    script:
        "../scripts/merge_models.py"
