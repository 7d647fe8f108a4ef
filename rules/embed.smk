"""Documents → questions → an embedding model fine-tuned in iterations → mixtures with its base, and what they forget.

Included by studies with `embedding`. Jobs that may ask a language model are local: only the machine that runs Snakemake
has the network. Iterations after the one that was good enough pass in seconds and repeat its decision.
"""


include: "inputs/embed.smk"


if "make" in EMBEDDING["documents"]:
    MADE_COLLECTIONS[embedding_study.TARGET] = EMBEDDING["documents"]["make"]
if OWN_SET:
    READ_TASKS[embedding_study.TARGET] = {"path": OWN_SET}


wildcard_constraints:
    collection=one_of([embedding_study.TARGET, *MADE_COLLECTIONS]),
    read_task=one_of(READ_TASKS),
    made_encoder=one_of(name for name, entry in ENCODERS.items() if "make" in entry),
    fetched_encoder=one_of(name for name, entry in ENCODERS.items() if "make" not in entry),
    encoder=one_of(embedding_study.encoders(EMBEDDING)),
    cocktail=one_of(COCKTAILS),
    scorer=one_of(RERANKERS),
    iteration=r"[1-9]\d*",


rule write_documents:
    """A folder of documents made on the spot, as a person's folder would be."""
    output:
        directory("results/{study}/embedding/collections/{collection}"),
    log:
        "results/{study}/logs/write_documents/{collection}.log",
    benchmark:
        "results/{study}/timings/write_documents/{collection}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        make=collection_settings,
        code=script_digest("embed/write_documents"),
    message:
        "Writing documents: {wildcards.collection}"
    script:
        "../scripts/embed/write_documents.py"


rule split_documents:
    """Documents of a folder in chunks, without duplicates; files that cannot be read are named in the counts."""
    input:
        document_files,
    output:
        chunks="results/{study}/embedding/chunks/{collection}.jsonl",
        counts="results/{study}/embedding/chunks/{collection}.counts.json",
    log:
        "results/{study}/logs/split_documents/{collection}.log",
    benchmark:
        "results/{study}/timings/split_documents/{collection}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(60),
    params:
        folder=document_folder,
        documents=EMBEDDING["documents"],
        code=script_digest("embed/split_documents"),
    message:
        "Splitting documents: {wildcards.collection}"
    script:
        "../scripts/embed/split_documents.py"


rule write_evaluation_set:
    """Questions on held-out documents (of other tasks: on all), and the same as a file that a person may review."""
    input:
        chunks="results/{study}/embedding/chunks/{collection}.jsonl",
    output:
        rows="results/{study}/embedding/tasks/{collection}.jsonl",
        counts="results/{study}/embedding/tasks/{collection}.counts.json",
        review="results/{study}/embedding/review/{collection}.csv",
    log:
        "results/{study}/logs/write_evaluation_set/{collection}.log",
    benchmark:
        "results/{study}/timings/write_evaluation_set/{collection}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(240),
    params:
        share=collection_share,
        per_chunk=EMBEDDING["evaluation"]["per_chunk"],
        writer=WRITERS["questions.model"],
        wording=WORDINGS["questions"],
        seed=settings["seed"],
        store="results/{study}/store/embedding/evaluation_{collection}.jsonl",
        code=script_digest("embed/write_evaluation_set"),
    message:
        "Writing the evaluation set {wildcards.collection}"
    script:
        "../scripts/embed/write_evaluation_set.py"


rule read_evaluation_set:
    """An evaluation set that was brought along: JSON lines, or a review file."""
    input:
        read_task_file,
    output:
        rows="results/{study}/embedding/tasks/{read_task}.jsonl",
        counts="results/{study}/embedding/tasks/{read_task}.counts.json",
    log:
        "results/{study}/logs/read_evaluation_set/{read_task}.log",
    benchmark:
        "results/{study}/timings/read_evaluation_set/{read_task}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(10),
    params:
        path=read_task_file,
        given_keys=read_task_keys,
        code=script_digest("embed/read_evaluation_set"),
    message:
        "Reading the evaluation set {wildcards.read_task}"
    script:
        "../scripts/embed/read_evaluation_set.py"


ruleorder: read_evaluation_set > write_evaluation_set


rule make_encoder:
    """A small BERT made on the spot and pretrained on general texts: the embedder, or a reranker that starts from it."""
    input:
        encoder_start,
    output:
        model=directory("results/{study}/embedding/models/{made_encoder}"),
        manifest="results/{study}/embedding/models/{made_encoder}.json",
    log:
        "results/{study}/logs/make_encoder/{made_encoder}.log",
    benchmark:
        "results/{study}/timings/make_encoder/{made_encoder}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(16),
        runtime=per_attempt(30),
    params:
        make=encoder_make,
        kind=encoder_kind,
        work="results/{study}/training/{made_encoder}",
    message:
        "Making and pretraining the {params.kind}"
    script:
        "../scripts/embed/make_encoder.py"


rule fetch_encoder:
    """A model of the Hugging Face hub at one commit, or from a folder of this machine; safetensors only."""
    input:
        base=base_to_compare,
    output:
        model=directory("results/{study}/embedding/models/{fetched_encoder}"),
        manifest="results/{study}/embedding/models/{fetched_encoder}.json",
    log:
        "results/{study}/logs/fetch_encoder/{fetched_encoder}.log",
    benchmark:
        "results/{study}/timings/fetch_encoder/{fetched_encoder}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=encoder_memory(3),
        runtime=per_attempt(240),
    params:
        entry=encoder_entry,
        fingerprint=encoder_fingerprint,
        mixed=encoder_is_mixed,
    message:
        "Fetching {wildcards.fetched_encoder}"
    script:
        "../scripts/embed/fetch_encoder.py"


rule write_questions:
    """Questions on the chunks of one iteration; each iteration asks anew, a killed one goes on where it was."""
    input:
        chunks="results/{study}/embedding/chunks/target.jsonl",
        earlier=earlier_decisions,
    output:
        rows="results/{study}/embedding/iterations/{iteration}/questions.jsonl",
        counts="results/{study}/embedding/iterations/{iteration}/questions.counts.json",
    log:
        "results/{study}/logs/write_questions/{iteration}.log",
    benchmark:
        "results/{study}/timings/write_questions/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(240),
    params:
        embedding={name: EMBEDDING[name] for name in ("questions", "iterations")},
        share=HELD_OUT,
        writer=WRITERS["questions.model"],
        wording=WORDINGS["questions"],
        seed=settings["seed"],
        store="results/{study}/store/embedding/questions_{iteration}.jsonl",
    message:
        "Iteration {wildcards.iteration}: writing questions"
    script:
        "../scripts/embed/write_questions.py"


rule score_pairs:
    """How well each question fits its chunk, by BM25 and by the reranker."""
    input:
        pairs="results/{study}/embedding/iterations/{iteration}/questions.jsonl",
        earlier=earlier_decisions,
        reranker=study_reranker,
    output:
        "results/{study}/embedding/iterations/{iteration}/scored.jsonl",
    log:
        "results/{study}/logs/score_pairs/{iteration}.log",
    benchmark:
        "results/{study}/timings/score_pairs/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(3),
        runtime=encoder_minutes(30),
        gpu=ONE_GPU,
    params:
        max_tokens=EMBEDDING["max_tokens"],
        batch_size=EMBEDDING["batch_size"],
    message:
        "Iteration {wildcards.iteration}: scoring pairs"
    script:
        "../scripts/embed/score_pairs.py"


rule select_pairs:
    """The pairs that one iteration trains on: best by fused ranks, relevant if a model is asked, and their rewrites."""
    input:
        scored="results/{study}/embedding/iterations/{iteration}/scored.jsonl",
        earlier=earlier_decisions,
    output:
        rows="results/{study}/embedding/iterations/{iteration}/training.jsonl",
        counts="results/{study}/embedding/iterations/{iteration}/training.counts.json",
    log:
        "results/{study}/logs/select_pairs/{iteration}.log",
    benchmark:
        "results/{study}/timings/select_pairs/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(240),
    params:
        embedding={name: EMBEDDING[name] for name in ("selection", "rewriting")},
        writers=WRITERS,
        wordings={step: WORDINGS[step] for step in ("relevance", "rewriting")},
        seed=settings["seed"],
        store="results/{study}/store/embedding/iteration_{iteration}",
        code=script_digest("embed/select_pairs"),
    message:
        "Iteration {wildcards.iteration}: selecting pairs"
    script:
        "../scripts/embed/select_pairs.py"


rule train_embedder:
    """The original model, fine-tuned on one iteration's pairs."""
    input:
        base="results/{study}/embedding/models/base",
        pairs="results/{study}/embedding/iterations/{iteration}/training.jsonl",
        earlier=earlier_decisions,
        parents=other_parents,
    output:
        model=directory("results/{study}/embedding/models/iteration_{iteration}"),
        manifest="results/{study}/embedding/models/iteration_{iteration}.json",
    log:
        "results/{study}/logs/train_embedder/{iteration}.log",
    benchmark:
        "results/{study}/timings/train_embedder/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(16),
        runtime=encoder_minutes(120),
        gpu=ONE_GPU,
    params:
        training={**EMBEDDING["training"], "query_prompt": EMBEDDING["query_prompt"]},
        seed=settings["seed"],
        work="results/{study}/training/iteration_{iteration}",
    message:
        "Iteration {wildcards.iteration}: training"
    script:
        "../scripts/embed/train_embedder.py"


rule rank_queries:
    """At which rank one embedding model finds the right text, for every query of every task."""
    input:
        model="results/{study}/embedding/models/{encoder}",
        tasks=task_files("jsonl"),
    output:
        "results/{study}/embedding/ranks/{encoder}.jsonl",
    log:
        "results/{study}/logs/rank_queries/{encoder}.log",
    benchmark:
        "results/{study}/timings/rank_queries/{encoder}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(3),
        runtime=encoder_minutes(20),
        gpu=ONE_GPU,
    params:
        query_prompt=encoder_prompt,
        max_tokens=EMBEDDING["max_tokens"],
        batch_size=EMBEDDING["batch_size"],
    message:
        "Searching with {wildcards.encoder}"
    script:
        "../scripts/embed/rank_queries.py"


rule decide_iteration:
    """Recall before and after one iteration, whether that is enough, and why."""
    input:
        base="results/{study}/embedding/ranks/base.jsonl",
        tuned="results/{study}/embedding/ranks/iteration_{iteration}.jsonl",
        earlier=earlier_decisions,
    output:
        "results/{study}/embedding/iterations/{iteration}/decision.json",
    log:
        "results/{study}/logs/decide_iteration/{iteration}.log",
    benchmark:
        "results/{study}/timings/decide_iteration/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        rules=EMBEDDING["iterations"],
        code=script_digest("embed/decide_iteration"),
    message:
        "Iteration {wildcards.iteration}: is it enough?"
    script:
        "../scripts/embed/decide_iteration.py"


rule choose_embedder:
    """The fine-tuned model: that of the iteration with the highest recall."""
    input:
        decisions=of_all_iterations("iterations/{number}/decision.json"),
        folders=of_all_iterations("models/iteration_{number}"),
        manifests=of_all_iterations("models/iteration_{number}.json"),
    output:
        model=directory("results/{study}/embedding/models/tuned"),
        manifest="results/{study}/embedding/models/tuned.json",
    log:
        "results/{study}/logs/choose_embedder.log",
    benchmark:
        "results/{study}/timings/choose_embedder.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(500),
        runtime=per_attempt(10),
    params:
        code=script_digest("embed/choose_embedder"),
    message:
        "Choosing the fine-tuned model"
    script:
        "../scripts/embed/choose_embedder.py"


rule mix_embedders:
    """Base and fine-tuned model mixed at several weights in one pass, tensor by tensor."""
    input:
        base="results/{study}/embedding/models/base",
        tuned="results/{study}/embedding/models/tuned",
        held_out="results/{study}/embedding/tasks/target.jsonl",
    output:
        models=[directory(f"results/{{study}}/embedding/models/{name}") for name in MIXES],
        manifests=[f"results/{{study}}/embedding/models/{name}.json" for name in MIXES],
    log:
        "results/{study}/logs/mix_embedders.log",
    benchmark:
        "results/{study}/timings/mix_embedders.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(3),
        runtime=per_attempt(60),
    params:
        mixes=MIXES,
        by_loss=EMBEDDING["forgetting"].get("by_loss"),
        query_prompt=EMBEDDING["query_prompt"],
        seed=settings["seed"],
    message:
        "Mixing base and fine-tuned model"
    script:
        "../scripts/embed/mix_embedders.py"


rule mix_cocktail:
    """A mixture of several models: of base, fine-tuned model and models of others."""
    input:
        models=cocktail_parents,
        held_out="results/{study}/embedding/tasks/target.jsonl",
    output:
        model=directory("results/{study}/embedding/models/{cocktail}"),
        manifest="results/{study}/embedding/models/{cocktail}.json",
    log:
        "results/{study}/logs/mix_cocktail/{cocktail}.log",
    benchmark:
        "results/{study}/timings/mix_cocktail/{cocktail}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(3),
        runtime=per_attempt(60),
    params:
        cocktail=cocktail_of,
        by_loss=EMBEDDING["forgetting"].get("by_loss"),
        query_prompt=EMBEDDING["query_prompt"],
        seed=settings["seed"],
    message:
        "Mixing {wildcards.cocktail}"
    script:
        "../scripts/embed/mix_cocktail.py"


rule train_reranker:
    """The original reranker, fine-tuned on the pairs of the chosen iteration."""
    input:
        reranker="results/{study}/embedding/models/reranker",
        pairs=of_all_iterations("iterations/{number}/training.jsonl"),
        decisions=of_all_iterations("iterations/{number}/decision.json"),
    output:
        model=directory("results/{study}/embedding/models/reranker_tuned"),
        manifest="results/{study}/embedding/models/reranker_tuned.json",
    log:
        "results/{study}/logs/train_reranker.log",
    benchmark:
        "results/{study}/timings/train_reranker.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(16),
        runtime=encoder_minutes(120),
        gpu=ONE_GPU,
    params:
        training=EMBEDDING.get("reranker_training"),
        seed=settings["seed"],
        work="results/{study}/training/reranker_tuned",
    message:
        "Training the reranker"
    script:
        "../scripts/embed/train_reranker.py"


rule rerank_queries:
    """Ranks on the target task after a reranker has sorted the first texts of each query anew."""
    input:
        embedder="results/{study}/embedding/models/tuned",
        scorer="results/{study}/embedding/models/{scorer}",
        task="results/{study}/embedding/tasks/target.jsonl",
    output:
        "results/{study}/embedding/reranked/{scorer}.jsonl",
    log:
        "results/{study}/logs/rerank_queries/{scorer}.log",
    benchmark:
        "results/{study}/timings/rerank_queries/{scorer}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings["threads"]
    resources:
        mem_mb=encoder_memory(3),
        runtime=encoder_minutes(30),
        gpu=ONE_GPU,
    params:
        depth=EMBEDDING["rerank_depth"],
        query_prompt=EMBEDDING["query_prompt"],
        max_tokens=EMBEDDING["max_tokens"],
        batch_size=EMBEDDING["batch_size"],
    message:
        "Sorting with {wildcards.scorer}"
    script:
        "../scripts/embed/rerank_queries.py"


rule collect_retrieval:
    """Every embedding model on every task with intervals, and its paired difference from the base."""
    input:
        ranks=[embedding_file("ranks/{name}.jsonl", name=name) for name in embedding_study.encoders(EMBEDDING)],
        reranked=[embedding_file("reranked/{name}.jsonl", name=name) for name in RERANKERS],
        decisions=of_all_iterations("iterations/{number}/decision.json"),
        mixed=[embedding_file("models/{name}.json", name=name) for name in MIXES],
        counts=task_files("counts.json"),
    output:
        table="results/{study}/tables/retrieval.csv",
        differences="results/{study}/tables/retrieval_differences.csv",
    log:
        "results/{study}/logs/collect_retrieval.log",
    benchmark:
        "results/{study}/timings/collect_retrieval.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1500),
        runtime=per_attempt(20),
    params:
        roles=TASK_ROLES,
        others=embedding_study.other_kinds(EMBEDDING),
        k=EMBEDDING["iterations"]["k"],
        statistics=settings["statistics"],
        code=script_digest("embed/collect_retrieval"),
    message:
        "Collecting retrieval"
    script:
        "../scripts/embed/collect_retrieval.py"


localrules:
    write_documents,
    split_documents,
    write_evaluation_set,
    read_evaluation_set,
    fetch_encoder,
    write_questions,
    select_pairs,
    decide_iteration,
    choose_embedder,
    collect_retrieval,
