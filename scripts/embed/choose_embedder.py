"""Make embedding/models/tuned: the model of the iteration whose recall is highest."""

from judgemerge.core.logs import logged
from judgemerge.embed import decisions

if "snakemake" in globals():
    inputs = snakemake.input
    with logged(snakemake.log[0]):
        decisions.link_best(inputs.decisions, inputs.folders, inputs.manifests, **snakemake.output)
