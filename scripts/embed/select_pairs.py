"""Make embedding/iterations/{iteration}/training.jsonl: the best pairs, judged, with their rewrites."""

import os

from judgemerge.core.logs import logged
from judgemerge.embed.pair_files import select_pairs
from judgemerge.settings.embedding import Rewriting, Selection

if "snakemake" in globals():
    params = snakemake.params
    with logged(snakemake.log[0]):
        select_pairs(
            scored=snakemake.input.scored,
            earlier=list(snakemake.input.earlier),
            iteration=int(snakemake.wildcards.iteration),
            keeping=Selection.of(params.embedding["selection"]),
            restyling=Rewriting.of(params.embedding["rewriting"]),
            writers=params.writers,
            wordings=params.wordings,
            environment=os.environ,
            seed=params.seed,
            store=params.store,
            **snakemake.output,
        )
