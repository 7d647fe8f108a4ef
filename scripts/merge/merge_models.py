"""Make models/{merge}: one merge by mergekit or by ourselves, checked tensor by tensor, with its recipe and card."""

from judgemerge.core import processes
from judgemerge.core.logs import logged
from judgemerge.merge import runs

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        runs.make_model(
            merge=params.merge,
            parents=runs.Parents.at(inputs.models, inputs.manifests, inputs.adapters, params.bases),
            threads=params.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            recipe_file=snakemake.output.recipe,
            weights=next(iter(inputs.weights), None),
        )
