"""Input functions of rules/ablation.smk."""

from judgemerge.evaluate import variants as ablation

ABLATION = settings.get("ablation") or {}
SWEEP = ablation.sweep(settings)


def ablation_pairs():
    """Return (judge, benchmark) for everything that the tables and the sweep show."""
    wanted = dict.fromkeys(ABLATION.get("benchmarks", {}).values())
    return [
        (judge, benchmark)
        for judge in ablation.judges(settings)
        for benchmark in wanted
        if benchmark in study.benchmarks and judge in study.judges_of(benchmark)
    ]


def ablation_benchmarks():
    """Return the benchmarks of `ablation_pairs`, each once."""
    return list(dict.fromkeys(benchmark for _, benchmark in ablation_pairs()))


def ablation_items(wildcards):
    """The items of those benchmarks."""
    return [results_file("items/{name}.jsonl", name=name) for name in ablation_benchmarks()]


def ablation_verdicts(wildcards):
    """The verdicts of `ablation_pairs`, in that order."""
    return each(VERDICTS, study.in_suites(ablation_pairs()))


def ablation_published(wildcards):
    """The published tables, in the order of the study."""
    return [table["published"] for table in ABLATION["tables"].values()]


def is_made_here():
    """Return whether the models are tiny ones, made on the spot: their numbers are no reproduction of anybody's."""
    return bool(study.models_by_origin("make"))


def steady_pairs():
    """Return (judge, benchmark) for models and derived judges, where steadiness is asked for at all."""
    if not (study.singly or settings["judging"]["sampling"]["runs"] > 1 or settings["judging"]["retries"] or ABLATION):
        return []
    kinds = ("model", "derived")
    return [(judge, name) for name in study.benchmarks for judge in study.judges_of(name) if study.kind(judge) in kinds]


def steady_items(wildcards):
    """The items of the benchmarks of `steady_pairs`."""
    return [results_file("items/{name}.jsonl", name=name) for name in dict.fromkeys(name for _, name in steady_pairs())]


def steady_verdicts(wildcards):
    """The verdicts of `steady_pairs`, in that order."""
    return each(VERDICTS, study.in_suites(steady_pairs()))


def drawn_pairs():
    """Return (judge, benchmark) for every model whose replies are drawn."""
    drawn = settings["judging"]["sampling"]["temperature"] > 0
    return [(judge, name) for judge, name in steady_pairs() if drawn and study.kind(judge) == "model"]


def drawn_replies(wildcards):
    """The replies of `drawn_pairs`, in that order."""
    return [
        results_file("replies/{judge}/{suite}.jsonl", judge=judge, suite=study.suite_of(name))
        for judge, name in drawn_pairs()
    ]


def drawn_prompts():
    """Return the reply format's prompt of each of `drawn_pairs`."""
    return [f"config/prompts/{study.prompt(judge, study.protocol(name))}.yaml" for judge, name in drawn_pairs()]


def ablation_results():
    """What `all` asks for: tables, pages and figures of the ablation and of steadiness, where there are any."""
    tables = ["ablation.csv", "ablation.html", "sweep.csv"] if ablation_pairs() else []
    tables += ["steadiness.csv", "steadiness.html"] if steady_pairs() else []
    figures = ["ablation"] if ablation_pairs() else []
    figures += ["sweep"] if SWEEP else []
    drawn = [results_file(f"figures/{name}.{kind}") for name in figures for kind in ("svg", "png")]
    return [results_file(f"tables/{name}") for name in tables] + drawn
