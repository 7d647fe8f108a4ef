"""Make models/{search}_best: the merge that was the best trial of a search, merged again."""

from judgemerge.core import processes
from judgemerge.core.logs import logged
from judgemerge.merge import runs
from judgemerge.search import searching

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        runs.make_model(
            merge=searching.applied(params.merge, searching.read_choice(inputs.best).params),
            parents=runs.Parents.at(inputs.models, inputs.manifests, inputs.adapters, params.bases),
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            recipe_file=snakemake.output.recipe,
        )
