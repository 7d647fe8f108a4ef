"""Verdicts → judges against each other, people among themselves and against judges, and what sways judges."""


rule compare_judges:
    """Paired comparisons, human agreement and bias of all judges on one benchmark; one job, for its start costs most."""
    input:
        item_set="results/{study}/items/{benchmark}.jsonl",
        verdicts=benchmark_verdicts,
    output:
        comparisons="results/{study}/scores/{benchmark}.comparisons.csv",
        humans="results/{study}/scores/{benchmark}.humans.csv",
        bias="results/{study}/scores/{benchmark}.bias.csv",
    log:
        "results/{study}/logs/compare_judges/{benchmark}.log",
    benchmark:
        "results/{study}/timings/compare_judges/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=needed("mem_mb", "score", "benchmark"),
        runtime=needed("runtime", "score", "benchmark"),
    params:
        judges=benchmark_judges,
        own_models=benchmark_own_models,
        statistics=settings["statistics"],
        code=script_digest("evaluate/compare_judges"),
    message:
        "Comparing the judges on {wildcards.benchmark}"
    script:
        "../scripts/evaluate/compare_judges.py"


rule collect_comparisons:
    """comparisons.csv, humans.csv and bias.csv: all benchmarks, long form."""
    input:
        comparisons=collect("results/{{study}}/scores/{benchmark}.comparisons.csv", benchmark=study.benchmarks),
        humans=collect("results/{{study}}/scores/{benchmark}.humans.csv", benchmark=study.benchmarks),
        bias=collect("results/{{study}}/scores/{benchmark}.bias.csv", benchmark=study.benchmarks),
    output:
        comparisons="results/{study}/tables/comparisons.csv",
        humans="results/{study}/tables/humans.csv",
        bias="results/{study}/tables/bias.csv",
    log:
        "results/{study}/logs/collect_comparisons.log",
    benchmark:
        "results/{study}/timings/collect_comparisons.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=script_digest("evaluate/collect_scores"),
    message:
        "Collecting the comparisons"
    script:
        "../scripts/evaluate/collect_scores.py"


localrules:
    collect_comparisons,
