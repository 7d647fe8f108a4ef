"""Variants of a judge beside a published table of variants, the curve over alpha, and how steady each judge is."""

from judgemerge import ablation

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
    return [results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=name) for judge, name in ablation_pairs()]


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
    return [results_file("verdicts/{judge}/{name}.jsonl", judge=judge, name=name) for judge, name in steady_pairs()]


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
    """What `rule all` asks for: tables, pages and figures of the ablation and of steadiness, where there are any."""
    tables = ["ablation.csv", "ablation.html", "sweep.csv"] if ablation_pairs() else []
    tables += ["steadiness.csv", "steadiness.html"] if steady_pairs() else []
    figures = ["ablation"] if ablation_pairs() else []
    figures += ["sweep"] if SWEEP else []
    drawn = [results_file(f"figures/{name}.{kind}") for name in figures for kind in ("svg", "png")]
    return [results_file(f"tables/{name}") for name in tables] + drawn


rule compare_variants:
    """ablation.csv: each variant beside the published value of its row; sweep.csv: every merge over its alpha."""
    input:
        item_sets=ablation_items,
        verdicts=ablation_verdicts,
        published=ablation_published,
    output:
        table="results/{study}/tables/ablation.csv",
        sweep="results/{study}/tables/sweep.csv",
        page=report(
            "results/{study}/tables/ablation.html",
            caption="captions/ablation.rst",
            category="Tables",
            labels={"table": "Variants beside the published table"},
        ),
    log:
        "results/{study}/logs/compare_variants.log",
    benchmark:
        "results/{study}/timings/compare_variants.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        tables=ABLATION.get("tables", {}),
        benchmarks=ABLATION.get("benchmarks", {}),
        names=ablation_benchmarks(),
        pairs=ablation_pairs(),
        shares=SWEEP,
        made_here=is_made_here(),
        statistics=settings["statistics"],
        code=source_digest("ablation", "agreement", "pages", "items"),
    message:
        "Comparing the variants with the published table"
    script:
        "../scripts/compare_variants.py"


rule score_steadiness:
    """steadiness.csv: whether each judge agrees with itself over runs, over triples, and between grading and comparing."""
    input:
        item_sets=steady_items,
        verdicts=steady_verdicts,
        replies=drawn_replies,
    output:
        table="results/{study}/tables/steadiness.csv",
        page=report(
            "results/{study}/tables/steadiness.html",
            caption="captions/steadiness.rst",
            category="Tables",
            labels={"table": "Steadiness of the judges"},
        ),
    log:
        "results/{study}/logs/score_steadiness.log",
    benchmark:
        "results/{study}/timings/score_steadiness.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        names=list(dict.fromkeys(name for _, name in steady_pairs())),
        pairs=steady_pairs(),
        drawn=drawn_pairs(),
        prompts=drawn_prompts(),
        singly=study.singly,
        statistics=settings["statistics"],
        code=source_digest("agreement", "pages", "parsing", "sampling", "items"),
    message:
        "Scoring how steady the judges are"
    script:
        "../scripts/score_steadiness.py"


use rule draw_accuracy as draw_ablation with:
    input:
        table="results/{study}/tables/ablation.csv",
    output:
        svg=report(
            "results/{study}/figures/ablation.svg",
            caption="captions/ablation.rst",
            category="Figures",
            labels={"figure": "Variants beside the published table"},
        ),
        png="results/{study}/figures/ablation.png",
    log:
        "results/{study}/logs/draw_figure/ablation.log",
    benchmark:
        "results/{study}/timings/draw_figure/ablation.tsv"
    params:
        figure="ablation",
        kinds=judge_kinds(),
        panels=list(ABLATION.get("tables", {}))[:1],
        code=FIGURE_CODE,


use rule draw_accuracy as draw_sweep with:
    input:
        table="results/{study}/tables/sweep.csv",
    output:
        svg=report(
            "results/{study}/figures/sweep.svg",
            caption="captions/sweep.rst",
            category="Figures",
            labels={"figure": "Sweep of alpha"},
        ),
        png="results/{study}/figures/sweep.png",
    log:
        "results/{study}/logs/draw_figure/sweep.log",
    benchmark:
        "results/{study}/timings/draw_figure/sweep.tsv"
    params:
        figure="sweep",
        kinds=judge_kinds(),
        panels=[],
        code=FIGURE_CODE,


localrules:
    compare_variants,
    score_steadiness,
    draw_ablation,
    draw_sweep,
