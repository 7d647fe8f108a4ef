"""Searches: rounds of trials on development sets → the best one as a model. Foundation models screened alike.

Both end in tables; training.csv holds the training curves of the study's own experts.
"""

from functools import partial

from judgemerge.search.plan import CheckpointPlan, ScreeningPlan, SearchPlan

search_plan = SearchPlan(study)
screening_plan = ScreeningPlan(study)
checkpoint_plan = CheckpointPlan(study)
of_target = partial(chained, study.target_of)  # asks about the expert or merge that a search starts from
# What trials read and are told, whatever is searched for.
trial_inputs = dict(
    development=paths.inputs(paths.ITEMS, search_plan.development_sets, "search"),
    development_prompts=of(chained(study.development_prompts, prompt_files), "search"),
    development_texts=of(chained(study.development_prompts, prompt_texts), "search"),
)
trial_params = dict(
    search=of(search_plan.settings, "search"),
    default=of(study.search_default, "search"),
    prompts=of(study.development_prompts, "search"),
    prompt_contents=of(chained(study.development_prompts, prompt_contents), "search"),
    judging=of(search_plan.judging, "search"),
    sources=paths.SOURCES,
)
searches_for_experts = one_of(search_plan.searches_for("expert"))
searches_for_merges = one_of(search_plan.searches_for("merge"))
# The results of all trials: a file each, or one of a search for a merge.
results_of_trials = dict(
    trials=paths.inputs(paths.TRIAL_RESULT, search_plan.trials_as_jobs, "search"),
    results=paths.inputs(paths.SEARCH_RESULTS, search_plan.trials_in_one_job, "search"),
)


wildcard_constraints:
    search=one_of(study.searches),
    round=r"\d+",
    trial=r"\d+",


rule propose_trials:
    """The settings of one round's trials, from the results of all earlier rounds."""
    input:
        paths.inputs(paths.TRIAL_RESULT, search_plan.trials_before_round, "search", "round"),
    output:
        paths.SEARCH_ROUND,
    log:
        "<logs>/propose_trials/{search}/{round}.log",
    benchmark:
        "<benchmarks>/propose_trials/{search}/{round}.tsv"
    wildcard_constraints:
        search=searches_for_experts,
    conda:
        "../envs/search.yaml"
    resources:
        **small_job,
    params:
        search=of(search_plan.settings, "search"),
        default=of(study.search_default, "search"),
        code=script_digest("search/propose_trials"),
    script:
        "../scripts/search/propose_trials.py"


rule train_trial:
    """An expert with the proposed settings, judged on the development sets; given up early when the pruner says so."""
    input:
        **trial_inputs,
        proposed=paths.one(paths.SEARCH_ROUND, search_plan.round_of_trial, "search", "trial"),
        earlier=paths.inputs(paths.TRIAL_RESULT, search_plan.trials_of_earlier_rounds, "search", "trial"),
        item_sets=paths.inputs(paths.ITEMS, of_target(training_plan.training_sets), "search"),
        left_out=paths.one(paths.LEFT_OUT, study.target_of, "search"),
        prompts=of(of_target(study.training_prompts, prompt_files), "search"),
        texts=of(of_target(study.training_prompts, prompt_texts), "search"),
        model=paths.one(paths.MODEL, of_target(study.base_of), "search"),
        manifest=paths.one(paths.MANIFEST, of_target(study.base_of), "search"),
    output:
        folder=directory(paths.TRIAL),
        result=paths.TRIAL_RESULT,
    log:
        "<logs>/train_trial/{search}/{trial}.log",
    benchmark:
        "<benchmarks>/train_trial/{search}/{trial}.tsv"
    wildcard_constraints:
        search=searches_for_experts,
    conda:
        of(environments.of_trial, "search")
    threads: settings.threads
    resources:
        **TRAINING_NODES,
        **needed("train_trial"),
        gpu=0 if TRAINING_NODES else GPUS.train_expert,
    params:
        **trial_params,
        expert=of(search_plan.target_settings, "search"),
        training_prompts=of(of_target(study.training_prompts), "search"),
        training_prompt_contents=of(of_target(study.training_prompts, prompt_contents), "search"),
        common=of(of_target(training_plan.common), "search"),
        seed=settings.seed,
        work=paths.TRIAL_TRAINING,
    script:
        "../scripts/search/train_trial.py"


rule merge_trials:
    """All trials of a search for a merge: merged into a loaded model and judged, one after the other.

    Each result is written as it comes, beside what the trial depends on; a killed search goes on behind the last one.
    """
    input:
        **trial_inputs,
        models=paths.inputs(paths.MODEL, of_target(study.models_read), "search"),
        manifests=paths.inputs(paths.MANIFEST, of_target(study.models_read), "search"),
        adapters=paths.inputs(paths.ADAPTER, of_target(study.adapters_of), "search"),
    output:
        paths.SEARCH_RESULTS,
    log:
        "<logs>/merge_trials/{search}.log",
    benchmark:
        "<benchmarks>/merge_trials/{search}.tsv"
    wildcard_constraints:
        search=searches_for_merges,
    conda:
        "../envs/search.yaml"
    threads: settings.threads
    resources:
        **needed("merge_trials"),
        gpu=GPUS.judge_suite,
    params:
        **trial_params,
        merge=of(search_plan.target_settings, "search"),
        bases=of(of_target(merge_plan.adapter_bases), "search"),
        folder=paths.SEARCH,
    script:
        "../scripts/search/merge_trials.py"


rule choose_trial:
    """The trial with the best value on the development sets; the study's own setting wins ties."""
    input:
        **results_of_trials,
    output:
        paths.BEST_TRIAL,
    log:
        "<logs>/choose_trial/{search}.log",
    benchmark:
        "<benchmarks>/choose_trial/{search}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        search=of(search_plan.settings, "search"),
        code=script_digest("search/choose_trial"),
    script:
        "../scripts/search/choose_trial.py"


rule keep_trained:
    """The best trial of a search for settings, as a model: its LoRA update folded into the base."""
    input:
        best=paths.BEST_TRIAL,
        trials=paths.inputs(paths.TRIAL, search_plan.trials, "search"),
        model=paths.one(paths.MODEL, of_target(study.base_of), "search"),
        manifest=paths.one(paths.MANIFEST, of_target(study.base_of), "search"),
    output:
        model=directory(paths.SEARCHED_MODEL),
        manifest=paths.SEARCHED_MANIFEST,
    log:
        "<logs>/keep_trained/{search}_best.log",
    benchmark:
        "<benchmarks>/keep_trained/{search}_best.tsv"
    wildcard_constraints:
        search=searches_for_experts,
    conda:
        "../envs/search.yaml"
    threads: settings.threads
    resources:
        **needed("keep_trained"),
    script:
        "../scripts/search/keep_trained.py"


rule keep_merged:
    """The best trial of a search for parameters, merged again."""
    input:
        best=paths.BEST_TRIAL,
        models=paths.inputs(paths.MODEL, of_target(study.models_read), "search"),
        manifests=paths.inputs(paths.MANIFEST, of_target(study.models_read), "search"),
        adapters=paths.inputs(paths.ADAPTER, of_target(study.adapters_of), "search"),
    output:
        model=directory(paths.SEARCHED_MODEL),
        manifest=paths.SEARCHED_MANIFEST,
        recipe=paths.SEARCHED_RECIPE,
    log:
        "<logs>/keep_merged/{search}_best.log",
    benchmark:
        "<benchmarks>/keep_merged/{search}_best.tsv"
    wildcard_constraints:
        search=searches_for_merges,
    conda:
        "../envs/search.yaml"
    threads: settings.threads
    resources:
        **needed("keep_merged"),
    params:
        search=of(search_plan.settings, "search"),
        merge=of(search_plan.target_settings, "search"),
        bases=of(of_target(merge_plan.adapter_bases), "search"),
    script:
        "../scripts/search/keep_merged.py"


rule tabulate_search:
    """Every trial on the development sets; how much the best one's value flatters it; the result on the benchmarks."""
    input:
        **results_of_trials,
        folders=paths.inputs(paths.TRIAL, search_plan.trials_as_jobs, "search"),
        development=paths.inputs(paths.ITEMS, search_plan.development_sets, "search"),
        benchmarks=paths.inputs(paths.ITEMS, search_plan.tested_benchmarks, "search"),
        verdicts=paths.inputs(paths.VERDICTS, search_plan.tested_units, "search"),
    output:
        table=paths.SEARCH_TABLE,
        importance=paths.SEARCH_IMPORTANCE,
        optimism=paths.SEARCH_OPTIMISM,
        test=paths.SEARCH_TEST,
    log:
        "<logs>/tabulate_search/{search}.log",
    benchmark:
        "<benchmarks>/tabulate_search/{search}.tsv"
    conda:
        "../envs/search.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        search=of(search_plan.settings, "search"),
        default=of(study.search_default, "search"),
        folder=paths.SEARCH,
        tested=of(search_plan.tested_pairs, "search"),
        held_out=of(search_plan.held_out, "search"),
        timings=paths.TIMINGS,
        statistics=settings.statistics.plain(),
        code=script_digest("search/tabulate_search"),
    script:
        "../scripts/search/tabulate_search.py"


rule screen_base:
    """The loss of one foundation model on held-out answers after the screening's steps of fine-tuning."""
    input:
        item_sets=each(paths.ITEMS, screening_plan.training_sets),
        held_out=each(paths.ITEMS, screening_plan.held_out_sets),
        prompt=ancient(each(paths.PROMPT, screening_plan.prompts.values())),
        model=paths.MODEL,
        manifest=paths.MANIFEST,
    output:
        losses=paths.SCREENING,
        curve=paths.SCREENING_CURVE,
    log:
        "<logs>/screen_base/{model}.log",
    benchmark:
        "<benchmarks>/screen_base/{model}.tsv"
    wildcard_constraints:
        model=one_of(screening_plan.bases),
    conda:
        of(environments.of_screening, "model")
    threads: settings.threads
    resources:
        **needed("screen_base"),
        gpu=GPUS.judge_suite,
    params:
        screening=screening_plan.settings,
        prompt_content=screening_plan.prompt_content,
        common=settings.training,
        judging=of(screening_plan.judging, "model"),
        seed=settings.seed,
        work=paths.SCREENING_TRAINING,
    script:
        "../scripts/search/screen_base.py"


rule tabulate_screening:
    """The screened models side by side, with intervals."""
    input:
        each(paths.SCREENING, screening_plan.bases),
    output:
        table="<results>/tables/screening.csv",
    log:
        "<logs>/tabulate_screening.log",
    benchmark:
        "<benchmarks>/tabulate_screening.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        bases=screening_plan.bases,
        statistics=settings.statistics.plain(),
        code=script_digest("search/tabulate_screening"),
    script:
        "../scripts/search/tabulate_screening.py"


rule judge_checkpoints:
    """Verdicts of the base, the kept checkpoints and the end of one training on development sets; nothing is exported."""
    input:
        adapter=paths.ADAPTER,
        recipe=paths.TRAINING_RECIPE,
        development=paths.inputs(paths.ITEMS, checkpoint_plan.development_sets, "expert"),
        prompts=of(chained(checkpoint_plan.prompts, prompt_files), "expert"),
        texts=of(chained(checkpoint_plan.prompts, prompt_texts), "expert"),
        model=paths.one(paths.MODEL, study.base_of, "expert"),
        manifest=paths.one(paths.MANIFEST, study.base_of, "expert"),
    output:
        paths.CHECKPOINT_VERDICTS,
    log:
        "<logs>/judge_checkpoints/{expert}.log",
    benchmark:
        "<benchmarks>/judge_checkpoints/{expert}.tsv"
    wildcard_constraints:
        expert=one_of(checkpoint_plan.experts),
    conda:
        "../envs/train.yaml"
    threads: settings.threads
    resources:
        **needed("judge_checkpoints"),
        gpu=GPUS.judge_suite,
    params:
        sets=of(checkpoint_plan.development_sets, "expert"),
        prompts=of(checkpoint_plan.prompts, "expert"),
        prompt_contents=of(chained(checkpoint_plan.prompts, prompt_contents), "expert"),
        judging=of(checkpoint_plan.judging, "expert"),
        sources=paths.SOURCES,
        store=paths.STORE,
    script:
        "../scripts/search/judge_checkpoints.py"


rule choose_checkpoint:
    """The step that stands for an expert: the end of its training, or the best checkpoint on development sets."""
    input:
        verdicts=paths.CHECKPOINT_VERDICTS,
        development=paths.inputs(paths.ITEMS, checkpoint_plan.development_sets, "expert"),
    output:
        paths.CHECKPOINT_CHOICE,
    log:
        "<logs>/choose_checkpoint/{expert}.log",
    benchmark:
        "<benchmarks>/choose_checkpoint/{expert}.tsv"
    wildcard_constraints:
        expert=one_of(checkpoint_plan.experts),
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        sets=of(checkpoint_plan.development_sets, "expert"),
        kept=of(checkpoint_plan.settings, "expert"),
        code=script_digest("search/choose_checkpoint"),
    script:
        "../scripts/search/choose_checkpoint.py"


rule collect_curves:
    """training.csv: what was logged while the experts were trained, one below the other."""
    input:
        each(paths.TRAINING_LOG, study.experts),
    output:
        "<results>/tables/training.csv",
    log:
        "<logs>/collect_curves.log",
    benchmark:
        "<benchmarks>/collect_curves.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        **small_job,
    params:
        experts=list(study.experts),
        code=script_digest("search/collect_curves"),
    script:
        "../scripts/search/collect_curves.py"


localrules:
    propose_trials,
    choose_trial,
    tabulate_screening,
    choose_checkpoint,
    collect_curves,
