"""Input functions of rules/statements.smk."""

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
    return each(VERDICTS, study.in_suites(stating_pairs()))
