"""Make models/{expert}: the expert's LoRA update folded into its base by LLaMA-Factory, or the whole model it is."""

from judgemerge.core import models
from judgemerge.core.logs import logged
from judgemerge.train import checkpoints, exports

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        exports.export_expert(
            adapter=checkpoints.chosen(snakemake.input.adapter, snakemake.input.choice),
            recipe_file=snakemake.input.recipe,
            base=snakemake.input.model,
            base_digest=models.described(snakemake.input.model, snakemake.input.manifest)["digest"],
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
