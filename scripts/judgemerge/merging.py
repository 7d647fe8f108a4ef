"""Merge methods as a table, recipes for mergekit, and the checks that mergekit does not make.

mergekit 0.1.5 accepts misspelt parameters, densities above 1 and weights that sum to nothing, and returns success with
broken weights (measured); so recipes are checked here before, and every tensor is checked to be finite after.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from judgemerge.errors import JudgemergeError, did_you_mean

Need = Literal["required", "optional", "none"]


@dataclass(frozen=True)
class Method:
    """One merge method: which base and how many parents it takes, which parameters, and where it was published.

    `base_is_parent` says whether the base is also listed among the parents (SLERP interpolates away from it).
    """

    base: Need
    parents: tuple[int, int | None]
    per_model: tuple[str, ...]
    overall: tuple[str, ...]
    paper: str
    base_is_parent: bool = False
    required: tuple[str, ...] = ()


_ANY = (1, None)
_VECTOR = ("normalize", "rescale", "int8_mask", "lambda")


def _task_vectors(paper: str, *per_model: str) -> Method:
    """Return a method that adds weighted differences from the base; they differ in how those are thinned out first."""
    return Method("required", _ANY, ("weight", *per_model), _VECTOR, paper, required=("weight",))


def _weighted(base: Need, parents: tuple[int, int | None], paper: str, *overall: str) -> Method:
    """Return a method that takes one weight per parent."""
    return Method(base, parents, ("weight",), overall, paper, required=("weight",))


METHODS: dict[str, Method] = {
    "linear": _weighted("none", _ANY, "arXiv:2203.05482", "normalize"),
    "slerp": Method("required", (2, 2), (), ("t",), "Shoemake 1985", base_is_parent=True, required=("t",)),
    "nuslerp": _weighted("optional", (2, 2), "mergekit", "nuslerp_row_wise", "nuslerp_flatten"),
    "multislerp": _weighted("optional", _ANY, "mergekit", "normalize_weights", "eps"),
    "karcher": Method("none", _ANY, (), ("max_iter", "tol"), "Karcher 1977"),
    "task_arithmetic": _task_vectors("arXiv:2212.04089"),
    "ties": _task_vectors("arXiv:2306.01708", "density"),
    "dare_ties": _task_vectors("arXiv:2311.03099", "density"),
    "dare_linear": _task_vectors("arXiv:2311.03099", "density"),
    "breadcrumbs": _task_vectors("arXiv:2312.06795", "density", "gamma"),
    "breadcrumbs_ties": _task_vectors("arXiv:2312.06795", "density", "gamma"),
    "della": _task_vectors("arXiv:2406.11617", "density", "epsilon"),
    "della_linear": _task_vectors("arXiv:2406.11617", "density", "epsilon"),
    "model_stock": Method("required", (2, None), (), ("filter_wise",), "arXiv:2403.19522"),
    "sce": Method("required", _ANY, (), ("select_topk", "int8_mask"), "arXiv:2408.07990"),
    "nearswap": Method("required", (1, 1), (), ("t",), "mergekit", required=("t",)),
    "arcee_fusion": Method("required", (1, 1), (), (), "mergekit"),
}

# Closed ranges; values outside give broken weights without an error.
RANGES = {"density": (0.0, 1.0), "t": (0.0, 1.0), "gamma": (0.0, 1.0), "epsilon": (0.0, 1.0)}
NORMALIZED_BY_DEFAULT = {"linear", "ties", "della"}


def check_merge(name: str, merge: dict, models: set[str], where: str) -> None:
    """Refuse a merge that mergekit would refuse late or run into nonsense.

    `merge` is one entry of a study's `merges`, `models` the names that may be parents, `where` the study file.
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


def _check_parameters(given: dict, allowed: tuple[str, ...], key: str, fail) -> None:
    for parameter, value in given.items():
        if parameter not in allowed:
            hint = did_you_mean(parameter, allowed) or "; it takes none"
            fail(f"has '{key}.{parameter}', which its method does not know{hint}")
        for number in _numbers(value):
            if not math.isfinite(number):
                fail(f"has '{key}.{parameter}' = {number}; give a finite number")
            low, high = RANGES.get(parameter, (-math.inf, math.inf))
            open_end = parameter == "density"  # a density of 0 keeps nothing and divides by it
            if not low <= number <= high or (open_end and number == low):
                span = f"{'(' if open_end else '['}{low:g}, {high:g}]"
                fail(f"has '{key}.{parameter}' = {number:g}; it must lie in {span}")


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
    if normalized and abs(total) < 1e-3:
        fail(f"has weights that sum to {total:g}; they are divided by that sum, so give weights with a sum away from 0")
    if not normalized and merge["method"] == "linear" and abs(total - 1) > 1e-3:
        fail(f"has weights that sum to {total:g} with normalize: false; a linear merge needs a sum of 1")


def recipe(merge: dict, folders: dict[str, str | Path]) -> dict:
    """Return the mergekit configuration of one merge; `folders` gives the folder of every model it names.

    Paths are made absolute: mergekit asks the model hub about anything that looks like `owner/name`.
    """

    def folder(model: str) -> str:
        return str(Path(folders[model]).resolve())

    config = {
        "merge_method": merge["method"],
        "dtype": merge["dtype"],
        "models": [
            {"model": folder(parent), **({"parameters": parameters} if parameters else {})}
            for parent, parameters in merge["models"].items()
        ],
    }
    if "base" in merge:
        config["base_model"] = folder(merge["base"])
    if merge["parameters"]:
        config["parameters"] = merge["parameters"]
    return config


def check_result(folder: str | Path, parent: str | Path) -> None:
    """Refuse a merged model whose tensors are not finite or do not match `parent` in name and shape."""
    import torch

    from judgemerge import models

    expected = models.tensor_shapes(parent)
    found = models.tensor_shapes(folder)
    for tensor in sorted(expected.keys() ^ found.keys()):
        side = "lacks" if tensor in expected else "has unexpectedly"
        raise JudgemergeError(f"{folder}: the merged model {side} tensor '{tensor}'; check the parents")
    for tensor, shape in expected.items():
        if found[tensor] != shape:
            raise JudgemergeError(
                f"{folder}: tensor '{tensor}' has shape {found[tensor]}, its parent {shape}; check the parents"
            )
    for tensor, values in models.tensors(folder):
        if not torch.isfinite(values).all():
            raise JudgemergeError(
                f"{folder}: tensor '{tensor}' is not finite after merging; check the weights and "
                "densities of the recipe"
            )
