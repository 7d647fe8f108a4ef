"""Make embedding/models/mixed_*: the base and the fine-tuned model mixed at several weights, in one pass."""

from judgemerge.core.logs import logged
from judgemerge.embed.mixing import mix_with_base

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        mix_with_base(
            **snakemake.input,
            **snakemake.params,
            threads=snakemake.threads,
            **snakemake.output,
        )
