"""Make embedding/models/iteration_{iteration} or reranker_tuned: the original model, fine-tuned on selected pairs."""

from judgemerge.core.logs import logged
from judgemerge.embed import encoder_training
from judgemerge.embed.plan import TUNED_RERANKER

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        is_reranker = snakemake.wildcards.encoder == TUNED_RERANKER
        fine_tune = encoder_training.fine_tune_reranker if is_reranker else encoder_training.fine_tune_embedder
        fine_tune(
            start=snakemake.input.start,
            pairs=list(snakemake.input.pairs),
            decisions=list(snakemake.input.decisions),
            settings=snakemake.params.training,
            threads=snakemake.threads,
            seed=snakemake.params.seed,
            work=snakemake.params.work,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
