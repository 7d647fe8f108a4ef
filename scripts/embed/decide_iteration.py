"""Make embedding/iterations/{iteration}/decision.json: recall before and after, whether that is enough, and why."""

from judgemerge.core.logs import logged
from judgemerge.embed.ranking import decide_iteration
from judgemerge.settings.embedding import Iterations

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        decide_iteration(
            base=snakemake.input.base,
            tuned=snakemake.input.tuned,
            earlier=list(snakemake.input.earlier),
            iteration=int(snakemake.wildcards.iteration),
            rules=Iterations.of(snakemake.params.rules),
            decision=snakemake.output[0],
        )
