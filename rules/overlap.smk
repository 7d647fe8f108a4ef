"""Items → which prompts of the benchmarks stand in training data."""


include: "inputs/overlap.smk"


rule check_overlap:
    """overlap.csv: prompts that benchmarks share with training data, and a page that warns of them."""
    input:
        overlap_items,
    output:
        table="results/{study}/tables/overlap.csv",
    log:
        "results/{study}/logs/check_overlap.log",
    benchmark:
        "results/{study}/timings/check_overlap.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        sets=study.overlap_sets,
        pairs=study.overlap_pairs,
        used_by=study.known_prompts,
        notes=overlap_notes(),
        code=script_digest("data/check_overlap"),
    message:
        "Looking for benchmark prompts in training data"
    script:
        "../scripts/data/check_overlap.py"
