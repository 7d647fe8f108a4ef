"""Make embedding/iterations/{iteration}/scored.jsonl: how well each question fits its chunk, by BM25 and a reranker."""

from judgemerge.core.logs import logged
from judgemerge.embed.pair_files import score_pairs

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        score_pairs(
            pairs=snakemake.input.pairs,
            earlier=list(snakemake.input.earlier),
            reranker=list(snakemake.input.reranker),
            max_tokens=snakemake.params.max_tokens,
            batch_size=snakemake.params.batch_size,
            threads=snakemake.threads,
            rows=snakemake.output[0],
        )
