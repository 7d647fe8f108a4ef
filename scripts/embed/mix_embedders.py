"""Make embedding/models/mixed_*: the base and the fine-tuned model mixed at several weights, in one pass."""

from judgemerge.core.logs import logged
from judgemerge.embed.mixing import mix_with_base
from judgemerge.settings.embedding import ByLoss
from judgemerge.settings.section import typed

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        mix_with_base(
            base=snakemake.input.base,
            tuned=snakemake.input.tuned,
            held_out=snakemake.input.held_out,
            mixes=snakemake.params.mixes,
            by_loss=typed(snakemake.params.by_loss, ByLoss),
            query_prompt=snakemake.params.query_prompt,
            seed=snakemake.params.seed,
            threads=snakemake.threads,
            outputs=list(snakemake.output.models),
            manifests=list(snakemake.output.manifests),
        )
