"""Input functions of rules/model_comparisons.smk."""

from judgemerge.prompting import metrics
from judgemerge.compare import model_comparisons

COMPARISONS = settings["model_comparisons"]


def comparison_entry(wildcards):
    """The comparison itself."""
    return COMPARISONS[wildcards.comparison]


def compared_in_answers():
    """Return the models that comparisons need: those that answer, and those that judge."""
    return model_comparisons.names_of(study)


def comparison_questions(wildcards):
    """The item set that the questions of a comparison are drawn from."""
    return results_file("items/{name}.jsonl", name=COMPARISONS[wildcards.comparison]["questions"])


def comparison_metrics(wildcards):
    """The files of the metrics of a comparison."""
    return [ancient(str(path)) for path in model_comparisons.metric_files(study, wildcards.comparison)]


def comparison_metric_contents(wildcards):
    """What those files say; a comment or another description in them starts nothing again."""
    return {str(path): metrics.content(path) for path in model_comparisons.metric_files(study, wildcards.comparison)}


def comparison_prompts(wildcards):
    """The prompt files of a comparison."""
    return prompt_files(model_comparisons.asked_prompts(study, wildcards.comparison))


def comparison_prompt_contents(wildcards):
    """What the prompts of a comparison say."""
    return prompt_contents(model_comparisons.asked_prompts(study, wildcards.comparison))


def comparison_texts(wildcards):
    """The raw files that these prompts and the metrics take texts from."""
    name = wildcards.comparison
    words = [results_file("sources/{source}", source=key) for key in model_comparisons.metric_sources(study, name)]
    return [*prompt_texts(model_comparisons.asked_prompts(study, name)), *words]


def comparison_answers(wildcards):
    """The answers of both models, in the order of the comparison."""
    return comparison_parts(wildcards, "answers", "models", "jsonl")


def comparison_parts(wildcards, folder, key, kind):
    """Return one file per model or judge of a comparison."""
    names = COMPARISONS[wildcards.comparison][key]
    name = wildcards.comparison
    return [results_file(f"model_comparisons/{name}/{folder}/{own}.{kind}") for own in names]


def comparison_results(wildcards):
    """What every judge of a comparison said, read."""
    return comparison_parts(wildcards, "results", "judges", "jsonl")


def comparison_generation(wildcards):
    """How both models answer."""
    return COMPARISONS[wildcards.comparison]["generation"]


def answering_settings(wildcards):
    """What the backend is told, besides threads and batches; weights answer with transformers, which alone draws."""
    entry = model_comparisons.with_limit(COMPARISONS[wildcards.comparison], settings["judging"])
    chat = study.chat(wildcards.judge if hasattr(wildcards, "judge") else wildcards.model)
    told = {"dtype": settings["judging"]["dtype"], "max_prompt_tokens": entry["max_prompt_tokens"]}
    return told | ({"chat": chat} if chat else {})


def grading_settings(wildcards):
    """What a judge's backend is told, besides threads and batches."""
    return answering_settings(wildcards) | {"backend": study.backend(wildcards.judge)}


def endpoint_of(wildcards):
    """The endpoint of a model or judge, None when its weights are here."""
    name = wildcards.judge if hasattr(wildcards, "judge") else wildcards.model
    return study.models.get(name, {}).get("endpoint")


WEIGHTS_HERE = one_of(study.model_names - {*study.quantizations, *study.models_by_origin("endpoint")})
