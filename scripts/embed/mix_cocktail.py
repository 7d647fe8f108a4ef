"""Make embedding/models/{cocktail}: several embedding models mixed, by given weights or by losses."""

from judgemerge.core.logs import logged
from judgemerge.embed.mixing import mix_cocktail
from judgemerge.settings.embedding import ByLoss
from judgemerge.settings.section import typed

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        mix_cocktail(
            parents=list(snakemake.input.models),
            held_out=snakemake.input.held_out,
            cocktail=snakemake.params.cocktail,
            by_loss=typed(snakemake.params.by_loss, ByLoss),
            query_prompt=snakemake.params.query_prompt,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
