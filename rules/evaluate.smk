"""Verdicts → agreement with annotators, comparisons of judges, biases, and metrics as papers define them."""

from judgemerge.evaluate.units import COMPARED, Scores

scores = Scores(study)


rule score_benchmark:
    """Every metric of every judge on one benchmark; all judges share the same resamples, so they can be compared."""
    input:
        item_set=paths.ITEMS,
        verdicts=paths.inputs(paths.VERDICTS, scores.judges_in_suites, "benchmark"),
    output:
        paths.SCORES,
    log:
        "<logs>/score_benchmark/{benchmark}.log",
    benchmark:
        "<benchmarks>/score_benchmark/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **needed("score_benchmark"),
    params:
        judges=of(study.judges_of, "benchmark"),
        statistics=settings.statistics.plain(),
        code=script_digest("evaluate/score_benchmark"),
    script:
        "../scripts/evaluate/score_benchmark.py"


rule compare_judges:
    """Paired comparisons, human agreement and biases on one benchmark, bundled because job start-up dominates."""
    input:
        item_set=paths.ITEMS,
        verdicts=paths.inputs(paths.VERDICTS, scores.judges_in_suites, "benchmark"),
    output:
        comparisons="<results>/scores/{benchmark}.comparisons.csv",
        humans="<results>/scores/{benchmark}.humans.csv",
        bias=paths.BIAS,
    log:
        "<logs>/compare_judges/{benchmark}.log",
    benchmark:
        "<benchmarks>/compare_judges/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **needed("compare_judges"),
    params:
        judges=of(study.judges_of, "benchmark"),
        asked=of(scores.asked_pairs, "benchmark"),
        own_models=of(scores.models_behind, "benchmark"),
        statistics=settings.statistics.plain(),
        code=script_digest("evaluate/compare_judges"),
    script:
        "../scripts/evaluate/compare_judges.py"


rule average_scores:
    """Means over benchmarks, or over the categories of one, with intervals."""
    input:
        scores=each(paths.SCORES, scores.averaged_benchmarks()),
        bias=each(paths.BIAS, scores.grouped_benchmarks()),
    output:
        "<results>/scores/averages.csv",
    log:
        "<logs>/average_scores.log",
    benchmark:
        "<benchmarks>/average_scores.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        averages={name: entry.plain() for name, entry in study.averages.items()},
        benchmarks=scores.averaged_benchmarks(),
        grouped=scores.grouped_benchmarks(),
        code=script_digest("evaluate/average_scores"),
    script:
        "../scripts/evaluate/average_scores.py"


rule score_published:
    """The metrics of every benchmark as its paper counts them, and the paper's averages over benchmarks."""
    input:
        item_sets=each(paths.ITEMS, scores.published_protocols()),
        verdicts=each(paths.VERDICTS, study.in_suites(scores.published_pairs())),
        counts=each(paths.RECORDED_COUNTS, study.in_suites(scores.published_pairs(["recorded"]))),
    output:
        "<results>/scores/published.csv",
    log:
        "<logs>/score_published.log",
    benchmark:
        "<benchmarks>/score_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        protocols=scores.published_protocols(),
        judged=scores.published_pairs(),
        recorded=scores.published_pairs(["recorded"]),
        statistics=settings.statistics.plain(),
        code=script_digest("evaluate/score_published"),
    script:
        "../scripts/evaluate/score_published.py"


rule collect_scores:
    """agreement.csv, comparisons.csv, humans.csv or bias.csv: the parts of all benchmarks, one below the other."""
    input:
        paths.inputs(paths.SCORES_PART, scores.parts, "table"),
    output:
        paths.TABLE,
    log:
        "<logs>/collect_scores/{table}.log",
    benchmark:
        "<benchmarks>/collect_scores/{table}.tsv"
    wildcard_constraints:
        table=one_of(["agreement", *COMPARED]),
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        prompts=study.asked_prompts,
        code=script_digest("evaluate/collect_scores"),
    script:
        "../scripts/evaluate/collect_scores.py"


rule compare_published:
    """published.csv: every published number (config/expected.tsv) beside the reproduced one, pass or fail."""
    input:
        scores=each(paths.TABLE, scores.compared_with_papers()),
        expected="config/expected.tsv",
    output:
        table="<results>/tables/published.csv",
    log:
        "<logs>/compare_published.log",
    benchmark:
        "<benchmarks>/compare_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        study=study.name,
        code=script_digest("evaluate/compare_published"),
    script:
        "../scripts/evaluate/compare_published.py"


rule check_published:
    """Fails when a published number is not reproduced, naming it; a rule of its own, so that the table stays."""
    input:
        "<results>/tables/published.csv",
    output:
        paths.PUBLISHED_CHECK,
    log:
        "<logs>/check_published.log",
    benchmark:
        "<benchmarks>/check_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        code=script_digest("evaluate/check_published"),
    script:
        "../scripts/evaluate/check_published.py"


localrules:
    average_scores,
    collect_scores,
    compare_published,
    check_published,
