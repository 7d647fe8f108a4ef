"""Input functions of rules/endpoint.smk."""


def endpoint_units():
    """Return (judge, suite) for every suite that a judge behind an endpoint answers."""
    endpoints = study.models_by_origin("endpoint")
    judges = [judge for judge in study.judges if judge in endpoints]
    return [(judge, suite) for judge in judges for suite in study.suites if study.benchmarks_of(judge, suite)]


def endpoint_replies(wildcards):
    """The replies of every endpoint, in the order of `endpoint_units`."""
    return [
        results_file("replies/{judge}/{suite}.jsonl", judge=judge, suite=suite) for judge, suite in endpoint_units()
    ]


def endpoint_results():
    """What `all` asks for: the table of endpoints, where the study has any."""
    return [results_file(f"tables/endpoints.{kind}") for kind in ("csv", "html")] if endpoint_units() else []
