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

    @property
    def models(self) -> dict[str, str]:
        """The folders of those that are no adapters."""
        return {name: folder for name, folder in self.folders.items() if name not in self.bases}

    @property
    def as_read(self) -> dict[str, str]:
        """The folders as mergekit reads them: `base+adapter` for an adapter, which it folds in while reading."""
        return {
            name: f"{self.folders[self.bases[name]]}+{folder}" if name in self.bases else folder
            for name, folder in self.folders.items()
        }


def make_model(
    merge: Mapping,
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
        made_by = merge_folders(Path(model).name, merge, parents, fresh, recipe_file, threads, computed)
        models.move_into_place(fresh, model)
        files.write_json(manifest, models.describe(model, **made_by))


def merge_folders(
    name: str,
    merge: Mapping,
    parents: Parents,
    output: str | Path,
    recipe_file: str | Path,
    threads: int,
    weights: Mapping | None = None,
) -> dict:
    """Write the merged model to a fresh folder with its card, and its recipe; return what the manifest says of it.

    `weights` is what `cocktail.weigh` found, for a cocktail that gives none itself, or says where Gram matrices are.
    """
    output = Path(output)
    shutil.rmtree(output, ignore_errors=True)
    with nothing_left(output, recipe_file):
        entry, plain = Merge.of(merge), parents.models
        preflight.check_parents(plain, entry.allow)
        donor = descriptions.donor(entry, plain)
        reference = parents.folders[parents.bases.get(entry.reference, entry.reference)]
        if entry.is_ours:
            from judgemerge.merge import engine

            computed = _with_weights(merge, weights)
            paths = {model: str(folder) for model, folder in parents.folders.items()}
            _write_recipe(recipe_file, {**computed, "folders": paths}, donor)
            grams = (weights or {}).get("grams", {})
            noted = engine.merge_all({name: computed}, parents.folders, {name: output}, threads, grams=grams)
            left_out = noted[name]["left_out"]
        else:
            _write_recipe(recipe_file, recipes.recipe(merge, parents.as_read), donor)
            left_out = _by_mergekit(entry, plain, reference, plain[donor], output, recipe_file, threads)
        result_checks.check_result(output, reference, tuple(left_out))
        made_by = {"rule": "merge_models", "merge": merge, "donor": donor, "parents": dict(parents.digests)}
        made_by |= {"threads": threads} | ({"weights": weights} if weights else {})
        return _with_card(output, name, made_by, left_out)


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


def _with_card(folder: Path, name: str, made_by: dict, left_out: Sequence[str]) -> dict:
    """Write the card of a merge, and return what its manifest says of it."""
    made_by |= {"left_out": left_out} if left_out else {}
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
    merges: Mapping[str, Mapping], parents: Parents, outputs: Mapping[str, str | Path], threads: int
) -> dict[str, dict]:
    """Write several merges of the same parents in one pass over their weights; return what their manifests say.

    Only for merges that judgemerge computes itself.
    """
    from judgemerge.merge import engine

    folders, entries = parents.folders, {name: Merge.of(merge) for name, merge in merges.items()}
    preflight.check_parents(folders, next(iter(entries.values())).allow)
    fresh = {name: Path(f"{path}.part") for name, path in outputs.items()}
    manifests = {}
    with nothing_left(*fresh.values()):
        noted = engine.merge_all(merges, folders, fresh, threads)
        for name, merge in merges.items():
            left_out = noted[name]["left_out"]
            result_checks.check_result(fresh[name], folders[entries[name].reference], tuple(left_out))
            made_by = {"rule": "merge_variants", "merge": merge, "donor": descriptions.donor(entries[name], folders)}
            made_by |= {"parents": dict(parents.digests), "threads": threads}
            manifests[name] = _with_card(fresh[name], name, made_by, left_out)
        for name, path in fresh.items():
            models.move_into_place(path, outputs[name])
    return manifests


def _with_weights(merge: Mapping, weights: Mapping | None) -> Mapping:
    if weights is None or "weights" not in weights:
        return merge
    by_model = weights["weights"]
    return {**merge, "models": {model: {"weight": by_model[model]} for model in merge["models"]}}


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
