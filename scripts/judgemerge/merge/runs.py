"""One merge from folders to a folder: parents compared, merged by mergekit or by ourselves, every tensor checked."""

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import yaml

from judgemerge.core import files, models, provenance
from judgemerge.core.processes import run_tool
from judgemerge.merge import cards, descriptions, mergekit, preflight, recipes, result_checks
from judgemerge.merge.recipes import Merge


@dataclasses.dataclass(frozen=True)
class Parents:
    """The models that a merge reads: the folder and the digest of each by name, and the base of every adapter.

    Nothing else is known of the digest of an adapter, which has no manifest, but that of its files.
    """

    folders: Mapping[str, str]
    digests: Mapping[str, str]
    bases: Mapping[str, str] = dataclasses.field(default_factory=dict)

    @classmethod
    def at(
        cls, folders: Iterable[str], manifests: Iterable[str], adapters: Iterable[str], bases: Mapping[str, str]
    ) -> "Parents":
        """Return the parents in folders that are called after them; loaded models must be those of their manifests."""
        digests = {
            Path(folder).name: models.described(folder, manifest)["digest"]
            for folder, manifest in zip(folders, manifests, strict=True)
        }
        digests |= {Path(folder).name: models.adapter_digest(folder) for folder in adapters}
        return cls({Path(folder).name: folder for folder in [*folders, *adapters]}, digests, bases)


def make_model(
    merge: dict,
    parents: Parents,
    threads: int,
    model: str,
    manifest: str,
    recipe_file: str,
    weights: str | None = None,
) -> None:
    """Merge into a fresh folder, move it into place, and describe it; `weights` is the file of a cocktail's."""
    fresh = Path(f"{model}.part")
    fresh.parent.mkdir(parents=True, exist_ok=True)
    computed = files.read_json(weights) if weights else None
    with nothing_left(fresh, model, manifest, recipe_file):
        about = merge_folders(
            Path(model).name,
            merge,
            parents.folders,
            fresh,
            recipe_file,
            threads,
            parents.digests,
            parents.bases,
            computed,
        )
        models.move_into_place(fresh, model)
        files.write_json(manifest, models.describe(model, **about))


def merge_folders(
    name: str,
    merge: dict,
    folders: Mapping[str, str | Path],
    output: str | Path,
    recipe_file: str | Path,
    threads: int,
    digests: Mapping[str, str],
    bases: Mapping[str, str] | None = None,
    weights: dict | None = None,
) -> dict:
    """Write the merged model to a fresh folder with its card, and its recipe; return what the manifest says of it.

    `folders` gives the folder of every model that is read; `bases` names those that are adapters, each with the model
    it was trained on. `weights` is what `cocktail.weigh` found, for a cocktail that gives none itself.
    """
    output = Path(output)
    shutil.rmtree(output, ignore_errors=True)
    with nothing_left(output, recipe_file):
        return _merged(name, merge, folders, output, recipe_file, threads, digests, dict(bases or {}), weights)


@contextlib.contextmanager
def nothing_left(*paths: str | Path) -> Iterator[None]:
    """Remove files and folders again, and those that adapters were folded in, if the block fails or is interrupted."""
    try:
        yield
    except BaseException:
        for path in map(Path, paths):
            for leftover in (path, *path.parent.glob(f"{path.name}.lora*")):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink(missing_ok=True)
        raise


def _merged(
    name: str,
    merge: dict,
    folders: Mapping[str, str | Path],
    output: Path,
    recipe_file: str | Path,
    threads: int,
    digests: Mapping[str, str],
    bases: Mapping[str, str],
    weights: dict | None,
) -> dict:
    entry = Merge.of(merge)
    plain = {model: folder for model, folder in folders.items() if model not in bases}
    preflight.check_parents(plain, entry.allow)
    donor = descriptions.donor(entry, plain)
    reference = folders[bases.get(entry.reference, entry.reference)]
    if entry.is_ours:
        from judgemerge.merge import engine

        computed = _with_weights(merge, weights)
        paths = {model: str(folder) for model, folder in folders.items()}
        _write_recipe(recipe_file, {**computed, "folders": paths}, donor)
        left_out = engine.merge_all({name: computed}, folders, {name: output}, threads)[name]["left_out"]
    else:
        read = {
            model: f"{folders[bases[model]]}+{folders[model]}" if model in bases else folders[model]
            for model in folders
        }
        _write_recipe(recipe_file, recipes.recipe(merge, read), donor)
        left_out = _by_mergekit(entry, plain, reference, plain[donor], output, recipe_file, threads)
    result_checks.check_result(output, reference, tuple(left_out))
    about = {"rule": "merge_models", "merge": merge, "donor": donor, "parents": dict(digests), "threads": threads}
    about |= {"weights": weights} if weights else {}
    return _with_card(output, name, about, left_out)


def _with_card(folder: Path, name: str, about: dict, left_out: Sequence[str]) -> dict:
    """Write the card of a merge, and return what its manifest says of it."""
    made_by = about | ({"left_out": left_out} if left_out else {})
    text = cards.card(name, {"made_by": made_by, "versions": provenance.versions()})
    (folder / "README.md").write_text(text, encoding="utf-8")
    return made_by


def _by_mergekit(
    merge: Merge,
    plain: Mapping[str, str | Path],
    reference: str | Path,
    donor: str | Path,
    output: Path,
    recipe_file: str | Path,
    threads: int,
) -> list[str]:
    """Merge with mergekit, then put names and description right; return the tensors that were left out.

    mergekit writes mixtures of experts packed, copies of tied weights that only some parents store, and the description
    of a parent that depends on Python's hash seed.
    """
    from judgemerge.merge import engine, stored_names
    from judgemerge.merge.streams import Weights

    mergekit.check_all(plain.values(), merge.method.name)
    weights = {model: Weights(folder) for model, folder in plain.items()}
    _, left_out = preflight.shared_tensors(weights, next(name for name, folder in plain.items() if folder == reference))
    _run_mergekit(recipe_file, output, merge.seed, threads)
    stored_names.restore(output, reference, left_out)
    for path in models.description_files(output):
        path.unlink()
    engine.copy_description(donor, output, merge.dtype)
    return left_out


def merge_variants(
    merges: Mapping[str, dict],
    folders: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    threads: int,
    digests: Mapping[str, str],
) -> dict[str, dict]:
    """Write several merges of the same parents in one pass over their weights; return what their manifests say.

    Only for merges that judgemerge computes itself.
    """
    from judgemerge.merge import engine

    entries = {name: Merge.of(merge) for name, merge in merges.items()}
    preflight.check_parents(folders, next(iter(entries.values())).allow)
    fresh = {name: Path(f"{path}.part") for name, path in outputs.items()}
    manifests = {}
    with nothing_left(*fresh.values()):
        noted = engine.merge_all(merges, folders, fresh, threads)
        for name, merge in merges.items():
            left_out = noted[name]["left_out"]
            result_checks.check_result(fresh[name], folders[entries[name].reference], tuple(left_out))
            donor = descriptions.donor(entries[name], folders)
            about = {"rule": "merge_variants", "merge": merge, "donor": donor, "parents": dict(digests)}
            manifests[name] = _with_card(fresh[name], name, {**about, "threads": threads}, left_out)
        for name, path in fresh.items():
            models.move_into_place(path, outputs[name])
    return manifests


def _with_weights(merge: dict, weights: dict | None) -> dict:
    if weights is None:
        return merge
    return {**merge, "models": {model: {"weight": weights["weights"][model]} for model in merge["models"]}}


def _write_recipe(path: str | Path, content: dict, donor: str) -> None:
    with files.atomic_writer(path) as file:
        file.write(f"# Config, tokenizer, chat template and generation settings are those of {donor}.\n")
        yaml.safe_dump(content, file, sort_keys=False)


def _run_mergekit(recipe_file: str | Path, output: Path, seed: int, threads: int) -> None:
    """Run mergekit-yaml; adapters named in the recipe are folded into their base in a folder that is removed again."""
    with tempfile.TemporaryDirectory(prefix=f"{output.name}.lora", dir=output.parent) as folded:
        run_tool(
            [
                "mergekit-yaml",
                str(recipe_file),
                str(output),
                "--random-seed",
                str(seed),
                # The thread count decides the last bits of SLERP and DARE, so it is pinned like the seed.
                "--num-threads",
                str(threads),
                "--lora-merge-cache",
                folded,
                "--no-write-model-card",
                "--no-trust-remote-code",
            ],
            threads,
        )
