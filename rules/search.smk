"""Searches: rounds of trials on development sets → the best one as a model, tables and figures."""


include: "inputs/search.smk"


wildcard_constraints:
    search=one_of(study.searches),
    tuning=one_of(SEARCHED["expert"]),
    blending=one_of(SEARCHED["merge"]),
    tuned=one_of(best for best, search in study.searched.items() if search in SEARCHED["expert"]),
    blended=one_of(best for best, search in study.searched.items() if search in SEARCHED["merge"]),
    round=r"\d+",
    trial=r"\d+",


rule propose_trials:
    """The settings of one round's trials, from the results of all earlier rounds."""
    input:
        earlier_trials,
    output:
        "results/{study}/searches/{search}/round_{round}.json",
    log:
        "results/{study}/logs/propose_trials/{search}/{round}.log",
    benchmark:
        "results/{study}/timings/propose_trials/{search}/{round}.tsv"
    conda:
        "../envs/search.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        search=search_settings,
        default=search_default,
        code=script_digest("search/propose_trials"),
    message:
        "Proposing round {wildcards.round} of {wildcards.search}"
    script:
        "../scripts/search/propose_trials.py"


rule train_trial:
    """An expert with the proposed settings, judged on the development sets; given up early when the pruner says so."""
    input:
        proposed=proposed_trials,
        earlier=earlier_trials,
        item_sets=of_target(training_items),
        left_out=of_target(training_leaks),
        prompts=of_target(expert_prompts),
        texts=of_target(expert_prompt_texts),
        development=development_items,
        asked=development_prompt_files,
        model=of_target(base_model),
        manifest=of_target(base_manifest),
    output:
        folder=directory("results/{study}/searches/{tuning}/trial_{trial}"),
        result="results/{study}/searches/{tuning}/trial_{trial}.json",
    log:
        "results/{study}/logs/train_trial/{tuning}/{trial}.log",
    benchmark:
        "results/{study}/timings/train_trial/{tuning}/{trial}.tsv"
    conda:
        "../envs/search.yaml"
    threads: settings["threads"]
    resources:
        **TRAINING_NODES,
        mem_mb=needed("mem_mb", "trial", "tuning"),
        runtime=needed("runtime", "trial", "tuning"),
        gpu=0 if TRAINING_NODES else GPUS["train_expert"],
    params:
        search=search_settings,
        default=search_default,
        expert=target_settings,
        training_prompts=of_target(training_prompt_names),
        trained_with=of_target(expert_prompt_contents),
        prompts=development_prompts,
        asked=development_prompt_contents,
        judging=trial_judging,
        sources="results/{study}/sources",
        common=of_target(training_common),
        seed=settings["seed"],
        work="results/{study}/training/{tuning}_trials/{trial}",
    message:
        "Trial {wildcards.trial} of {wildcards.tuning}"
    script:
        "../scripts/search/train_trial.py"


rule merge_trial:
    """A merge with the proposed parameters, judged on the development sets; the merged weights are not kept."""
    input:
        proposed=proposed_trials,
        earlier=earlier_trials,
        models=of_target(parent_models),
        manifests=of_target(parent_manifests),
        adapters=of_target(merge_adapters),
        development=development_items,
        asked=development_prompt_files,
    output:
        folder=directory("results/{study}/searches/{blending}/trial_{trial}"),
        result="results/{study}/searches/{blending}/trial_{trial}.json",
    log:
        "results/{study}/logs/merge_trial/{blending}/{trial}.log",
    benchmark:
        "results/{study}/timings/merge_trial/{blending}/{trial}.tsv"
    conda:
        "../envs/search.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "trial", "blending"),
        runtime=needed("runtime", "trial", "blending"),
        gpu=GPUS["judge_suite"],
    params:
        search=search_settings,
        default=search_default,
        merge=target_settings,
        bases=of_target(merge_bases),
        prompts=development_prompts,
        asked=development_prompt_contents,
        judging=trial_judging,
        sources="results/{study}/sources",
    message:
        "Trial {wildcards.trial} of {wildcards.blending}"
    script:
        "../scripts/search/merge_trial.py"


rule choose_trial:
    """The trial with the best value on the development sets; the study's own setting wins ties."""
    input:
        all_trials,
    output:
        "results/{study}/searches/{search}/best.json",
    log:
        "results/{study}/logs/choose_trial/{search}.log",
    benchmark:
        "results/{study}/timings/choose_trial/{search}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        search=search_settings,
        code=script_digest("search/choose_trial"),
    message:
        "Choosing the best trial of {wildcards.search}"
    script:
        "../scripts/search/choose_trial.py"


rule keep_trained:
    """The best trial of a search for settings, as a model: its LoRA update folded into the base."""
    input:
        chosen=chosen_trial,
        trials=trial_folders,
        model=of_target(base_model),
        manifest=of_target(base_manifest),
    output:
        model=directory("results/{study}/models/{tuned}"),
        manifest="results/{study}/models/{tuned}.json",
    log:
        "results/{study}/logs/keep_trained/{tuned}.log",
    benchmark:
        "results/{study}/timings/keep_trained/{tuned}.tsv"
    conda:
        "../envs/search.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=target_needs("mem_mb", "export"),
        runtime=target_needs("runtime", "export"),
    message:
        "Keeping the best trial as {wildcards.tuned}"
    script:
        "../scripts/search/keep_trained.py"


rule keep_merged:
    """The best trial of a search for parameters, merged again."""
    input:
        chosen=chosen_trial,
        models=of_target(parent_models),
        manifests=of_target(parent_manifests),
        adapters=of_target(merge_adapters),
    output:
        model=directory("results/{study}/models/{blended}"),
        manifest="results/{study}/models/{blended}.json",
        recipe="results/{study}/recipes/{blended}.merge.yaml",
    log:
        "results/{study}/logs/keep_merged/{blended}.log",
    benchmark:
        "results/{study}/timings/keep_merged/{blended}.tsv"
    conda:
        "../envs/search.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=target_needs("mem_mb", "merge"),
        runtime=target_needs("runtime", "merge"),
    params:
        merge=target_settings,
        bases=of_target(merge_bases),
    message:
        "Merging {wildcards.blended} as its best trial"
    script:
        "../scripts/search/keep_merged.py"


rule tabulate_search:
    """Every trial with its value and interval on the development sets, and its difference to the study's own setting."""
    input:
        results=all_trials,
        folders=trial_folders,
        development=development_items,
    output:
        table="results/{study}/tables/search_{search}.csv",
        importance="results/{study}/tables/search_{search}.importance.csv",
    log:
        "results/{study}/logs/tabulate_search/{search}.log",
    benchmark:
        "results/{study}/timings/tabulate_search/{search}.tsv"
    conda:
        "../envs/search.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        search=search_settings,
        default=search_default,
        timings="results/{study}/timings",
        statistics=settings["statistics"],
        code=script_digest("search/tabulate_search"),
    message:
        "Tabulating search {wildcards.search}"
    script:
        "../scripts/search/tabulate_search.py"


localrules:
    propose_trials,
    choose_trial,
    tabulate_search,
