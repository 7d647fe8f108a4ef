"""Input functions of rules/search.smk."""

from types import SimpleNamespace

from judgemerge.search.searching import best_name, targets

SEARCHED = {kind: [name for name, search in study.searches.items() if kind in search] for kind in ("expert", "merge")}


def search_of(wildcards):
    """Return the search that a job belongs to, under whichever wildcard it stands."""
    for name in ("search", "tuning", "blending", "tuned", "blended"):
        if hasattr(wildcards, name):
            found = getattr(wildcards, name)
            return study.searched.get(found, found)


def search_settings(wildcards):
    """The search itself."""
    return study.searches[search_of(wildcards)].plain()


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
    return (study.experts.get(name) or study.merges[name]).plain()


def trial_judging(wildcards):
    """How a trial's model is asked: as the model that its search ends with."""
    return judging_of(best_name(search_of(wildcards)))


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
    """The development sets of a search."""
    return [results_file("items/{name}.jsonl", name=name) for name in targets(search_settings(wildcards))]


def development_prompts(wildcards):
    """The prompts that the development sets are judged with, by protocol."""
    return study.development_prompts(search_of(wildcards))


def development_prompt_files(wildcards):
    """The files of `development_prompts`, and the raw files that they take texts from."""
    names = development_prompts(wildcards)
    return [*prompt_files(names), *prompt_texts(names)]


def development_prompt_contents(wildcards):
    """What `development_prompts` say."""
    return prompt_contents(development_prompts(wildcards))


def chosen_trial(wildcards):
    """The trial that a search ends with."""
    return results_file("searches/{search}/best.json", search=search_of(wildcards))


def target_needs(amount, step):
    """Return a resource function: what a step takes with the search's expert or merge."""

    def resource(wildcards, attempt):
        return getattr(NEEDS, step)(study.target_of(search_of(wildcards))).at(amount, attempt)

    return resource
