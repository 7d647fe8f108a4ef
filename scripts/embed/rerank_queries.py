"""Make embedding/reranked/{reranker}.jsonl: ranks on the target task after a reranker has sorted the first texts."""

from judgemerge.core.logs import logged
from judgemerge.embed.ranking import rerank_queries

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        rerank_queries(
            embedder=snakemake.input.embedder,
            reranker=snakemake.input.reranker,
            task_file=snakemake.input.task,
            depth=snakemake.params.depth,
            query_prompt=snakemake.params.query_prompt,
            max_tokens=snakemake.params.max_tokens,
            batch_size=snakemake.params.batch_size,
            threads=snakemake.threads,
            output=snakemake.output[0],
        )
