"""Raw files → unified items."""


include: "inputs/data.smk"


rule fetch_source:
    """One raw file, from the mirror when one is set, else over HTTPS; its checksum is verified."""
    output:
        "results/{study}/sources/{source}",
    log:
        "results/{study}/logs/fetch_source/{source}.log",
    benchmark:
        "results/{study}/timings/fetch_source/{source}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(30),
    params:
        sha256=source_sha256,
    message:
        "Fetching {wildcards.source}"
    script:
        "../scripts/data/fetch_source.py"


rule write_items:
    """The unified items of one benchmark or training set, and what was counted on the way."""
    input:
        benchmark_files,
    output:
        item_set="results/{study}/items/{benchmark}.jsonl",
        counts="results/{study}/items/{benchmark}.counts.json",
    log:
        "results/{study}/logs/write_items/{benchmark}.log",
    benchmark:
        "results/{study}/timings/write_items/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        spec=benchmark_spec,
        roles=benchmark_roles,
        limit=benchmark_limit,
        rubric=benchmark_rubric,
        seed=benchmark_seed,
        code=adapter_digest,
    message:
        "Writing the items of {wildcards.benchmark}"
    script:
        "../scripts/data/write_items.py"


localrules:
    fetch_source,
    write_items,
