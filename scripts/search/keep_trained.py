"""Make models/{tuned}: the best trial of a search for settings, as a model of its own."""

from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.train.exports import export_expert


def main(chosen: str, trials: list[str], **exporting) -> None:
    """Export what the chosen trial trained; `exporting` are the other arguments of export_expert."""
    name = f"trial_{files.read_json(chosen)['trial']}"
    folder = next(Path(path) for path in trials if Path(path).name == name)
    export_expert(adapter=str(folder / "adapter"), recipe_file=str(folder / "recipe.yaml"), **exporting)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            chosen=snakemake.input.chosen,
            trials=list(snakemake.input.trials),
            base=snakemake.input.model,
            base_digest=models.described(snakemake.input.model, snakemake.input.manifest)["digest"],
            threads=snakemake.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
