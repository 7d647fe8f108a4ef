"""Merges outside a study: from folders to a folder with recipe, card and manifest, as `judgemerge merge` makes it."""

import math
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import checks, grids, recipes
from judgemerge.merge.recipes import Merge


def make(
    merge: dict,
    folders: Mapping[str, str],
    output: str | Path,
    threads: int = 1,
    bases: Mapping[str, str] | None = None,
    weights: Mapping | None = None,
    where: str = "merge.py",
    replace: bool = False,
) -> dict[str, dict]:
    """Make the merge, or every variant of its grid, and return the manifests by name.

    A grid of streamed merges is computed in one pass over the parents. `folders` gives the folder of every model,
    `weights` what `cocktail.weigh` found, `where` opens the errors. What is there already is only replaced where
    `replace` says so.
    """
    from judgemerge.merge.runs import Parents, merge_folders, merge_variants, nothing_left

    bases, name, first = bases or {}, Path(output).name, Merge.of(merge)
    variants = grids.expand_grids({"merges": {name: merge}, "judges": []}, where)["merges"]
    models_known = {model for model in folders if model not in bases} | set(first.models)
    for variant, entry in variants.items():
        checks.check_merge(variant, entry, models_known, where)
    outputs = {variant: Path(output).with_name(variant) for variant in variants}
    existing = next((path for path in outputs.values() if path.exists()), None)
    if existing and not replace:
        raise JudgemergeError(f"{existing} exists; remove it or give another --output")
    parents = Parents(folders, {model: digest(folder) for model, folder in folders.items()}, bases)
    if weights is None and first.examples:
        weights = weigh(first, folders, threads)
    if len(variants) > 1 and all(map(recipes.own_engine, variants.values())):
        made_by = merge_variants(variants, parents, outputs, threads)
        return {variant: _described(outputs[variant], made_by[variant]) for variant in variants}
    manifests = {}
    for variant, entry in variants.items():
        fresh = Path(f"{outputs[variant]}.part")
        recipe = Path(f"{outputs[variant]}.recipe.yaml")
        fresh.parent.mkdir(parents=True, exist_ok=True)
        earlier = [] if replace else [outputs[variant], f"{outputs[variant]}.json"]
        with nothing_left(fresh, recipe, *earlier):
            made_by = merge_folders(variant, entry, parents, fresh, recipe, threads, weights)
            recipe.rename(fresh / "recipe.yaml")
            models.move_into_place(fresh, outputs[variant])
            manifests[variant] = _described(outputs[variant], made_by)
    return manifests


def weigh(merge: Merge, folders: Mapping[str, str], threads: int) -> dict:
    """Return the weights of a cocktail from its file of examples."""
    from judgemerge.merge import losses
    from judgemerge.merge.cocktail import weigh as weigh_models

    examples = losses.read_examples(merge.examples, merge.parameters.get("kind", "decoder"))
    parents = {model: folders[model] for model in merge.models}
    weighed = weigh_models(parents, examples, merge.parameters, merge.seed, threads, merge.allow)
    return {"examples": merge.examples, **weighed}


def _described(folder: Path, making: dict) -> dict:
    """Write the manifest beside a finished merge and return it."""
    manifest = models.describe(folder, **making)
    files.write_json(f"{folder}.json", manifest)
    return manifest


def digest(folder: str) -> str:
    """Return the digest of a model folder, or of an adapter's."""
    if Path(folder, "adapter_config.json").is_file() and Path(folder, "adapter_model.safetensors").is_file():
        return models.adapter_digest(folder)
    return models.describe(folder)["digest"]


def stored_dtype(folder: str) -> str:
    """Return the number format that most values of a model are stored in."""
    from judgemerge.merge.streams import FLOATING, Weights

    sizes: Counter[str] = Counter()
    for entry in Weights(folder).entries.values():
        if entry.floating:
            sizes[entry.format] += math.prod(entry.shape)
    return FLOATING[max(sizes, key=sizes.get)] if sizes else "float32"
