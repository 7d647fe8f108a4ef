"""What mergekit 0.1.5 can merge, from its own list of architectures and the names that a model stores; not imported.

mergekit finds out after seconds to minutes of work, with a message for programmers. Its list is read as data: importing
the package takes seconds.
"""

import importlib.util
import json
import re
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from string import Template

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import names as tensor_names
from judgemerge.merge.methods import STREAMED

# Written in mergekit's own code, not in its list.
_BY_CODE = frozenset({"AfmoeForCausalLM", "Glm4MoeForCausalLM"})
# Packed by transformers when it loads a mixture of experts: stored and loaded names differ.
_MIXTURE = re.compile(r"\.(experts|block_sparse_moe|mlp\.gate)\b")


def check(folder: str | Path, method: str) -> None:
    """Refuse a model that mergekit cannot merge, with what to do instead; pass where mergekit is not installed."""
    config = files.read_json(Path(folder, "config.json"))
    names = list(models.tensor_shapes(folder))
    fault = _fault(config, names)
    if fault:
        raise JudgemergeError(f"{folder}: mergekit 0.1.5 cannot merge this model ({fault}); {remedy(method)}")


def check_all(folders: Iterable[str | Path], method: str) -> None:
    """Refuse models that mergekit cannot merge, each by itself or with the others.

    mergekit finds a tensor by the name that its list gives it, and passes over a parent that stores it under another
    spelling or prefix (names.py): the others alone would make the merge.
    """
    folders = list(folders)
    for folder in folders:
        check(folder, method)
    stored = {
        str(folder): (files.read_json(Path(folder, "config.json")), models.tensor_shapes(folder)) for folder in folders
    }
    if not stored:
        return
    shared = tensor_names.agreed(stored)
    first, *others = shared
    known = {new: name for name, new in shared[first].items() if new is not None}
    for other in others:
        for name, new in shared[other].items():
            if known.get(new, name) != name:
                raise JudgemergeError(
                    f"{other}: mergekit 0.1.5 cannot merge this model (its tensor '{name}' is stored as '{known[new]}' "
                    f"in {first}, and mergekit would take only one of them); {remedy(method)}"
                )


def remedy(method: str) -> str:
    """Return what to do with a model that mergekit does not merge."""
    if method in STREAMED:
        return "set `engine: streamed`, which merges any architecture"
    return f"use method cocktail, or {', '.join(STREAMED)} with `engine: streamed`, which merge any architecture"


def _fault(config: Mapping, names: Collection[str]) -> str | None:
    architectures = config.get("architectures") or []
    if len(architectures) != 1:
        return f"config.json names {len(architectures)} architectures, it wants one"
    known = _definition(architectures[0], config.get("model_type"))
    if known is None:
        return None  # inferred from the model itself
    weights = _weights(known, config)
    # mergekit adds a tuple to a list as soon as it meets such a weight.
    doubtful = [weight for weight in weights if weight.get("optional") and weight.get("aliases")]
    if doubtful:
        return f"it fails on optional tensors with several names, here '{doubtful[0]['name']}' of {architectures[0]}"
    mixture = any(_MIXTURE.search(name) for name in names)
    covered: set[str] = set()
    for weight in weights:
        under = [weight["name"], *(weight.get("aliases") or []), *(weight.get("tied_names") or [])]
        covered |= {*under}
        if not weight.get("optional") and not {*under} & {*names} and not (mixture and _MIXTURE.search(weight["name"])):
            return f"it wants tensor '{weight['name']}' of {architectures[0]}, which is not stored"
    for name in names:
        if name not in covered and not (mixture and _MIXTURE.search(name)):
            return f"it would leave out tensor '{name}', which its list of {architectures[0]} lacks"
    return None


def _weights(known: Mapping, config: Mapping) -> list[dict]:
    """Return every weight of an architecture, names written out for all layers."""
    n_layers = config.get(known.get("num_layers_config_key") or "num_hidden_layers")
    layers = known["layer_templates"]["weights"]
    per_layer = [_written_out(weight, n_layers, layer) for layer in range(n_layers or 0) for weight in layers]
    fixed = [_written_out(weight, n_layers) for weight in (*known["pre_weights"], *known["post_weights"])]
    return [*fixed, *per_layer]


class _Arithmetic(Template):
    idpattern = r"(?a:[_a-z][_a-z0-9]*([+-]1)?)"


def _written_out(weight: Mapping, n_layers: int | None, layer: int | None = None) -> dict:
    values = {}
    for key, number in (("num_layers", n_layers), ("layer_index", layer)):
        if number is not None:
            values |= {key: number, f"{key}+1": number + 1, f"{key}-1": number - 1}

    def of(text: str) -> str:
        return _Arithmetic(text).safe_substitute(values)

    names = {key: [of(text) for text in weight[key]] for key in ("aliases", "tied_names") if weight.get(key)}
    return {**weight, "name": of(weight["name"]), **names}


def _definition(architecture: str, model_type: str | None) -> dict | None:
    """Return what mergekit's list says of an architecture; None if nothing, or several things of other model types."""
    candidates = [entry for entry in _definitions() if architecture in entry["architectures"]]
    if architecture in _BY_CODE or not candidates:
        return None
    chosen = candidates if len(candidates) == 1 else [e for e in candidates if e["model_type"] == model_type][:1]
    return chosen[0] if chosen and chosen[0].get("kind", "module") == "module" else None


@cache
def _definitions() -> tuple[dict, ...]:
    package = importlib.util.find_spec("mergekit")
    if package is None:
        return ()
    folder = Path(package.origin).parent / "_data" / "architectures"
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
