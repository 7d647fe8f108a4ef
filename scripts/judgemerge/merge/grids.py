"""Grids: one entry of `merges` that stands for several, one per combination of parameter values."""

import copy
import itertools

from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.merge.methods import METHODS

OWN_KEYS = ("grid", "weights")


def expand_grids(settings: dict, where: str = "study") -> dict:
    """Return the settings with every merge written out: `weights` into its models, each `grid` into named variants.

    The input is left as it is. A variant is called after its grid and values (`ties_density_0_3`), and takes the grid's
    place in `merges`, `judges`, and `judging.judges`. Raises JudgemergeError naming `where` and the key.
    """
    entries = settings["merges"]
    if not any(set(OWN_KEYS) & set(merge) for merge in entries.values()):
        return settings
    entries = copy.deepcopy(entries)
    merges: dict[str, dict] = {}
    grids: dict[str, list[str]] = {}
    for name, merge in entries.items():
        _spread_weights(merge, f"{where}: merges.{name}")
        grid = merge.pop("grid", None)
        variants = {name: merge} if grid is None else _variants(name, merge, grid, where)
        for variant, entry in variants.items():
            if variant in merges or (variant != name and variant in entries):
                raise JudgemergeError(f"{where}: merges.{name}.grid makes a second merge '{variant}'; rename the other")
            merges[variant] = entry
        if grid is not None:
            grids[name] = list(variants)
    for name, merge in merges.items():
        for parent in (*merge["models"], merge.get("base")):
            if parent in grids:
                raise JudgemergeError(
                    f"{where}: merge '{name}' names the grid '{parent}' as a model; name one of its variants: "
                    f"{', '.join(grids[parent])}"
                )
    judging = settings.get("judging", {})
    if prompts_of_judges := judging.get("judges"):
        by_variant = {
            judge: copy.deepcopy(prompts)
            for name, prompts in prompts_of_judges.items()
            for judge in grids.get(name, [name])
        }
        settings = {**settings, "judging": {**judging, "judges": by_variant}}
    return {**settings, "merges": merges, "judges": named(settings["judges"], grids)}


def named(names: list[str], grids: dict[str, list[str]]) -> list[str]:
    """Return a list of models with every grid replaced by its variants, each named once."""
    return list(dict.fromkeys(variant for name in names for variant in grids.get(name, [name])))


def _spread_weights(merge: dict, key: str) -> None:
    """Move `weights` into the parameters of the models."""
    parents = merge["models"]
    for parent, weight in merge.pop("weights", {}).items():
        require_known(parent, parents, f"{key}.weights names")
        if "weight" in parents[parent]:
            raise JudgemergeError(f"{key} gives the weight of '{parent}' twice; remove one of them")
        parents[parent]["weight"] = weight


def _variants(name: str, merge: dict, grid: dict, where: str) -> dict[str, dict]:
    variants = {}
    for values in itertools.product(*grid.values()):
        entry = copy.deepcopy(merge)
        for key, value in zip(grid, values, strict=True):
            _set(entry, key, value, f"{where}: merges.{name}.grid.{key}")
        label = "_".join([name, *(f"{_short(key)}_{_text(value)}" for key, value in zip(grid, values, strict=True))])
        if label in variants:
            raise JudgemergeError(f"{where}: merges.{name}.grid makes '{label}' twice; give values that differ")
        variants[label] = entry
    return variants


def _set(entry: dict, key: str, value: float, where: str) -> None:
    """Put one value of a grid into a merge."""
    name, parents = entry["method"], entry["models"]
    method = METHODS.get(name)
    if key == "alpha" and method is not None and "alpha" not in method.per_model:
        if "weight" not in method.per_model or len(parents) != 2:
            raise JudgemergeError(f"{where}: weights alpha and 1 − alpha need a method with weights and two models")
        if not 0 <= value <= 1:
            raise JudgemergeError(f"{where} has {value:g}; give values from 0 to 1")
        first, second = parents.values()
        first["weight"], second["weight"] = float(value), float(1 - value)
    elif key.startswith("parameters."):
        entry["parameters"][key.partition(".")[2]] = value
    elif key.startswith("models."):
        _, parent, *rest = key.split(".")
        if len(rest) != 1 or parent not in parents:
            raise JudgemergeError(f"{where} is no parameter of a model; write models.<name>.<parameter>")
        parents[parent][rest[0]] = value
    elif method is not None and key not in method.per_model:
        keys = [*method.per_model, *(f"parameters.{parameter}" for parameter in method.overall), "alpha"]
        raise JudgemergeError(f"{where} is no parameter of method '{name}'{did_you_mean(key, keys)}")
    else:
        for parameters in parents.values():
            parameters[key] = value


def _short(key: str) -> str:
    """Return the part of a grid's key that goes into names: the parameter, with its model if only one is meant."""
    parts = key.split(".")
    return "_".join(parts[1:] if len(parts) > 1 else parts).lower()


def _text(value: float) -> str:
    """Return a number as it stands in names: 0.3 → 0_3, −2 → minus_2."""
    text = f"{value:.6g}".replace("+", "")
    return ("minus_" if text.startswith("-") else "") + text.lstrip("-").replace(".", "_").replace("-", "_")
