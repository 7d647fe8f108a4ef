"""Verdicts → numbers counted as in the papers, beside the numbers that were published (config/expected.tsv)."""


include: "inputs/published.smk"


rule score_published:
    """The metrics of every benchmark as its paper counts them, and the paper's averages over benchmarks."""
    input:
        item_sets=published_items,
        verdicts=published_verdicts,
        counts=published_counts,
    output:
        "results/{study}/scores/published.csv",
    log:
        "results/{study}/logs/score_published.log",
    benchmark:
        "results/{study}/timings/score_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        protocols=published_protocols(),
        judged=published_pairs(),
        recorded=published_pairs(["recorded"]),
        statistics=settings["statistics"],
        code=script_digest("evaluate/score_published"),
    message:
        "Counting as in the papers"
    script:
        "../scripts/evaluate/score_published.py"


rule compare_published:
    """published.csv: every published number beside the reproduced one, pass or fail."""
    input:
        scores="results/{study}/tables/agreement.csv",
        expected="config/expected.tsv",
    output:
        table="results/{study}/tables/published.csv",
    log:
        "results/{study}/logs/compare_published.log",
    benchmark:
        "results/{study}/timings/compare_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=script_digest("evaluate/compare_published"),
    message:
        "Comparing with the published numbers"
    script:
        "../scripts/evaluate/compare_published.py"


rule check_published:
    """Fails when a published number is not reproduced, naming it; a rule of its own, so that the table stays."""
    input:
        "results/{study}/tables/published.csv",
    output:
        "results/{study}/tables/published.ok",
    log:
        "results/{study}/logs/check_published.log",
    benchmark:
        "results/{study}/timings/check_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        code=script_digest("evaluate/check_published"),
    message:
        "Checking the published numbers"
    script:
        "../scripts/evaluate/check_published.py"


localrules:
    compare_published,
    check_published,
