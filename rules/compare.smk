"""Two models, the same questions → answers → what judges say of them in pairs and singly → table, page and figure."""

comparisons = study.comparisons
asking_elsewhere = dict(mem_mb=per_attempt(1000), runtime=per_attempt(600), batch_tokens=settings.judging.batch_tokens)
ANSWERING_HERE = one_of(study.model_names - {*study.models_by_origin("endpoint"), *study.quantizations})
ANSWERING_ELSEWHERE = one_of(study.models_by_origin("endpoint"))


wildcard_constraints:
    comparison=one_of(comparisons.comparisons),


rule select_questions:
    """The questions of one comparison, drawn by the study's seed, with what each metric needs."""
    input:
        item_set=paths.one(paths.ITEMS, comparisons.question_set, "comparison"),
        metrics=ancient(of(comparisons.metric_paths, "comparison")),
    output:
        questions=paths.QUESTIONS,
        record=paths.QUESTIONS_RECORD,
    log:
        "<logs>/select_questions/{comparison}.log",
    benchmark:
        "<benchmarks>/select_questions/{comparison}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        comparison=of(comparisons.settings, "comparison"),
        metric_contents=of(comparisons.metric_contents, "comparison"),
        categories=of(comparisons.categories, "comparison"),
        seed=settings.seed,
        code=script_digest("compare/select_questions"),
    script:
        "../scripts/compare/select_questions.py"


rule generate_answers:
    """One model's answers to the questions of a comparison."""
    input:
        questions=paths.QUESTIONS,
        model=paths.inputs(paths.MODEL, comparisons.weights, "model"),
        manifest=paths.MANIFEST,
    output:
        answers=paths.ANSWERS,
        record=paths.ANSWERS_RECORD,
    log:
        "<logs>/generate_answers/{comparison}/{model}.log",
    benchmark:
        "<benchmarks>/generate_answers/{comparison}/{model}.tsv"
    wildcard_constraints:
        model=ANSWERING_HERE,
    conda:
        "../envs/judge.yaml"
    threads: settings.threads
    resources:
        **needed("generate_answers"),
        gpu=judge_gpus,
        judge_gpus=judge_gpus,
        # A resource, not a parameter: another batch size must not answer everything again.
        batch_tokens=settings.judging.batch_tokens,
    params:
        generation=of(comparisons.generation, "comparison"),
        settings=of(comparisons.answering, "model", "comparison"),
        endpoint=of(comparisons.endpoint, "model"),
        store=paths.STORE,
    script:
        "../scripts/compare/generate_answers.py"


use rule generate_answers as generate_answers_gguf with:
    wildcard_constraints:
        model=one_of(study.quantizations),
    conda:
        "../envs/quantize.yaml"


use rule generate_answers as generate_answers_endpoint with:
    wildcard_constraints:
        model=ANSWERING_ELSEWHERE,
    conda:
        "../envs/stats.yaml"
    resources:
        **asking_elsewhere,


rule judge_answers:
    """What one judge writes about both models' answers: pairs in both orders, single answers by metric."""
    input:
        questions=paths.QUESTIONS,
        answers=paths.inputs(paths.ANSWERS, comparisons.answers, "comparison"),
        metrics=ancient(of(comparisons.metric_paths, "comparison")),
        prompts=of(chained(comparisons.prompts, prompt_files), "comparison"),
        texts=of(chained(comparisons.prompts, prompt_texts), "comparison"),
        metric_texts=paths.inputs(paths.SOURCE, comparisons.metric_sources, "comparison"),
        model=paths.inputs(paths.MODEL, comparisons.weights, "judge"),
        manifest=renamed(paths.MANIFEST, model="judge"),
    output:
        replies=paths.ANSWER_REPLIES,
        record=paths.ANSWER_REPLIES_RECORD,
    log:
        "<logs>/judge_answers/{comparison}/{judge}.log",
    benchmark:
        "<benchmarks>/judge_answers/{comparison}/{judge}.tsv"
    wildcard_constraints:
        judge=ANSWERING_HERE,
    conda:
        of(environments.of_replies, "judge")
    threads: settings.threads
    resources:
        **needed("judge_answers"),
        gpu=judge_gpus,
        judge_gpus=judge_gpus,
        batch_tokens=settings.judging.batch_tokens,
    params:
        comparison=of(comparisons.settings, "comparison"),
        metric_contents=of(comparisons.metric_contents, "comparison"),
        prompt_contents=of(chained(comparisons.prompts, prompt_contents), "comparison"),
        settings=of(comparisons.grading, "judge", "comparison"),
        endpoint=of(comparisons.endpoint, "judge"),
        store=paths.STORE,
        sources=paths.SOURCES,
    script:
        "../scripts/compare/judge_answers.py"


use rule judge_answers as judge_answers_gguf with:
    wildcard_constraints:
        judge=one_of(study.quantizations),


use rule judge_answers as judge_answers_endpoint with:
    wildcard_constraints:
        judge=ANSWERING_ELSEWHERE,
    resources:
        **asking_elsewhere,


rule read_judged_answers:
    """The parsed replies of all judges, one row each, bundled into one job because job start-up dominates."""
    input:
        replies=paths.inputs(paths.ANSWER_REPLIES, comparisons.judgments, "comparison"),
        records=paths.inputs(paths.ANSWER_REPLIES_RECORD, comparisons.judgments, "comparison"),
        metrics=ancient(of(comparisons.metric_paths, "comparison")),
        prompts=of(chained(comparisons.prompts, prompt_files), "comparison"),
    output:
        directory(paths.JUDGED_ANSWERS),
    log:
        "<logs>/read_judged_answers/{comparison}.log",
    benchmark:
        "<benchmarks>/read_judged_answers/{comparison}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        comparison=of(comparisons.settings, "comparison"),
        metric_contents=of(comparisons.metric_contents, "comparison"),
        prompt_contents=of(chained(comparisons.prompts, prompt_contents), "comparison"),
        code=script_digest("compare/read_judged_answers"),
    script:
        "../scripts/compare/read_judged_answers.py"


rule tabulate_model_comparison:
    """Scores, paired differences, wins, costs and failures of a comparison, and what a person should read."""
    input:
        questions=paths.QUESTIONS,
        answers=paths.inputs(paths.ANSWERS, comparisons.answers, "comparison"),
        results=paths.JUDGED_ANSWERS,
        metrics=ancient(of(comparisons.metric_paths, "comparison")),
    output:
        table=paths.MODEL_COMPARISON_TABLE,
        disagreements=paths.MODEL_COMPARISON_DISAGREEMENTS,
    log:
        "<logs>/tabulate_model_comparison/{comparison}.log",
    benchmark:
        "<benchmarks>/tabulate_model_comparison/{comparison}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        comparison=of(comparisons.settings, "comparison"),
        metric_contents=of(comparisons.metric_contents, "comparison"),
        statistics=settings.statistics.plain(),
        code=script_digest("compare/tabulate_model_comparison"),
    script:
        "../scripts/compare/tabulate_model_comparison.py"


localrules:
    select_questions,
    generate_answers_endpoint,
    judge_answers_endpoint,
    read_judged_answers,
    tabulate_model_comparison,
