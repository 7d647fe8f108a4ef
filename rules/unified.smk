"""Verdicts on all benchmarks of pairs → the results table of study `unified`, with row counts."""


include: "inputs/unified.smk"


rule tabulate_unified:
    """unified.csv: accuracy, precision, recall, F1 and counts of every judge on every benchmark of pairs."""
    input:
        item_sets=unified_items,
        counts=unified_counts,
        verdicts=unified_verdicts,
    output:
        table="results/{study}/tables/unified.csv",
        page=report(
            "results/{study}/tables/unified.html",
            caption="captions/unified.rst",
            category="Tables",
            labels={"table": "One judge from many data sets"},
        ),
    log:
        "results/{study}/logs/tabulate_unified.log",
    benchmark:
        "results/{study}/timings/tabulate_unified.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        benchmarks=unified_benchmarks(),
        judged=unified_pairs(),
        labels=study.labels,
        code=script_digest("evaluate/tabulate_unified"),
    message:
        "Counting as one judge from many data sets does"
    script:
        "../scripts/evaluate/tabulate_unified.py"
