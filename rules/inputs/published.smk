"""Input functions of rules/published.smk."""


def published_protocols():
    """Return how the papers count, by benchmark that is run and has a paper's protocol."""
    protocols = {name: study.published_protocol(name) for name in study.benchmarks}
    return {name: protocol for name, protocol in protocols.items() if protocol}


def published_pairs(kinds=("model", "derived", "baseline", "recorded")):
    """Return (benchmark, judge) for every judge of these kinds on the benchmarks of `published_protocols`."""
    return [
        (name, judge) for name in published_protocols() for judge in study.judges_of(name) if study.kind(judge) in kinds
    ]


def published_items(wildcards):
    """The items of the benchmarks that have a paper's protocol."""
    return [results_file("items/{name}.jsonl", name=name) for name in published_protocols()]


def published_verdicts(wildcards):
    """The verdicts of every judge on those benchmarks, in the order of `published_pairs`."""
    return each(VERDICTS, study.in_suites((judge, name) for name, judge in published_pairs()))


def published_counts(wildcards):
    """What the files of recorded judges hold, in the order of `published_pairs(["recorded"])`."""
    return each(RECORDED_COUNTS, study.in_suites((judge, name) for name, judge in published_pairs(["recorded"])))
