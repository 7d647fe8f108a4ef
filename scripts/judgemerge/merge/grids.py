"""Grids: one entry of `merges` that stands for several, one per combination of parameter values."""

import copy
import itertools

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.merge.methods import METHODS

OWN_KEYS = ("grid", "weights")


def expand_grids(settings: dict, where: str = "study") -> dict:
    """Return the settings with every merge written out: `weights` into its models, each `grid` into named variants.

    The input is left as it is. A variant is called after its grid and values (`ties_density_0_3`), and takes the grid's
    place in `merges`, `judges`, and `judging.judges`. Raises JudgemergeError naming `where` and the key.
    """
    if not any(set(OWN_KEYS) & set(merge) for merge in settings["merges"].values()):
        return settings
    settings = copy.deepcopy(settings)
    merges: dict[str, dict] = {}
    grids: dict[str, list[str]] = {}
    for name, merge in settings["merges"].items():
        _spread_weights(merge, f"{where}: merges.{name}")
        variants = _variants(name, merge, where) if "grid" in merge else {name: merge}
        for variant, entry in variants.items():
            if variant in merges or (variant != name and variant in settings["merges"]):
                raise JudgemergeError(f"{where}: merges.{name}.grid makes a second merge '{variant}'; rename the other")
            merges[variant] = entry
        if "grid" in merge:
            grids[name] = list(variants)
    for name, merge in merges.items():
        for parent in (*merge["models"], *([merge["base"]] if "base" in merge else [])):
            if parent in grids:
                raise JudgemergeError(
                    f"{where}: merge '{name}' names the grid '{parent}' as a model; name one of its variants: "
                    f"{', '.join(grids[parent])}"
                )
    settings["merges"] = merges
    settings["judges"] = named(settings["judges"], grids)
    asked = settings.get("judging", {}).get("judges", {})
    if asked:
        settings["judging"]["judges"] = {
            judge: copy.deepcopy(prompts) for name, prompts in asked.items() for judge in grids.get(name, [name])
        }
    return settings


def named(names: list[str], grids: dict[str, list[str]]) -> list[str]:
    """Return a list of models with every grid replaced by its variants, each named once."""
    return list(dict.fromkeys(variant for name in names for variant in grids.get(name, [name])))


def _spread_weights(merge: dict, key: str) -> None:
    """Move `weights` into the parameters of the models."""
    weights = merge.pop("weights", {})
    for parent, weight in weights.items():
        if parent not in merge["models"]:
            raise JudgemergeError(f"{key}.weights names '{parent}'{did_you_mean(parent, merge['models'])}")
        if "weight" in merge["models"][parent]:
            raise JudgemergeError(f"{key} gives the weight of '{parent}' twice; remove one of them")
        merge["models"][parent]["weight"] = weight


def _variants(name: str, merge: dict, where: str) -> dict[str, dict]:
    grid = merge["grid"]
    variants = {}
    for values in itertools.product(*grid.values()):
        entry = copy.deepcopy({key: value for key, value in merge.items() if key != "grid"})
        for key, value in zip(grid, values, strict=True):
            _set(entry, key, value, f"{where}: merges.{name}.grid.{key}")
        label = "_".join([name, *(f"{_short(key)}_{_text(value)}" for key, value in zip(grid, values, strict=True))])
        if label in variants:
            raise JudgemergeError(f"{where}: merges.{name}.grid makes '{label}' twice; give values that differ")
        variants[label] = entry
    return variants


def _set(entry: dict, key: str, value: float, where: str) -> None:
    """Put one value of a grid into a merge."""
    method = METHODS.get(entry["method"])
    parents = entry["models"]
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
        known = [*method.per_model, *(f"parameters.{name}" for name in method.overall), "alpha"]
        raise JudgemergeError(f"{where} is no parameter of method '{entry['method']}'{did_you_mean(key, known)}")
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
