"""Make models/{merge}: one merge by mergekit or by ourselves, checked tensor by tensor, with its recipe and card."""

from pathlib import Path

from judgemerge.core import files, models, processes
from judgemerge.core.logs import logged
from judgemerge.merge.runs import merge_folders, nothing_left


def main(
    merge: dict,
    parents: dict[str, str],
    digests: dict[str, str],
    threads: int,
    model: str,
    manifest: str,
    recipe_file: str,
    bases: dict[str, str] | None = None,
    weights: str | None = None,
) -> None:
    """Merge into a fresh folder and move it into place; `bases` names the parents that are LoRA adapters."""
    fresh = Path(f"{model}.part")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    found = files.read_json(weights) if weights else None
    name = Path(model).name
    with nothing_left(fresh, model, manifest, recipe_file):
        made = merge_folders(name, merge, parents, fresh, recipe_file, threads, digests, bases, found)
        models.move_into_place(fresh, model)
        files.write_json(manifest, models.describe(model, **made))


def adapter_digest(folder: str) -> str:
    """Return the digest of an adapter, which has no manifest."""
    return models.adapter_digest(folder)


if "snakemake" in globals():
    folders = [*snakemake.input.models, *snakemake.input.adapters]
    names = [Path(path).name for path in folders]
    processes.end_cleanly()
    with logged(snakemake.log[0]):
        pairs = zip(snakemake.input.models, snakemake.input.manifests, strict=True)
        known = [models.described(*pair)["digest"] for pair in pairs]
        digests = [*known, *map(adapter_digest, snakemake.input.adapters)]
        main(
            merge=snakemake.params.merge,
            parents=dict(zip(names, folders, strict=True)),
            digests=dict(zip(names, digests, strict=True)),
            threads=snakemake.params.threads,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            recipe_file=snakemake.output.recipe,
            bases=snakemake.params.bases,
            weights=next(iter(snakemake.input.weights), None),
        )
