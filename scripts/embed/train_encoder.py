"""Make embedding/models/iteration_{iteration} or reranker_tuned: the original model, fine-tuned on selected pairs."""

from judgemerge.core.logs import logged
from judgemerge.embed import encoder_training
from judgemerge.embed.plan import TUNED_RERANKER
from judgemerge.settings.embedding import SentenceTraining

if "snakemake" in globals():
    is_reranker = snakemake.wildcards.encoder == TUNED_RERANKER
    fine_tune = encoder_training.fine_tune_reranker if is_reranker else encoder_training.fine_tune_embedder
    training = dict(snakemake.params.training)
    more = {} if is_reranker else {"query_prompt": training.pop("query_prompt")}
    with logged(snakemake.log[0]):
        fine_tune(
            start=snakemake.input.start,
            pairs=list(snakemake.input.pairs),
            decisions=list(snakemake.input.decisions),
            settings=SentenceTraining.of(training),
            threads=snakemake.threads,
            seed=snakemake.params.seed,
            work=snakemake.params.work,
            **snakemake.output,
            **more,
        )
