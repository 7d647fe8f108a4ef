"""Make embedding/reranked/{reranker}.jsonl: ranks on the target task after a reranker has sorted the first texts."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import checks, encoders, retrieval


def main(
    embedder: str,
    reranker: str,
    task: str,
    depth: int,
    query_prompt: str,
    max_tokens: int,
    batch_size: int,
    threads: int,
    ranks: str,
) -> None:
    """Search with the embedder, then let the reranker sort the first `depth` texts of each query."""
    import torch

    torch.set_num_threads(threads)
    opened = retrieval.task_of(list(files.read_jsonl(task)))
    similarity = retrieval.similarity(encoders.open_embedder(embedder, max_tokens), opened, query_prompt, batch_size)
    scorer = encoders.open_reranker(reranker, max_tokens)
    found = retrieval.rerank(scorer, opened, similarity, depth, batch_size)
    rows = (
        {"task": checks.TARGET, "id": query.id, "cluster": query.cluster, "ranks": own}
        for query, own in zip(opened.queries, found, strict=True)
    )
    files.write_jsonl(ranks, rows)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            embedder=snakemake.input.embedder,
            reranker=snakemake.input.scorer,
            task=snakemake.input.task,
            depth=snakemake.params.depth,
            query_prompt=snakemake.params.query_prompt,
            max_tokens=snakemake.params.max_tokens,
            batch_size=snakemake.params.batch_size,
            threads=snakemake.threads,
            ranks=snakemake.output[0],
        )
