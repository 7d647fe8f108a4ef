"""Verdicts on all benchmarks of pairs → the results table of study `unified`, with row counts."""


def unified_benchmarks():
    """Return the benchmarks of the table: all pairs, if the study asks for it."""
    if not settings["unified_table"]:
        return []
    return [name for name in study.benchmarks if study.protocol(name) == "pairwise"]


def unified_pairs():
    """Return (benchmark, judge) for every judge of those benchmarks."""
    return [(name, judge) for name in unified_benchmarks() for judge in study.judges_of(name)]


def unified_items(wildcards):
    """The items of those benchmarks."""
    return [results_file("items/{name}.jsonl", name=name) for name in unified_benchmarks()]


def unified_counts(wildcards):
    """What was counted while these items were written."""
    return [results_file("items/{name}.counts.json", name=name) for name in unified_benchmarks()]


def unified_verdicts(wildcards):
    """The verdicts of every judge on those benchmarks, in the order of `unified_pairs`."""
    return [results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=name) for name, judge in unified_pairs()]


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
        labels={judge: study.label(judge) for judge in study.judges},
        code=source_digest("published", "agreement", "items", "pages"),
    message:
        "Counting as one judge from many data sets does"
    script:
        "../scripts/tabulate_unified.py"
