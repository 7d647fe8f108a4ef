"""Models that others are made from, and the experts trained on them."""


rule make_model:
    """A tiny Llama made on the spot: tokenizer and random weights, then the pretraining stages of the study."""
    input:
        item_sets=stage_items,
        prompts=stage_prompts,
    output:
        model=directory("results/{study}/models/{made}"),
        manifest="results/{study}/models/{made}.json",
    log:
        "results/{study}/logs/make_model/{made}.log",
    benchmark:
        "results/{study}/timings/make_model/{made}.tsv"
    conda:
        "../envs/train.yaml"
    threads: making_threads
    resources:
        mem_mb=needed("mem_mb", "make", "made"),
        runtime=needed("runtime", "make", "made"),
        gpu=GPUS["make_model"],
    params:
        make=lookup(within=settings, dpath="models/{made}/make"),
        prompts=settings["judging"]["prompts"],
        seed=settings["seed"],
        work="results/{study}/training/{made}",
    message:
        "Making and pretraining {wildcards.made}"
    script:
        "../scripts/make_model.py"


rule download_model:
    """A model of the Hugging Face hub at one commit, safetensors only."""
    output:
        model=directory("results/{study}/models/{downloaded}"),
        manifest="results/{study}/models/{downloaded}.json",
    log:
        "results/{study}/logs/download_model/{downloaded}.log",
    benchmark:
        "results/{study}/timings/download_model/{downloaded}.tsv"
    conda:
        "../envs/judge.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(240),
    params:
        repo=lookup(within=settings, dpath="models/{downloaded}/repo"),
        revision=lookup(within=settings, dpath="models/{downloaded}/revision"),
    message:
        "Downloading {wildcards.downloaded}"
    script:
        "../scripts/download_model.py"


rule link_model:
    """A model that lies in a folder of this machine; its files are linked, not copied."""
    output:
        model=directory("results/{study}/models/{found}"),
        manifest="results/{study}/models/{found}.json",
    log:
        "results/{study}/logs/link_model/{found}.log",
    benchmark:
        "results/{study}/timings/link_model/{found}.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(60),
    params:
        path=lookup(within=settings, dpath="models/{found}/path"),
    message:
        "Linking {wildcards.found}"
    script:
        "../scripts/link_model.py"


rule train_expert:
    """One LoRA expert: LLaMA-Factory on the expert's own item sets. Interrupted trainings go on at their checkpoint."""
    input:
        item_sets=training_items,
        prompts=expert_prompts,
        model=base_model,
        manifest=base_manifest,
    output:
        adapter=directory("results/{study}/adapters/{expert}"),
        recipe="results/{study}/recipes/{expert}.train.yaml",
    log:
        "results/{study}/logs/train_expert/{expert}.log",
    benchmark:
        "results/{study}/timings/train_expert/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "train", "expert"),
        runtime=needed("runtime", "train", "expert"),
        gpu=GPUS["train_expert"],
    params:
        expert=lookup(within=settings, dpath="experts/{expert}"),
        prompts=training_prompt_names,
        common=shared_settings(settings),
        seed=settings["seed"],
        work="results/{study}/training/{expert}",
    message:
        "Training expert {wildcards.expert}"
    script:
        "../scripts/train_expert.py"


rule export_expert:
    """The expert as a model of its own: its LoRA update folded into the base."""
    input:
        adapter="results/{study}/adapters/{expert}",
        recipe="results/{study}/recipes/{expert}.train.yaml",
        model=base_model,
        manifest=base_manifest,
    output:
        model=directory("results/{study}/models/{expert}"),
        manifest="results/{study}/models/{expert}.json",
    log:
        "results/{study}/logs/export_expert/{expert}.log",
    benchmark:
        "results/{study}/timings/export_expert/{expert}.tsv"
    conda:
        "../envs/train.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=needed("mem_mb", "export", "expert"),
        runtime=needed("runtime", "export", "expert"),
    message:
        "Exporting expert {wildcards.expert}"
    script:
        "../scripts/export_expert.py"


localrules:
    download_model,
    link_model,
