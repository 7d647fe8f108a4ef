"""Replies with scores per dimension → whether scores, overall scores and verdicts fit each other."""


include: "inputs/statements.smk"


rule check_statements:
    """statements.csv: how often a judge's dimension scores, overall score and verdict fit each other."""
    input:
        item_sets=stating_items,
        replies=stating_replies,
        verdicts=stating_verdicts,
    output:
        table="results/{study}/tables/statements.csv",
        page=report(
            "results/{study}/tables/statements.html",
            caption="captions/statements.rst",
            category="Tables",
            labels={"table": "Scores and verdicts"},
        ),
    log:
        "results/{study}/logs/check_statements.log",
    benchmark:
        "results/{study}/timings/check_statements.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        judged=stating_pairs(),
        benchmarks=stating_benchmarks(),
        statistics=settings["statistics"],
        labels=study.labels,
        code=script_digest("evaluate/check_statements"),
    message:
        "Checking judges against their own scores"
    script:
        "../scripts/evaluate/check_statements.py"
