"""Make embedding/models/{encoder}: a model of the Hugging Face hub at one commit, or one from a folder."""

from judgemerge.core.logs import logged
from judgemerge.embed.mixing import fetch

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        fetch(
            entry=snakemake.params.entry,
            mixed=snakemake.params.mixed,
            base=list(snakemake.input.base),
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            twin=list(snakemake.input.get("twin", [])),
        )
