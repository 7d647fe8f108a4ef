"""Make embedding/ranks/{encoder}.jsonl: at which rank one embedding model finds the right text, for every task."""

from judgemerge.core.logs import logged
from judgemerge.embed.ranking import rank_queries

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        rank_queries(
            **snakemake.input,
            **snakemake.params,
            threads=snakemake.threads,
            output=snakemake.output[0],
        )
