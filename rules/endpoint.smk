"""Models behind a chat endpoint → replies, and what they cost. On the machine that runs Snakemake: it has the network."""


ruleorder: judge_endpoint > judge_suite


rule link_endpoint:
    """The identity of a model behind an endpoint: host, model name and settings. Nothing is asked."""
    output:
        "results/{study}/models/{endpoint}.json",
    log:
        "results/{study}/logs/link_endpoint/{endpoint}.log",
    benchmark:
        "results/{study}/timings/link_endpoint/{endpoint}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        url=lookup(within=settings, dpath="models/{endpoint}/endpoint/url"),
        model=lookup(within=settings, dpath="models/{endpoint}/endpoint/model"),
        settings=lookup(within=settings, dpath="models/{endpoint}/endpoint/settings"),
        code=script_digest("judge/link_endpoint"),
    message:
        "Noting what {wildcards.endpoint} is"
    script:
        "../scripts/judge/link_endpoint.py"


rule judge_endpoint:
    """What one judge behind an endpoint writes about one suite, both orders; a prompt without a reply is an error."""
    input:
        item_sets=suite_items,
        prompts=suite_prompts,
        texts=suite_prompt_texts,
        manifest="results/{study}/models/{judge}.json",
    output:
        "results/{study}/replies/{judge}/{suite}.jsonl",
    log:
        "results/{study}/logs/judge_endpoint/{judge}/{suite}.log",
    benchmark:
        "results/{study}/timings/judge_endpoint/{judge}/{suite}.tsv"
    wildcard_constraints:
        judge=one_of(study.models_by_origin("endpoint")),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(600),
    params:
        asked=suite_prompt_contents,
        endpoint=lookup(within=settings, dpath="models/{judge}/endpoint"),
        store="results/{study}/store",
        sources="results/{study}/sources",
        categories=settings["judging"]["categories"],
        usage="results/{study}/replies/{judge}/{suite}.usage.json",
    message:
        "Asking {wildcards.judge} about {wildcards.suite}"
    script:
        "../scripts/judge/judge_endpoint.py"


localrules:
    link_endpoint,
    judge_endpoint,
