"""Items and verdicts → what they hold, counted."""


def study_counts(wildcards):
    """The counts of every item set that is run, trained on or looked for."""
    names = [name for name in study.item_sets if name in study.benchmarks or name not in study.all_benchmarks]
    return [results_file("items/{name}.counts.json", name=name) for name in names]


def written_pairs():
    """Return (judge, benchmark) for every model that writes replies, or scores what may be written."""
    return [
        (judge, name) for name in study.benchmarks for judge in study.judges_of(name) if study.kind(judge) == "model"
    ]


def written_verdicts(wildcards):
    """The verdicts of `written_pairs`, in that order."""
    return each(VERDICTS, study.in_suites(written_pairs()))


rule count_items:
    """items.csv: what every benchmark holds, and what was left out or mended on the way."""
    input:
        study_counts,
    output:
        "results/{study}/tables/items.csv",
    log:
        "results/{study}/logs/count_items.log",
    benchmark:
        "results/{study}/timings/count_items.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        code=script_digest("evaluate/count_items"),
    script:
        "../scripts/evaluate/count_items.py"


rule count_replies:
    """replies.csv: how the replies of every judge ended, and why some could not be read."""
    input:
        verdicts=written_verdicts,
    output:
        table="results/{study}/tables/replies.csv",
        page=report(
            "results/{study}/tables/replies.html",
            caption="captions/replies.rst",
            category="Tables",
            labels={"table": "Replies"},
        ),
    log:
        "results/{study}/logs/count_replies.log",
    benchmark:
        "results/{study}/timings/count_replies.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        units=written_pairs(),
        code=script_digest("evaluate/count_replies"),
    script:
        "../scripts/evaluate/count_replies.py"


localrules:
    count_replies,
    count_items,
