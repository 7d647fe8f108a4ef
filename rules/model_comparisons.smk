"""Two models, the same questions → answers → what judges say of them in pairs and singly → table, page and figure."""


include: "inputs/model_comparisons.smk"


wildcard_constraints:
    comparison=one_of(COMPARISONS),


rule select_questions:
    """The questions of one comparison, drawn by the study's seed, with what each metric needs."""
    input:
        item_set=comparison_questions,
        metrics=comparison_metrics,
    output:
        questions="results/{study}/model_comparisons/{comparison}/questions.jsonl",
        record="results/{study}/model_comparisons/{comparison}/questions.json",
    log:
        "results/{study}/logs/select_questions/{comparison}.log",
    benchmark:
        "results/{study}/timings/select_questions/{comparison}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        comparison=comparison_entry,
        graded_by=comparison_metric_contents,
        seed=settings["seed"],
        code=script_digest("compare/select_questions"),
    message:
        "Drawing the questions of {wildcards.comparison}"
    script:
        "../scripts/compare/select_questions.py"


rule generate_answers:
    """One model's answers to the questions of a comparison."""
    input:
        questions="results/{study}/model_comparisons/{comparison}/questions.jsonl",
        model="results/{study}/models/{model}",
        manifest="results/{study}/models/{model}.json",
    output:
        answers="results/{study}/model_comparisons/{comparison}/answers/{model}.jsonl",
        record="results/{study}/model_comparisons/{comparison}/answers/{model}.json",
    log:
        "results/{study}/logs/generate_answers/{comparison}/{model}.log",
    benchmark:
        "results/{study}/timings/generate_answers/{comparison}/{model}.tsv"
    wildcard_constraints:
        model=WEIGHTS_HERE,
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "answer", "model", "comparison"),
        runtime=needed("runtime", "answer", "model", "comparison"),
        gpu=judge_gpus,
        judge_gpus=judge_gpus,
        # A resource, not a parameter: another batch size must not answer everything again.
        batch_tokens=settings["judging"]["batch_tokens"],
    params:
        generation=comparison_generation,
        settings=answering_settings,
        endpoint=endpoint_of,
        store="results/{study}/store",
    message:
        "Answering the questions of {wildcards.comparison} with {wildcards.model}"
    script:
        "../scripts/compare/generate_answers.py"


use rule generate_answers as generate_answers_gguf with:
    wildcard_constraints:
        model=one_of(study.quantizations),
    conda:
        "../envs/quantize.yaml"


use rule generate_answers as generate_answers_endpoint with:
    input:
        questions="results/{study}/model_comparisons/{comparison}/questions.jsonl",
        model="results/{study}/models/{model}.json",
        manifest="results/{study}/models/{model}.json",
    wildcard_constraints:
        model=one_of(study.models_by_origin("endpoint")),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(600),
        batch_tokens=settings["judging"]["batch_tokens"],


rule judge_answers:
    """What one judge writes about both models' answers: pairs in both orders, single answers by metric."""
    input:
        questions="results/{study}/model_comparisons/{comparison}/questions.jsonl",
        answers=comparison_answers,
        metrics=comparison_metrics,
        prompts=comparison_prompts,
        texts=comparison_texts,
        model="results/{study}/models/{judge}",
        manifest="results/{study}/models/{judge}.json",
    output:
        replies="results/{study}/model_comparisons/{comparison}/replies/{judge}.jsonl",
        record="results/{study}/model_comparisons/{comparison}/replies/{judge}.json",
    log:
        "results/{study}/logs/judge_answers/{comparison}/{judge}.log",
    benchmark:
        "results/{study}/timings/judge_answers/{comparison}/{judge}.tsv"
    wildcard_constraints:
        judge=WEIGHTS_HERE,
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "compare", "judge", "comparison"),
        runtime=needed("runtime", "compare", "judge", "comparison"),
        gpu=judge_gpus,
        judge_gpus=judge_gpus,
        batch_tokens=settings["judging"]["batch_tokens"],
    params:
        comparison=comparison_entry,
        graded_by=comparison_metric_contents,
        asked=comparison_prompt_contents,
        settings=grading_settings,
        endpoint=endpoint_of,
        store="results/{study}/store",
        sources="results/{study}/sources",
    message:
        "Judging the answers of {wildcards.comparison} with {wildcards.judge}"
    script:
        "../scripts/compare/judge_answers.py"


use rule judge_answers as judge_answers_gguf with:
    wildcard_constraints:
        judge=one_of(study.quantizations),
    conda:
        "../envs/quantize.yaml"


use rule judge_answers as judge_answers_endpoint with:
    input:
        questions="results/{study}/model_comparisons/{comparison}/questions.jsonl",
        answers=comparison_answers,
        metrics=comparison_metrics,
        prompts=comparison_prompts,
        texts=comparison_texts,
        model="results/{study}/models/{judge}.json",
        manifest="results/{study}/models/{judge}.json",
    wildcard_constraints:
        judge=one_of(study.models_by_origin("endpoint")),
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(600),
        batch_tokens=settings["judging"]["batch_tokens"],


rule read_judged_answers:
    """What one judge said, read: a row per reply, with how it was made beside it."""
    input:
        replies="results/{study}/model_comparisons/{comparison}/replies/{judge}.jsonl",
        record="results/{study}/model_comparisons/{comparison}/replies/{judge}.json",
        metrics=comparison_metrics,
        prompts=comparison_prompts,
    output:
        results="results/{study}/model_comparisons/{comparison}/results/{judge}.jsonl",
        record="results/{study}/model_comparisons/{comparison}/results/{judge}.json",
    log:
        "results/{study}/logs/read_judged_answers/{comparison}/{judge}.log",
    benchmark:
        "results/{study}/timings/read_judged_answers/{comparison}/{judge}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        comparison=comparison_entry,
        graded_by=comparison_metric_contents,
        asked=comparison_prompt_contents,
        code=script_digest("compare/read_judged_answers"),
    message:
        "Reading what {wildcards.judge} said in {wildcards.comparison}"
    script:
        "../scripts/compare/read_judged_answers.py"


rule tabulate_model_comparison:
    """Scores, paired differences, wins, costs and failures of a comparison, and what a person should read."""
    input:
        questions="results/{study}/model_comparisons/{comparison}/questions.jsonl",
        answers=comparison_answers,
        results=comparison_results,
        metrics=comparison_metrics,
    output:
        table="results/{study}/tables/model_comparison_{comparison}.csv",
        disagreements="results/{study}/tables/model_comparison_{comparison}.disagreements.jsonl",
    log:
        "results/{study}/logs/tabulate_model_comparison/{comparison}.log",
    benchmark:
        "results/{study}/timings/tabulate_model_comparison/{comparison}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        comparison=comparison_entry,
        graded_by=comparison_metric_contents,
        statistics=settings["statistics"],
        code=script_digest("compare/tabulate_model_comparison"),
    message:
        "Tabulating {wildcards.comparison}"
    script:
        "../scripts/compare/tabulate_model_comparison.py"


localrules:
    select_questions,
    generate_answers_endpoint,
    judge_answers_endpoint,
    read_judged_answers,
    tabulate_model_comparison,
