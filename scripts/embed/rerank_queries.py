"""Make embedding/reranked/{reranker}.jsonl: ranks on the target task after a reranker has sorted the first texts."""

from judgemerge.core.logs import logged
from judgemerge.embed.ranking import rerank_queries

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        rerank_queries(
            **snakemake.input,
            **snakemake.params,
            threads=snakemake.threads,
            output=snakemake.output[0],
        )
