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


rule count_items:
    """items.csv: what every benchmark holds, and what was left out or mended on the way."""
    input:
        study_counts,
    output:
        "results/{study}/tables/items.csv",
    log:
        "results/{study}/logs/count_items.log",
    benchmark:
        "results/{study}/timings/count_items.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=script_digest("evaluate/count_items"),
    message:
        "Counting items"
    script:
        "../scripts/evaluate/count_items.py"


rule count_replies:
    """replies.csv: how the replies of every judge ended, and why some could not be read."""
    input:
        verdicts=written_verdicts,
    output:
        table="results/{study}/tables/replies.csv",
        page=report(
            "results/{study}/tables/replies.html",
            caption="captions/replies.rst",
            category="Tables",
            labels={"table": "Replies"},
        ),
    log:
        "results/{study}/logs/count_replies.log",
    benchmark:
        "results/{study}/timings/count_replies.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        units=written_pairs(),
        code=script_digest("evaluate/count_replies"),
    message:
        "Counting replies"
    script:
        "../scripts/evaluate/count_replies.py"


localrules:
    average_scores,
    collect_scores,
    count_replies,
    count_items,
