"""Input functions of rules/score.smk."""


def benchmark_verdicts(wildcards):
    """The verdicts of every judge on one benchmark."""
    return each(
        VERDICTS, study.in_suites((judge, wildcards.benchmark) for judge in study.judges_of(wildcards.benchmark))
    )


def benchmark_judges(wildcards):
    """The judges of one benchmark, in the order of `benchmark_verdicts`."""
    return study.judges_of(wildcards.benchmark)


def benchmark_own_models(wildcards):
    """The models that each judge of one benchmark is or was made from, where any is known."""
    own = {judge: study.own_models(judge) for judge in study.judges_of(wildcards.benchmark)}
    return {judge: models for judge, models in own.items() if models}


def study_scores(wildcards):
    """The scores of every benchmark that is run, then those counted as in the papers."""
    names = [*study.benchmarks, *(["averages"] if study.averages else [])]
    names += ["published"] if published_protocols() else []
    return [results_file("scores/{name}.csv", name=name) for name in names]


def grouped_benchmarks():
    """The benchmarks whose categories are averaged."""
    return list(dict.fromkeys(entry["categories_of"] for entry in study.averages.values() if "categories_of" in entry))


def averaged_benchmarks():
    """The benchmarks that averages are taken over, and those whose categories are."""
    members = [name for entry in study.averages.values() for name in entry.get("benchmarks", [])]
    return list(dict.fromkeys([*members, *grouped_benchmarks()]))


def averaged_scores(wildcards):
    """The scores of `averaged_benchmarks`."""
    return [results_file("scores/{name}.csv", name=name) for name in averaged_benchmarks()]


def averaged_bias(wildcards):
    """The tables of bias, which hold the categories, of `grouped_benchmarks`."""
    return [results_file("scores/{name}.bias.csv", name=name) for name in grouped_benchmarks()]
