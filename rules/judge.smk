"""Models → replies → verdicts; baselines and recorded judges → verdicts."""


include: "inputs/judge.smk"


rule judge_suite:
    """What one judge writes about one suite, both orders. Kept apart from parsing: it is the expensive part."""
    input:
        item_sets=suite_items,
        prompts=suite_prompts,
        texts=suite_prompt_texts,
        model="results/{study}/models/{judge}",
        manifest="results/{study}/models/{judge}.json",
    output:
        "results/{study}/replies/{judge}/{suite}.jsonl",
        timing="results/{study}/replies/{judge}/{suite}.timing.json",
    log:
        "results/{study}/logs/judge_suite/{judge}/{suite}.log",
    benchmark:
        "results/{study}/timings/judge_suite/{judge}/{suite}.tsv"
    wildcard_constraints:
        judge=one_of(study.model_names - set(study.quantizations)),
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "judge", "judge", "suite"),
        runtime=needed("runtime", "judge", "judge", "suite"),
        gpu=judge_gpus,
        # Resources, not parameters: another batch size or number of GPUs must not judge everything again. The profile
        # may ask for GPUs in another way than `gpu`.
        judge_gpus=judge_gpus,
        batch_tokens=settings["judging"]["batch_tokens"],
    params:
        max_prompt_tokens=settings["judging"]["max_prompt_tokens"],
        dtype=settings["judging"]["dtype"],
        asked=suite_prompt_contents,
        backend=judge_backend,
        chat=judge_chat,
        store="results/{study}/store",
        sources="results/{study}/sources",
        categories=settings["judging"]["categories"],
        drawing=settings["judging"]["sampling"] | {"retries": settings["judging"]["retries"]},
    message:
        "Judging {wildcards.suite} with {wildcards.judge}"
    script:
        "../scripts/judge/judge_suite.py"


use rule judge_suite as judge_suite_gguf with:
    wildcard_constraints:
        judge=one_of(study.quantizations),
    conda:
        "../envs/quantize.yaml"
    resources:
        mem_mb=needed("mem_mb", "judge", "judge", "suite"),
        runtime=needed("runtime", "judge", "judge", "suite"),
        gpu=judge_gpus,
        judge_gpus=judge_gpus,
        batch_tokens=settings["judging"]["batch_tokens"],


rule parse_replies:
    """The verdicts in one judge's replies to one benchmark; an unreadable reply is an error with a reason."""
    input:
        replies=judge_replies,
        prompt=judge_prompt,
    output:
        "results/{study}/verdicts/{judge}/{benchmark}.jsonl",
    log:
        "results/{study}/logs/parse_replies/{judge}/{benchmark}.log",
    benchmark:
        "results/{study}/timings/parse_replies/{judge}/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        asked=judge_prompt_content,
        code=script_digest("judge/parse_replies"),
    message:
        "Parsing {wildcards.judge} on {wildcards.benchmark}"
    script:
        "../scripts/judge/parse_replies.py"


rule answer_baselines:
    """The verdicts of the judges that read nothing; one job, for its start costs more than the verdicts."""
    input:
        "results/{study}/items/{benchmark}.jsonl",
    output:
        collect("results/{{study}}/verdicts/{baseline}/{{benchmark}}.jsonl", baseline=BASELINES),
    log:
        "results/{study}/logs/answer_baselines/{benchmark}.log",
    benchmark:
        "results/{study}/timings/answer_baselines/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        baselines=list(BASELINES),
        seed=settings["seed"],
        code=script_digest("judge/answer_baselines"),
    message:
        "Baselines on {wildcards.benchmark}"
    script:
        "../scripts/judge/answer_baselines.py"


rule read_recorded:
    """The verdicts that others published for one benchmark, and what their files hold."""
    input:
        item_set="results/{study}/items/{benchmark}.jsonl",
        files=recorded_files,
    output:
        verdicts="results/{study}/verdicts/{recorded}/{benchmark}.jsonl",
        counts="results/{study}/verdicts/{recorded}/{benchmark}.counts.json",
    log:
        "results/{study}/logs/read_recorded/{recorded}/{benchmark}.log",
    benchmark:
        "results/{study}/timings/read_recorded/{recorded}/{benchmark}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        judge=recorded_spec,
        roles=recorded_roles,
        drawn=benchmark_is_drawn,
        code=recorded_digest,
    message:
        "Reading {wildcards.recorded} on {wildcards.benchmark}"
    script:
        "../scripts/judge/read_recorded.py"


localrules:
    parse_replies,
    answer_baselines,
    read_recorded,
