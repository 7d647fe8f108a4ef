"""Make embedding/iterations/{iteration}/questions.jsonl: questions on the chunks of one iteration."""

import os

from judgemerge.core.logs import logged
from judgemerge.embed.pair_files import write_questions
from judgemerge.settings.embedding import Iterations, Questions

if "snakemake" in globals():
    params = snakemake.params
    with logged(snakemake.log[0]):
        write_questions(
            chunks=snakemake.input.chunks,
            earlier=list(snakemake.input.earlier),
            iteration=int(snakemake.wildcards.iteration),
            iterations=Iterations.of(params.embedding["iterations"]),
            n_questions=Questions.of(params.embedding["questions"]).per_chunk,
            share=params.share,
            writer=params.writer,
            wording=params.wording,
            environment=os.environ,
            seed=params.seed,
            store=params.store,
            **snakemake.output,
        )
