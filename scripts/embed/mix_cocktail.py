"""Make embedding/models/{cocktail}: several embedding models mixed, by given weights or by losses."""

from judgemerge.core.logs import logged
from judgemerge.embed.mixing import mix_cocktail

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        mix_cocktail(
            **snakemake.input,
            **snakemake.params,
            threads=snakemake.threads,
            **snakemake.output,
        )
