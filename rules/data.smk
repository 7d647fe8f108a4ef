"""Raw files → unified items, and which prompts of the benchmarks also occur in training data."""

from judgemerge.data.units import ItemSets

item_sets = ItemSets(study)


# A parameter only where a raw file may be made up: what other studies have fetched stays as it is.
MADE_UP = {"stand_in": of(item_sets.is_stand_in, "source")} if settings.rehearsal else {}


rule fetch_source:
    """One raw file, from the mirror when one is set, else over HTTPS; its checksum is verified."""
    output:
        paths.SOURCE,
    log:
        "<logs>/fetch_source/{source}.log",
    benchmark:
        "<benchmarks>/fetch_source/{source}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(30),
    params:
        **MADE_UP,
        sha256=of(item_sets.checksum, "source"),
    script:
        "../scripts/data/fetch_source.py"


rule write_items:
    """The unified items of one benchmark or training set, and what was counted on the way."""
    input:
        of(chained(study.benchmark_sources, raw_files), "benchmark"),
    output:
        item_set=paths.ITEMS,
        counts=paths.ITEM_COUNTS,
    log:
        "<logs>/write_items/{benchmark}.log",
    benchmark:
        "<benchmarks>/write_items/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        spec=of(item_sets.deciding, "benchmark"),
        roles=of(item_sets.roles, "benchmark"),
        limit=of(study.limit, "benchmark"),
        rubric=of(study.rubric, "benchmark"),
        seed=of(item_sets.sampling_seed, "benchmark"),
        code=of(item_sets.code, "benchmark"),
    script:
        "../scripts/data/write_items.py"


rule check_overlap:
    """overlap.csv: prompts that benchmarks share with training data, and a page that warns of them."""
    input:
        each(paths.ITEMS, study.overlap_sets),
    output:
        table="<results>/tables/overlap.csv",
    log:
        "<logs>/check_overlap.log",
    benchmark:
        "<benchmarks>/check_overlap.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        sets=study.overlap_sets,
        pairs=study.overlap_pairs,
        used_by=study.known_prompts,
        notes=item_sets.harmless_overlaps(),
        code=script_digest("data/check_overlap"),
    script:
        "../scripts/data/check_overlap.py"


localrules:
    fetch_source,
    write_items,
