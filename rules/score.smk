"""Verdicts → agreement with people."""


include: "inputs/score.smk"


rule score_benchmark:
    """Every metric of every judge on one benchmark; all judges share the same resamples, so they can be compared."""
    input:
        item_set="results/{study}/items/{benchmark}.jsonl",
        verdicts=benchmark_verdicts,
    output:
        "results/{study}/scores/{benchmark}.csv",
    log:
        "results/{study}/logs/score_benchmark/{benchmark}.log",
    benchmark:
        "results/{study}/timings/score_benchmark/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=needed("mem_mb", "score", "benchmark"),
        runtime=needed("runtime", "score", "benchmark"),
    params:
        judges=benchmark_judges,
        statistics=settings["statistics"],
        code=script_digest("evaluate/score_benchmark"),
    message:
        "Scoring {wildcards.benchmark}"
    script:
        "../scripts/evaluate/score_benchmark.py"


rule average_scores:
    """Means over benchmarks, or over the categories of one, with intervals."""
    input:
        scores=averaged_scores,
        bias=averaged_bias,
    output:
        "results/{study}/scores/averages.csv",
    log:
        "results/{study}/logs/average_scores.log",
    benchmark:
        "results/{study}/timings/average_scores.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        averages=study.averages,
        benchmarks=averaged_benchmarks(),
        grouped=grouped_benchmarks(),
        code=script_digest("evaluate/average_scores"),
    message:
        "Averaging the scores"
    script:
        "../scripts/evaluate/average_scores.py"


rule collect_scores:
    """agreement.csv: the scores of all benchmarks, long form."""
    input:
        agreement=study_scores,
    output:
        agreement="results/{study}/tables/agreement.csv",
    log:
        "results/{study}/logs/collect_scores.log",
    benchmark:
        "results/{study}/timings/collect_scores.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        prompts=study.asked_prompts,
        code=script_digest("evaluate/collect_scores"),
    message:
        "Collecting the scores"
    script:
        "../scripts/evaluate/collect_scores.py"


localrules:
    average_scores,
    collect_scores,
