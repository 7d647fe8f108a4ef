"""Input functions of rules/train.smk."""


def found_fingerprint(wildcards):
    """What the files of a model folder of this machine are known by: exchanged weights are another model."""
    return fingerprint(settings["models"][wildcards.found]["path"])


def model_template(wildcards):
    """The text of the chat template that the study gives a model instead of its own, None for its own."""
    name = wildcards.downloaded if hasattr(wildcards, "downloaded") else wildcards.found
    return study.model_template(name)


# A parameter only where some model has one: models that were downloaded before must not be downloaded again.
MODEL_TEMPLATES = {"chat_template": model_template} if any(map(study.model_template, study.models)) else {}


def stage_items(wildcards):
    """The item sets that a made model is pretrained on."""
    stages = settings["models"][wildcards.made]["make"]["stages"]
    names = [name for stage in stages if stage["data"] != "corpus" for name in stage["data"]]
    return [results_file("items/{name}.jsonl", name=name) for name in dict.fromkeys(names)]


def judge_only(wildcard):
    """Return a resource function: 1 for a model that does nothing but judge, so that its failure is that judge's alone."""

    def resource(wildcards):
        return int(study.only_judges(wildcards[wildcard]))

    return resource


def making_threads(wildcards):
    """The CPU threads that a made model is pretrained with."""
    return settings["models"][wildcards.made]["make"].get("threads", settings["threads"])


def training_items(wildcards):
    """The item sets that an expert is trained on."""
    names = settings["experts"][wildcards.expert]["train_on"]
    return [results_file("items/{name}.jsonl", name=name) for name in names]


def leak_items(wildcards):
    """The benchmarks that are run whose prompts an expert must not be trained on."""
    return [results_file("items/{name}.jsonl", name=name) for name in study.leak_benchmarks(wildcards.expert)]


def leak_names(wildcards):
    """The names of those benchmarks, in the order of `leak_items`."""
    return study.leak_benchmarks(wildcards.expert)


def evaluation_items(wildcards):
    """The item sets that an expert's evaluation loss is taken on while it is trained."""
    names = settings["experts"][wildcards.expert]["evaluate_on"]
    return [results_file("items/{name}.jsonl", name=name) for name in names]


def training_common(wildcards):
    """What all trainings share, and how the chat template of the expert's base is used where the study says so."""
    chat = study.chat(study.base_of(wildcards.expert))
    return shared_settings(settings) | ({"chat": chat} if chat else {})


def base_model(wildcards):
    """The folder of the model that an expert is trained from."""
    return results_file("models/{name}", name=study.base_of(wildcards.expert))


def base_manifest(wildcards):
    """The manifest of the model that an expert is trained from."""
    return results_file("models/{name}.json", name=study.base_of(wildcards.expert))


def parents_compared(wildcards):
    """The comparison of models before anything is trained on them, if merges bring several together."""
    return [results_file("recipes/parents.json")] if compared_models()[1] else []


def expert_prompt_texts(wildcards):
    """The raw files that the prompts of one expert's training take texts from."""
    return prompt_texts(study.training_prompts(wildcards.expert))


def expert_prompts(wildcards):
    """The prompt files of one expert's training."""
    return prompt_files(study.training_prompts(wildcards.expert))


def expert_prompt_contents(wildcards):
    """What the prompts of one expert's training say."""
    return prompt_contents(study.training_prompts(wildcards.expert))


def training_prompt_names(wildcards):
    """The prompts of one expert's training, by protocol."""
    return study.training_prompts(wildcards.expert)


def stage_prompt_names(wildcards):
    """The prompts of a made model's pretraining by protocol, stage by stage."""
    return study.stage_prompts(wildcards.made)


def stage_prompts(wildcards):
    """The prompt files of a made model's pretraining on item sets."""
    return list(dict.fromkeys(path for prompts in stage_prompt_names(wildcards) for path in prompt_files(prompts)))


def stage_prompt_contents(wildcards):
    """What those prompts say."""
    return {key: said for prompts in stage_prompt_names(wildcards) for key, said in prompt_contents(prompts).items()}


def stage_prompt_texts(wildcards):
    """The raw files that those prompts take texts from."""
    return [path for prompts in stage_prompt_names(wildcards) for path in prompt_texts(prompts)]
