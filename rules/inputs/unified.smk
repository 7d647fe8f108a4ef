"""Input functions of rules/unified.smk."""


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
    return each(VERDICTS, study.in_suites((judge, name) for name, judge in unified_pairs()))
