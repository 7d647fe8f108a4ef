"""Experts → merged models, and their cards."""


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


def merge_prompt_texts(wildcards):
    """The raw files that this prompt takes texts from."""
    return prompt_texts(study.example_prompts(wildcards.merge))


def compared_folders(wildcards):
    """The folders of the models that are compared."""
    return [results_file("models/{name}", name=name) for name in compared_models()[0]]


def merge_cards():
    """Return the card of every merge."""
    return [results_file("cards/{name}.md", name=name) for name in study.merges]


rule check_parents:
    """Architectures, tensors and tokens of models that will be merged, compared before a GPU is used."""
    input:
        models=compared_folders,
    output:
        "results/{study}/recipes/parents.json",
    log:
        "results/{study}/logs/check_parents.log",
    benchmark:
        "results/{study}/timings/check_parents.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        models=compared_models()[0],
        groups=compared_models()[1],
    message:
        "Comparing the models that will be merged"
    script:
        "../scripts/check_parents.py"


rule weigh_models:
    """The weights of a cocktail: the losses of its models on a few examples."""
    input:
        models=parent_models,
        manifests=parent_manifests,
        examples=merge_examples,
        prompts=merge_prompts,
        texts=merge_prompt_texts,
    output:
        "results/{study}/weights/{merge}.json",
    log:
        "results/{study}/logs/weigh_models/{merge}.log",
    benchmark:
        "results/{study}/timings/weigh_models/{merge}.tsv"
    conda:
        "../envs/judge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "weigh", "merge"),
        runtime=needed("runtime", "weigh", "merge"),
        gpu=GPUS["weigh_models"],
    params:
        merge=lookup(within=settings, dpath="merges/{merge}"),
        sources="results/{study}/sources",
    message:
        "Weighing the models of {wildcards.merge}"
    script:
        "../scripts/weigh_models.py"


rule merge_models:
    """One merged model, with seed and thread count pinned; every tensor is checked afterwards."""
    input:
        models=parent_models,
        manifests=parent_manifests,
        adapters=merge_adapters,
        weights=merge_weights,
    output:
        model=directory("results/{study}/models/{merge}"),
        manifest="results/{study}/models/{merge}.json",
        recipe="results/{study}/recipes/{merge}.merge.yaml",
    log:
        "results/{study}/logs/merge_models/{merge}.log",
    benchmark:
        "results/{study}/timings/merge_models/{merge}.tsv"
    conda:
        "../envs/merge.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "merge", "merge"),
        runtime=needed("runtime", "merge", "merge"),
    params:
        merge=lookup(within=settings, dpath="merges/{merge}"),
        bases=merge_bases,
        threads=settings["threads"],
    message:
        "Merging {wildcards.merge}"
    script:
        "../scripts/merge_models.py"


rule write_card:
    """The card of a merge: recipe, parents, seed, versions, and its agreement with people."""
    input:
        manifest="results/{study}/models/{merge}.json",
        agreement="results/{study}/tables/agreement.csv",
    output:
        "results/{study}/cards/{merge}.md",
    log:
        "results/{study}/logs/write_card/{merge}.log",
    benchmark:
        "results/{study}/timings/write_card/{merge}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        code=source_digest("merging.cards", "merging.table", "frames"),
    message:
        "Writing the card of {wildcards.merge}"
    script:
        "../scripts/write_card.py"


localrules:
    check_parents,
    write_card,
