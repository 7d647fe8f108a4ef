"""Variants of a judge beside a published table of variants, the curve over alpha, and how steady each judge is."""


include: "inputs/ablation.smk"


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
        labels=study.labels,
        code=script_digest("evaluate/compare_variants"),
    message:
        "Comparing the variants with the published table"
    script:
        "../scripts/evaluate/compare_variants.py"


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
        labels=study.labels,
        code=script_digest("evaluate/score_steadiness"),
    message:
        "Scoring how steady the judges are"
    script:
        "../scripts/evaluate/score_steadiness.py"


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
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=list(ABLATION.get("tables", {}))[:1],
        code=script_digest("report/draw_figure"),


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
        labels=study.labels,
        chosen=settings["display"]["judges"],
        panels=[],
        code=script_digest("report/draw_figure"),


localrules:
    compare_variants,
    score_steadiness,
    draw_ablation,
    draw_sweep,
