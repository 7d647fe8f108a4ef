"""Searches: rounds of trials on a development set → the best one as a model, tables and figures."""

from types import SimpleNamespace

SEARCHED = {kind: [name for name, search in study.searches.items() if kind in search] for kind in ("expert", "merge")}


wildcard_constraints:
    search=one_of(study.searches),
    tuning=one_of(SEARCHED["expert"]),
    blending=one_of(SEARCHED["merge"]),
    tuned=one_of(best for best, search in study.searched.items() if search in SEARCHED["expert"]),
    blended=one_of(best for best, search in study.searched.items() if search in SEARCHED["merge"]),
    round=r"\d+",
    trial=r"\d+",


def search_of(wildcards):
    """Return the search that a job belongs to, under whichever wildcard it stands."""
    for name in ("search", "tuning", "blending", "tuned", "blended"):
        if hasattr(wildcards, name):
            found = getattr(wildcards, name)
            return study.searched.get(found, found)


def search_settings(wildcards):
    """The search itself."""
    return study.searches[search_of(wildcards)]


def search_default(wildcards):
    """The study's own values of what is searched."""
    return study.search_default(search_of(wildcards))


def target(wildcards):
    """Return the wildcards of the expert or merge that a search starts from."""
    name = study.target_of(search_of(wildcards))
    return SimpleNamespace(expert=name, merge=name)


def target_settings(wildcards):
    """The expert or merge that a search starts from."""
    name = study.target_of(search_of(wildcards))
    return study.experts.get(name) or study.merges[name]


def training_leaks(wildcards):
    """The training items of an expert that its training leaves out."""
    return results_file("recipes/{name}.left_out.json", name=wildcards.expert)


def of_target(function):
    """Return an input function of a job's search, from one of its expert or merge."""

    def inputs(wildcards):
        return function(target(wildcards))

    return inputs


def trial_results(search, n_rounds):
    """Return the results of all trials in the first rounds of a search."""
    numbers = range(n_rounds * study.searches[search]["width"])
    return [results_file("searches/{search}/trial_{trial}.json", search=search, trial=number) for number in numbers]


def earlier_trials(wildcards):
    """The results of the rounds before this one, or before this trial's."""
    search = search_of(wildcards)
    if hasattr(wildcards, "round"):
        return trial_results(search, int(wildcards.round))
    return trial_results(search, int(wildcards.trial) // study.searches[search]["width"])


def all_trials(wildcards):
    """The results of all trials of a search."""
    return trial_results(search_of(wildcards), search_settings(wildcards)["rounds"])


def trial_folders(wildcards):
    """What all trials of a search left behind."""
    return [path.removesuffix(".json") for path in all_trials(wildcards)]


def proposed_trials(wildcards):
    """The settings of this trial's round."""
    number = int(wildcards.trial) // search_settings(wildcards)["width"]
    return results_file("searches/{search}/round_{number}.json", search=search_of(wildcards), number=number)


def development_items(wildcards):
    """The development set of a search."""
    return results_file("items/{name}.jsonl", name=search_settings(wildcards)["development"])


def development_prompts(wildcards):
    """The prompt that the development set is judged with, by protocol."""
    return study.development_prompts(search_of(wildcards))


def development_prompt_files(wildcards):
    """The files of `development_prompts`, and the raw files that they take texts from."""
    names = development_prompts(wildcards)
    return [*prompt_files(names), *prompt_texts(names)]


def chosen_trial(wildcards):
    """The trial that a search ends with."""
    return results_file("searches/{search}/best.json", search=search_of(wildcards))


def trial_needs(amount, step):
    """Return a resource function: what the search's expert or merge asks for, and a quarter more for judging."""

    def resource(wildcards, attempt):
        need = getattr(NEEDS, step)(study.target_of(search_of(wildcards)))
        return int(getattr(need, amount) * 1.25) * attempt

    return resource


def search_results():
    """Return the tables of all searches."""
    return [
        results_file("tables/search_{name}.{kind}", name=name, kind=kind)
        for name in study.searches
        for kind in ("csv", "html")
    ]


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
    message:
        "Proposing round {wildcards.round} of {wildcards.search}"
    script:
        "../scripts/propose_trials.py"


rule train_trial:
    """An expert with the proposed settings, judged on the development set; given up early when the pruner says so."""
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
        mem_mb=trial_needs("mem_mb", "train"),
        runtime=trial_needs("runtime", "train"),
        gpu=0 if TRAINING_NODES else GPUS["train_expert"],
    params:
        search=search_settings,
        default=search_default,
        expert=target_settings,
        training_prompts=of_target(training_prompt_names),
        prompts=development_prompts,
        judging={key: settings["judging"][key] for key in ("batch_tokens", "max_prompt_tokens", "dtype")},
        sources="results/{study}/sources",
        common=shared_settings(settings),
        seed=settings["seed"],
        work="results/{study}/training/{tuning}_trials/{trial}",
    message:
        "Trial {wildcards.trial} of {wildcards.tuning}"
    script:
        "../scripts/train_trial.py"


rule merge_trial:
    """A merge with the proposed parameters, judged on the development set; the merged weights are not kept."""
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
        mem_mb=trial_needs("mem_mb", "merge"),
        runtime=trial_needs("runtime", "merge"),
        gpu=GPUS["judge_suite"],
    params:
        search=search_settings,
        default=search_default,
        merge=target_settings,
        bases=of_target(merge_bases),
        prompts=development_prompts,
        judging={key: settings["judging"][key] for key in ("batch_tokens", "max_prompt_tokens", "dtype")},
        sources="results/{study}/sources",
    message:
        "Trial {wildcards.trial} of {wildcards.blending}"
    script:
        "../scripts/merge_trial.py"


rule choose_trial:
    """The trial with the best value on the development set; the study's own setting wins ties."""
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
    message:
        "Choosing the best trial of {wildcards.search}"
    script:
        "../scripts/choose_trial.py"


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
        mem_mb=trial_needs("mem_mb", "export"),
        runtime=trial_needs("runtime", "export"),
    message:
        "Keeping the best trial as {wildcards.tuned}"
    script:
        "../scripts/keep_trained.py"


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
        mem_mb=trial_needs("mem_mb", "merge"),
        runtime=trial_needs("runtime", "merge"),
    params:
        merge=target_settings,
        bases=of_target(merge_bases),
    message:
        "Merging {wildcards.blended} as its best trial"
    script:
        "../scripts/keep_merged.py"


rule tabulate_search:
    """Every trial with its value and interval on the development set, and its difference to the study's own setting."""
    input:
        results=all_trials,
        folders=trial_folders,
        development=development_items,
    output:
        table="results/{study}/tables/search_{search}.csv",
        importance="results/{study}/tables/search_{search}.importance.csv",
        page=report(
            "results/{study}/tables/search_{search}.html",
            caption="captions/search_table.rst",
            category="Tables",
            labels={"table": "Search {search}"},
        ),
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
        code=source_digest("searching", "pages.searches", "agreement"),
    message:
        "Tabulating search {wildcards.search}"
    script:
        "../scripts/tabulate_search.py"


use rule draw_accuracy as draw_search with:
    input:
        table="results/{study}/tables/search_{search}.csv",
    output:
        svg=report(
            "results/{study}/figures/search_{search}.svg",
            caption="captions/search.rst",
            category="Figures",
            labels={"figure": "Search {search}"},
        ),
        png="results/{study}/figures/search_{search}.png",
    log:
        "results/{study}/logs/draw_figure/search_{search}.log",
    benchmark:
        "results/{study}/timings/draw_figure/search_{search}.tsv"
    params:
        figure="search",
        kinds=judge_kinds(),
        panels=[],
        code=FIGURE_CODE,


localrules:
    propose_trials,
    choose_trial,
    tabulate_search,
    draw_search,
