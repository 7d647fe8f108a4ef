"""Make models/{merge}: one merge by mergekit, checked tensor by tensor, with its recipe."""

import shutil
from pathlib import Path

import yaml

from judgemerge import files, merging, models
from judgemerge.logs import logged
from judgemerge.processes import run_tool


def main(
    merge: dict,
    parents: dict[str, str],
    digests: dict[str, str],
    threads: int,
    model: str,
    manifest: str,
    recipe_file: str,
):
    """Run mergekit into a fresh folder, check the result against its first parent, and move it into place."""
    recipe = merging.recipe(merge, parents)
    with files.atomic_writer(recipe_file) as file:
        yaml.safe_dump(recipe, file, sort_keys=False)
    fresh = Path(f"{model}.part")
    shutil.rmtree(fresh, ignore_errors=True)
    run_tool(
        [
            "mergekit-yaml",
            recipe_file,
            str(fresh),
            "--random-seed",
            str(merge["seed"]),
            # The thread count decides the last bits of SLERP and DARE, so it is pinned like the seed.
            "--num-threads",
            str(threads),
            "--no-write-model-card",
            "--no-trust-remote-code",
        ],
        threads,
    )
    merging.check_result(fresh, next(iter(parents.values())))
    models.move_into_place(fresh, model)
    files.write_json(
        manifest, models.describe(model, rule="merge_models", merge=merge, parents=digests, threads=threads)
    )


if "snakemake" in globals():
    names = [Path(path).name for path in snakemake.input.models]
    with logged(snakemake.log[0]):
        main(
            merge=snakemake.params.merge,
            parents=dict(zip(names, snakemake.input.models, strict=True)),
            digests={
                name: files.read_json(path)["digest"]
                for name, path in zip(names, snakemake.input.manifests, strict=True)
            },
            threads=snakemake.params.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            recipe_file=snakemake.output.recipe,
        )
