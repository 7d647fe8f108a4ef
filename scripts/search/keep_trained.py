"""Make models/{search}_best: the best trial of a search for settings, as a model of its own."""

from pathlib import Path

from judgemerge.core import models
from judgemerge.core.logs import logged
from judgemerge.search import searching
from judgemerge.train.exports import export_expert

if "snakemake" in globals():
    inputs = snakemake.input
    with logged(snakemake.log[0]):
        name = f"trial_{searching.read_choice(inputs.best).trial}"
        folder = next(path for path in map(Path, inputs.trials) if path.name == name)
        export_expert(
            adapter=str(folder / "adapter"),
            recipe_file=str(folder / "recipe.yaml"),
            base=inputs.model,
            base_digest=models.described(inputs.model, inputs.manifest)["digest"],
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
