"""Pairs judged by grading both responses on their own (study key `singly`): pairs → single responses → grades → verdicts."""


include: "inputs/singly.smk"


rule split_pairs:
    """Each response of each pair as an item of its own, to be graded."""
    input:
        "results/{study}/items/{benchmark}.jsonl",
    output:
        "results/{study}/items/sides/{benchmark}.jsonl",
    log:
        "results/{study}/logs/split_pairs/{benchmark}.log",
    benchmark:
        "results/{study}/timings/split_pairs/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=script_digest("judge/split_pairs"),
    message:
        "Taking the pairs of {wildcards.benchmark} apart"
    script:
        "../scripts/judge/split_pairs.py"


rule judge_sides:
    """What one judge writes about the single responses of the pairs of one suite."""
    input:
        item_sets=sides_items,
        prompts=singly_prompts,
        texts=singly_texts,
        model="results/{study}/models/{judge}",
        manifest="results/{study}/models/{judge}.json",
    output:
        "results/{study}/replies/{judge}/{suite}.jsonl",
        timing="results/{study}/replies/{judge}/{suite}.timing.json",
    log:
        "results/{study}/logs/judge_sides/{judge}/{suite}.log",
    benchmark:
        "results/{study}/timings/judge_sides/{judge}/{suite}.tsv"
    wildcard_constraints:
        suite=one_of(f"{suite}{SINGLY}" for suite in settings["suites"]),
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=sides_needed("mem_mb"),
        runtime=sides_needed("runtime"),
        gpu=judge_gpus,
        judge_gpus=judge_gpus,
        batch_tokens=settings["judging"]["batch_tokens"],
    params:
        max_prompt_tokens=settings["judging"]["max_prompt_tokens"],
        dtype=settings["judging"]["dtype"],
        asked=singly_content(),
        backend=judge_backend,
        chat=judge_chat,
        store="results/{study}/store",
        sources="results/{study}/sources",
        categories=settings["judging"]["categories"],
        drawing=settings["judging"]["sampling"]
        | {"runs": 1 + settings["singly"]["redraws"], "retries": settings["judging"]["retries"]},
    message:
        "Grading the single responses of {wildcards.suite} with {wildcards.judge}"
    script:
        "../scripts/judge/judge_suite.py"


rule compare_grades:
    """The verdicts on pairs that follow from two grades: the higher one wins, equal grades are a tie."""
    input:
        replies=graded_pairs,
        item_set="results/{study}/items/{benchmark}.jsonl",
        prompt=singly_prompts,
    output:
        "results/{study}/verdicts/{derived}/{benchmark}.jsonl",
    log:
        "results/{study}/logs/compare_grades/{derived}/{benchmark}.log",
    benchmark:
        "results/{study}/timings/compare_grades/{derived}/{benchmark}.tsv"
    wildcard_constraints:
        derived=one_of(study.singly),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        asked=singly_content(),
        code=script_digest("judge/compare_grades"),
    message:
        "Comparing the grades of {wildcards.derived} on {wildcards.benchmark}"
    script:
        "../scripts/judge/compare_grades.py"


localrules:
    split_pairs,
    compare_grades,
