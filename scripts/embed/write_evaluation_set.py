"""Make embedding/tasks/{collection}.jsonl and review/{collection}.csv: questions on held-out documents."""

import os

from judgemerge.core.logs import logged
from judgemerge.embed.pair_files import write_evaluation_set

if "snakemake" in globals():
    params = snakemake.params
    with logged(snakemake.log[0]):
        write_evaluation_set(
            chunks=snakemake.input.chunks,
            share=params.share,
            n_questions=params.per_chunk,
            writer=params.writer,
            wording=params.wording,
            environment=os.environ,
            seed=params.seed,
            store=params.store,
            **snakemake.output,
        )
