"""Make embedding/models/{base,reranker}: a small BERT made on the spot and pretrained on general texts."""

from judgemerge.core.logs import logged
from judgemerge.embed import encoder_training
from judgemerge.settings.embedding import TinyEncoder

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        encoder_training.pretrain(
            make=TinyEncoder.of(snakemake.params.make),
            kind=snakemake.params.kind,
            start=list(snakemake.input),
            threads=snakemake.threads,
            work=snakemake.params.work,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
