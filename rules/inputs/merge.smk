"""Input functions of rules/merge.smk."""

from judgemerge.merge.recipes import own_engine


def parent_models(wildcards):
    """The folders of the models that a merge reads, the base first; its adapters are not among them."""
    return [results_file("models/{name}", name=name) for name in study.models_read(wildcards.merge)]


def parent_manifests(wildcards):
    """The manifests of the models that a merge reads."""
    return [results_file("models/{name}.json", name=name) for name in study.models_read(wildcards.merge)]


def compared_models():
    """Return the models that merges bring together, and the groups that they are compared in: {models, allow, mergekit}.

    `mergekit` is the method of a merge that it computes. One model alone is only looked at for that, and only where it
    is not made here.
    """
    groups = []
    for name, merge in study.merges.items():
        roots = sorted(study.roots(name))
        method = None if own_engine(merge) else merge["method"]
        foreign = method and any("make" not in study.models[root] for root in roots)
        group = {"models": roots, "allow": study.allowed_differences(name), "mergekit": method if foreign else None}
        if (len(roots) > 1 or foreign) and group not in groups:
            groups.append(group)
    return sorted({name for group in groups for name in group["models"]}), groups


def merge_adapters(wildcards):
    """The LoRA adapters that a merge reads in place of exported models."""
    return [results_file("adapters/{name}", name=name) for name in study.adapters_of(wildcards.merge)]


def merge_bases(wildcards):
    """The model that each adapter of a merge was trained on."""
    return {name: study.adapters[name] for name in study.adapters_of(wildcards.merge)}


def merge_weights(wildcards):
    """The computed weights of a cocktail, if it has examples."""
    computed = study.examples_of(wildcards.merge) is not None
    return [results_file("weights/{name}.json", name=wildcards.merge)] if computed else []


def merge_examples(wildcards):
    """The item set or file that a cocktail's weights are computed from."""
    examples = study.examples_of(wildcards.merge)
    return results_file("items/{name}.jsonl", name=examples) if examples in study.catalogues.benchmarks else examples


def merge_prompts(wildcards):
    """The prompt that the items of `merge_examples` are shown with; none for a file."""
    return prompt_files(study.example_prompts(wildcards.merge))


def merge_prompt_contents(wildcards):
    """What this prompt says."""
    return prompt_contents(study.example_prompts(wildcards.merge))


def merge_prompt_texts(wildcards):
    """The raw files that this prompt takes texts from."""
    return prompt_texts(study.example_prompts(wildcards.merge))


def compared_folders(wildcards):
    """The folders of the models that are compared."""
    return [results_file("models/{name}", name=name) for name in compared_models()[0]]


def merge_about(wildcards):
    """What the study knows of a merge besides its manifest: for its card."""
    parents = study.models_read(wildcards.merge)
    repos = {name: study.models[name]["repo"] for name in parents if "repo" in study.models.get(name, {})}
    suites = study.suites if wildcards.merge in study.judges else []
    prompts = {prompt for suite in suites for prompt in study.prompts_of(wildcards.merge, suite).values()}
    asked = ", ".join(sorted(filter(None, prompts)))
    return {
        "study": study.name,
        "prompts": asked,
        "repos": repos,
        "licence": settings["about"].get("licence"),
    }


def merge_cards():
    """Return the card of every merge."""
    return [results_file("cards/{name}.md", name=name) for name in study.merges]


def merge_settings(wildcards):
    """One entry of the study's merges; `lookup` would walk all of them for each, and grids have hundreds."""
    return study.merges[wildcards.merge].plain()
