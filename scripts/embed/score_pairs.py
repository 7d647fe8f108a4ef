"""Make embedding/iterations/{iteration}/scored.jsonl: how well each question fits its chunk, by BM25 and a reranker."""

from judgemerge.core.logs import logged
from judgemerge.embed.pair_files import score_pairs

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        score_pairs(
            **snakemake.input,
            **snakemake.params,
            threads=snakemake.threads,
            rows=snakemake.output[0],
        )
