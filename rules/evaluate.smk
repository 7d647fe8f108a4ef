"""Verdicts → agreement with annotators, comparisons of judges, biases, and metrics as papers define them."""

from judgemerge.evaluate.units import COMPARED, Scores

scores = Scores(study)


rule score_benchmark:
    """Every metric of every judge on one benchmark; all judges share the same resamples, so they can be compared."""
    input:
        item_set=layout.ITEMS,
        verdicts=paths.inputs(layout.VERDICTS, scores.judges_in_suites, "benchmark"),
    output:
        layout.SCORES,
    log:
        "results/{study}/logs/score_benchmark/{benchmark}.log",
    benchmark:
        "results/{study}/timings/score_benchmark/{benchmark}.tsv"
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
        item_set=layout.ITEMS,
        verdicts=paths.inputs(layout.VERDICTS, scores.judges_in_suites, "benchmark"),
    output:
        comparisons="results/{study}/scores/{benchmark}.comparisons.csv",
        humans="results/{study}/scores/{benchmark}.humans.csv",
        bias=layout.BIAS,
    log:
        "results/{study}/logs/compare_judges/{benchmark}.log",
    benchmark:
        "results/{study}/timings/compare_judges/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **needed("compare_judges"),
    params:
        judges=of(study.judges_of, "benchmark"),
        own_models=of(scores.models_behind, "benchmark"),
        statistics=settings.statistics.plain(),
        code=script_digest("evaluate/compare_judges"),
    script:
        "../scripts/evaluate/compare_judges.py"


rule average_scores:
    """Means over benchmarks, or over the categories of one, with intervals."""
    input:
        scores=each(layout.SCORES, scores.averaged_benchmarks()),
        bias=each(layout.BIAS, scores.grouped_benchmarks()),
    output:
        "results/{study}/scores/averages.csv",
    log:
        "results/{study}/logs/average_scores.log",
    benchmark:
        "results/{study}/timings/average_scores.tsv"
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
        item_sets=each(layout.ITEMS, scores.published_protocols()),
        verdicts=each(layout.VERDICTS, study.in_suites(scores.published_pairs())),
        counts=each(layout.RECORDED_COUNTS, study.in_suites(scores.published_pairs(["recorded"]))),
    output:
        "results/{study}/scores/published.csv",
    log:
        "results/{study}/logs/score_published.log",
    benchmark:
        "results/{study}/timings/score_published.tsv"
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
        paths.inputs(layout.SCORES_PART, scores.parts, "table"),
    output:
        layout.TABLE,
    log:
        "results/{study}/logs/collect_scores/{table}.log",
    benchmark:
        "results/{study}/timings/collect_scores/{table}.tsv"
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
        scores=each(layout.TABLE, scores.compared_with_papers()),
        expected="config/expected.tsv",
    output:
        table="results/{study}/tables/published.csv",
    log:
        "results/{study}/logs/compare_published.log",
    benchmark:
        "results/{study}/timings/compare_published.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        code=script_digest("evaluate/compare_published"),
    script:
        "../scripts/evaluate/compare_published.py"


rule check_published:
    """Fails when a published number is not reproduced, naming it; a rule of its own, so that the table stays."""
    input:
        "results/{study}/tables/published.csv",
    output:
        layout.PUBLISHED_CHECK,
    log:
        "results/{study}/logs/check_published.log",
    benchmark:
        "results/{study}/timings/check_published.tsv"
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
