"""Make models/{blended}: the merge that was the best trial of a search, merged again."""

from judgemerge.core import files, processes
from judgemerge.core.logs import logged
from judgemerge.search import searching
from merge_models import main as merge_models
from merge_trial import parents

if "snakemake" in globals():
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        merge_models(
            merge=searching.applied(snakemake.params.merge, files.read_json(snakemake.input.chosen)["params"], "merge"),
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            recipe_file=snakemake.output.recipe,
            threads=snakemake.threads,
            bases=snakemake.params.bases,
            **parents(snakemake.input.models, snakemake.input.manifests, snakemake.input.adapters),
        )
