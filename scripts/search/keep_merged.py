"""Make models/{search}_best: the merge that was the best trial of a search, merged again."""

from judgemerge.core import processes
from judgemerge.core.logs import logged
from judgemerge.merge import runs
from judgemerge.search import searching
from judgemerge.search.merge_trials import merged_as
from judgemerge.settings.searches import Search
from judgemerge.settings.section import typed

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        parents = runs.Parents.at(inputs.models, inputs.manifests, inputs.adapters, params.bases)
        search, best = typed(params.search, Search), searching.read_choice(inputs.best)
        runs.make_model(
            merge=merged_as(search, params.merge, best.params, parents),
            parents=parents,
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            recipe_file=snakemake.output.recipe,
        )
