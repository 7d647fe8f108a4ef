"""Input functions of rules/screen.smk."""


def screening_bases():
    """Return the foundation models that are screened."""
    return settings["screening"]["bases"] if "screening" in settings else []


def screening_items(role):
    """Return an input function: the item sets of the screening that have this role."""

    def inputs(wildcards):
        return [results_file("items/{name}.jsonl", name=name) for name in settings["screening"][role]]

    return inputs


def screening_prompt(wildcards):
    """The prompt that shows the conversations."""
    return prompt_files({"pairwise": settings["screening"]["prompt"]})


def screening_prompt_content():
    """What that prompt says."""
    return prompt_contents({"pairwise": settings["screening"]["prompt"]}) if screening_bases() else {}


def screening_judging(wildcards):
    """How the screened model is asked for its losses."""
    return judging_of(wildcards.screened)


def screening_parts(wildcards):
    """The losses of all screened models."""
    return [results_file("screening/{name}.json", name=name) for name in screening_bases()]


def expert_curves(wildcards):
    """What was logged while each expert was trained."""
    return [results_file("training_logs/{name}.csv", name=name) for name in study.experts]
