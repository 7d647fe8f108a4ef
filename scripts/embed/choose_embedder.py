"""Make embedding/models/tuned: the model of the iteration whose recall is highest."""

import os
import shutil
import sys

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import decisions


def main(decided: list[str], folders: list[str], manifests: list[str], model: str, manifest: str) -> None:
    """Link the files of the best iteration."""
    every = decisions.read(decided)
    number = decisions.best(every).iteration
    place = number - 1
    print(decisions.choice(every), file=sys.stderr)
    shutil.rmtree(model, ignore_errors=True)
    # Snakemake's own time stamp is not linked: touching it here would make the iteration look new.
    time_stamps = shutil.ignore_patterns(".snakemake_timestamp")
    shutil.copytree(folders[place], model, copy_function=os.link, ignore=time_stamps)
    files.write_json(manifest, files.read_json(manifests[place]) | {"iteration": number})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            decided=list(snakemake.input.decisions),
            folders=list(snakemake.input.folders),
            manifests=list(snakemake.input.manifests),
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
        )
