"""Replies with scores per dimension → whether scores, overall scores and verdicts fit each other."""

STATING = ("final_result", "overall_score")  # reply formats that state scores per dimension


def stating_pairs():
    """Return (judge, benchmark) for every model whose replies to the benchmark state scores per dimension."""
    return [
        (judge, benchmark)
        for benchmark in study.benchmarks
        for judge in study.judges_of(benchmark)
        if study.kind(judge) == "model" and study.reply_format(judge, benchmark) in STATING
    ]


def stating_benchmarks():
    """Return the benchmarks of those pairs, each once."""
    return list(dict.fromkeys(benchmark for _, benchmark in stating_pairs()))


def stating_items(wildcards):
    """The items of those benchmarks."""
    return [results_file("items/{name}.jsonl", name=name) for name in stating_benchmarks()]


def stating_replies(wildcards):
    """The replies of those judges, in the order of `stating_pairs`."""
    return [
        results_file("replies/{judge}/{suite}.jsonl", judge=judge, suite=study.suite_of(name))
        for judge, name in stating_pairs()
    ]


def stating_verdicts(wildcards):
    """The verdicts of those judges, in the order of `stating_pairs`."""
    return [results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=name) for judge, name in stating_pairs()]


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
        code=source_digest("dimensions", "agreement", "pages", "items"),
    message:
        "Checking judges against their own scores"
    script:
        "../scripts/check_statements.py"
