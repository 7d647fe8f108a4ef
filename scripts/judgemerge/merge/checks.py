"""The checks that mergekit does not make: of a merge before anything runs, and of every tensor afterwards.

mergekit 0.1.5 accepts misspelt parameters, densities above 1 and weights that sum to nothing, and returns success with
broken weights (measured); so recipes are checked here before, and every tensor is checked to be finite after.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.merge.table import (
    CHOICES,
    COUNTS,
    METHODS,
    NORMALIZED_BY_DEFAULT,
    OPEN_ABOVE,
    OPEN_BELOW,
    RANGES,
    STREAMED,
    Method,
)

WEIGHTS_TOLERANCE = 1e-3


def check_merge(
    name: str, merge: dict, models: set[str], where: str, adapters: Mapping[str, str] | None = None
) -> None:
    """Refuse a merge that would fail late or run into nonsense.

    `merge` is one entry of a study's `merges`, `models` the names that may be parents, `where` the study file,
    `adapters` the base of every model that is also there as a LoRA adapter (None: not known, and not checked).
    """

    def fail(text: str) -> None:
        raise JudgemergeError(f"{where}: merge '{name}' {text}")

    if merge["method"] not in METHODS:
        fail(f"uses method '{merge['method']}'{did_you_mean(merge['method'], METHODS)}")
    method = METHODS[merge["method"]]
    parents = merge["models"]
    for parent in (*parents, *([merge["base"]] if "base" in merge else [])):
        if parent not in models:
            fail(f"names model '{parent}'{did_you_mean(parent, models)}")
    _check_base_and_number(merge, method, models, fail)
    _check_donor(merge, method, adapters, fail)
    for parent, parameters in parents.items():
        _check_parameters(parameters, method.per_model, f"models.{parent}", fail)
    _check_parameters(merge["parameters"], method.overall, "parameters", fail)
    for parameter in method.required:
        missing = [parent for parent, values in parents.items() if parameter not in values]
        if parameter in method.per_model and missing:
            fail(f"gives no '{parameter}' for model '{missing[0]}'; add models.{missing[0]}.{parameter}")
        if parameter in method.overall and parameter not in merge["parameters"]:
            fail(f"gives no '{parameter}'; add parameters.{parameter}")
    _check_weights(merge, fail)
    _check_engine(merge, method, fail)
    if merge["method"] == "cocktail":
        _check_cocktail(merge, fail)
    elif "examples" in merge:
        fail(f"has 'examples', which method '{merge['method']}' does not use; remove them or use method 'cocktail'")
    if method.adapters or merge.get("adapters"):
        _check_adapters(merge, adapters, fail)


def _check_base_and_number(merge: dict, method: Method, models: set[str], fail) -> None:
    parents = merge["models"]
    if method.base == "required" and "base" not in merge:
        fail(f"needs a 'base' for method '{merge['method']}'; add one of: {', '.join(sorted(models))}")
    if method.base == "none" and "base" in merge:
        fail(f"has a 'base', which method '{merge['method']}' would treat as one more parent; remove it")
    if method.base_is_parent and merge["base"] not in parents:
        fail(f"has base '{merge['base']}', which method '{merge['method']}' also needs among 'models'; add it")
    if not method.base_is_parent and merge.get("base") in parents:
        fail(f"lists its base '{merge['base']}' among 'models'; method '{merge['method']}' takes it as 'base' only")
    lowest, highest = method.parents
    if len(parents) < lowest or (highest and len(parents) > highest):
        wanted = f"exactly {lowest}" if lowest == highest else f"at least {lowest}"
        fail(f"has {len(parents)} models; method '{merge['method']}' takes {wanted}")


def _check_donor(merge: dict, method: Method, adapters: Mapping[str, str] | None, fail) -> None:
    if "donor" not in merge:
        return
    as_adapters = method.adapters or merge.get("adapters")
    known = [name for name in (merge.get("base"), *merge["models"]) if name]
    known = [name for name in known if not (as_adapters and name in (adapters or {}))]
    if merge["donor"] not in known:
        fail(f"names donor '{merge['donor']}'{did_you_mean(merge['donor'], known)}")


def _check_parameters(given: dict, allowed: tuple[str, ...], key: str, fail) -> None:
    for parameter, value in given.items():
        if parameter not in allowed:
            hint = did_you_mean(parameter, allowed) or "; it takes none"
            fail(f"has '{key}.{parameter}', which its method does not know{hint}")
        if parameter in CHOICES:
            if value not in CHOICES[parameter]:
                fail(f"has '{key}.{parameter}' = {value!r}{did_you_mean(str(value), CHOICES[parameter])}")
            continue
        if not _is_setting(value):
            fail(f"has '{key}.{parameter}' = {value!r}; give a number, or a list of them or of {{filter, value}}")
        if parameter in COUNTS and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            fail(f"has '{key}.{parameter}' = {value!r}; give a whole number above 0")
        if parameter == "temperature" and not (isinstance(value, (int, float)) and value > 0):
            fail(f"has '{key}.{parameter}' = {value!r}; give a number above 0")
        for number in _numbers(value):
            if not math.isfinite(number):
                fail(f"has '{key}.{parameter}' = {number}; give a finite number")
            low, high = RANGES.get(parameter, (-math.inf, math.inf))
            open_below, open_above = parameter in OPEN_BELOW, parameter in OPEN_ABOVE
            at_end = (open_below and number == low) or (open_above and number == high)
            if not low <= number <= high or at_end:
                span = f"{'(' if open_below else '['}{low:g}, {high:g}{')' if open_above else ']'}"
                fail(f"has '{key}.{parameter}' = {number:g}; it must lie in {span}")


def _is_setting(value: Any) -> bool:
    """Return whether mergekit reads this: a scalar, a gradient, or a list of {filter, value} with those."""

    def is_plain(value: Any) -> bool:
        return isinstance(value, (bool, int, float)) or (
            isinstance(value, list) and bool(value) and all(isinstance(entry, (int, float)) for entry in value)
        )

    def is_filtered(entry: Any) -> bool:
        return (
            isinstance(entry, dict)
            and {"value"} <= set(entry) <= {"filter", "value"}
            and isinstance(entry.get("filter", ""), str)
            and is_plain(entry["value"])
        )

    return is_plain(value) or (isinstance(value, list) and bool(value) and all(map(is_filtered, value)))


def _numbers(value: Any) -> list[float]:
    """Return every number in a scalar, a gradient list, or mergekit's list of {filter, value}."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return [float(value)]
    if isinstance(value, dict):
        return _numbers(value.get("value"))
    return [number for entry in value for number in _numbers(entry)] if isinstance(value, list) else []


def _check_weights(merge: dict, fail) -> None:
    weights = [values["weight"] for values in merge["models"].values() if "weight" in values]
    if not weights or not all(isinstance(weight, (int, float)) for weight in weights):
        return
    total = sum(weights)
    normalized = merge["parameters"].get("normalize", merge["method"] in NORMALIZED_BY_DEFAULT)
    if normalized and abs(total) < WEIGHTS_TOLERANCE:
        fail(f"has weights that sum to {total:g}; they are divided by that sum, so give weights with a sum away from 0")
    if not normalized and merge["method"] == "linear" and abs(total - 1) > WEIGHTS_TOLERANCE:
        fail(f"has weights that sum to {total:g} with normalize: false; a linear merge needs a sum of 1")


def _check_engine(merge: dict, method: Method, fail) -> None:
    if merge.get("engine") != "streamed":
        return
    if method.engine == "mergekit" and merge["method"] not in STREAMED:
        fail(
            f"asks for engine 'streamed', which has no '{merge['method']}'; remove 'engine' (streamed: "
            f"{', '.join(STREAMED)})"
        )
    for key, parameters in [("parameters", merge["parameters"]), *merge["models"].items()]:
        for parameter, value in parameters.items():
            if isinstance(value, (list, dict)):
                key = key if key == "parameters" else f"models.{key}"
                fail(f"has a list for '{key}.{parameter}', which engine 'streamed' does not read; remove 'engine'")


def _check_cocktail(merge: dict, fail) -> None:
    weights = {parent: values["weight"] for parent, values in merge["models"].items() if "weight" in values}
    if "examples" in merge and weights:
        fail("has both weights and 'examples'; keep one of them")
    if "examples" in merge:
        return
    needless = sorted(merge["parameters"])
    if needless:
        fail(f"has 'parameters.{needless[0]}', which only counts with 'examples'; add those or remove it")
    missing = [parent for parent in merge["models"] if parent not in weights]
    if missing:
        fail(f"gives no 'weight' for model '{missing[0]}'; add models.{missing[0]}.weight, or 'examples'")
    check_sum(list(weights.values()), fail)


def check_sum(weights: list[float], fail) -> None:
    """Refuse weights of a cocktail that are not numbers or do not sum to 1 (LM-Cocktail lets sums below 1 pass)."""
    if not all(isinstance(weight, (int, float)) for weight in weights):
        fail("has a weight that is no number; a cocktail takes one number per model")
    if abs(sum(weights) - 1) > WEIGHTS_TOLERANCE:
        fail(f"has weights that sum to {sum(weights):g}; a cocktail needs a sum of 1")


def _check_adapters(merge: dict, adapters: Mapping[str, str] | None, fail) -> None:
    if merge["method"] in ("cocktail", "supermario") or merge.get("engine") == "streamed":
        fail("has adapters: true, which only mergekit's methods take; use their exported models or adapter_linear")
    if adapters is None:
        return
    for parent in merge["models"]:
        if METHODS[merge["method"]].adapters and parent not in adapters:
            fail(f"names '{parent}', which is no LoRA expert{did_you_mean(parent, adapters)}")
        if METHODS[merge["method"]].adapters and adapters[parent] != merge["base"]:
            fail(f"has base '{merge['base']}', but '{parent}' was trained on '{adapters[parent]}'; correct the base")


def check_result(folder: str | Path, parent: str | Path, may_lack: tuple[str, ...] = ()) -> None:
    """Refuse a merged model whose tensors are not finite or do not match `parent` in name and shape.

    `may_lack` names tensors that a merge leaves out on purpose (stored copies of tied weights).
    """
    import torch

    from judgemerge.merge import names
    from judgemerge.merge.streams import Weights

    expected, found = names.shapes(parent, folder)
    expected = {name: shape for name, shape in expected.items() if name not in may_lack}
    for tensor in sorted(expected.keys() ^ found.keys()):
        side = "lacks" if tensor in expected else "has unexpectedly"
        raise JudgemergeError(f"{folder}: the merged model {side} tensor '{tensor}'; check the parents")
    for tensor, shape in expected.items():
        if found[tensor] != shape:
            raise JudgemergeError(
                f"{folder}: tensor '{tensor}' has shape {found[tensor]}, its parent {shape}; check the parents"
            )
    merged = Weights(folder)
    for tensor in merged.entries:
        for values in merged.pieces(tensor):
            # The smallest and the largest value show what is infinite or no number, at a tenth of the time (measured).
            if values.numel() and not torch.isfinite(torch.stack(torch.aminmax(values))).all():
                raise JudgemergeError(
                    f"{folder}: tensor '{tensor}' is not finite after merging; check the weights and "
                    "densities of the recipe"
                )
