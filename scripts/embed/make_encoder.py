"""Make embedding/models/{base,reranker}: a small BERT made on the spot and pretrained on general texts."""

from judgemerge.core.logs import logged
from judgemerge.embed.encoder_training import pretrain

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        pretrain(start=list(snakemake.input), **snakemake.params, threads=snakemake.threads, **snakemake.output)
