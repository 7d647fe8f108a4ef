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
from typing import NamedTuple

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
    shared = tensor_names.agreed(stored)
    first = next(iter(shared), None)
    in_first = {new: name for name, new in shared.get(first, {}).items() if new is not None}
    for other, names in shared.items():
        for name, new in names.items():
            if in_first.get(new, name) != name:
                raise JudgemergeError(
                    f"{other}: mergekit 0.1.5 cannot merge this model (its tensor '{name}' is stored as "
                    f"'{in_first[new]}' in {first}, and mergekit would take only one of them); {remedy(method)}"
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
    definition = _definition(architectures[0], config.get("model_type"))
    if definition is None:
        return None  # inferred from the model itself
    weights = _weights(definition, config)
    # mergekit adds a tuple to a list as soon as it meets such a weight.
    doubtful = next((weight.name for weight in weights if weight.optional and weight.aliases), None)
    if doubtful:
        return f"it fails on optional tensors with several names, here '{doubtful}' of {architectures[0]}"
    mixture = any(_MIXTURE.search(name) for name in names)
    covered: set[str] = set()
    for weight in weights:
        under = {weight.name, *weight.aliases, *weight.tied_names}
        covered |= under
        if not weight.optional and not under & {*names} and not (mixture and _MIXTURE.search(weight.name)):
            return f"it wants tensor '{weight.name}' of {architectures[0]}, which is not stored"
    for name in names:
        if name not in covered and not (mixture and _MIXTURE.search(name)):
            return f"it would leave out tensor '{name}', which its list of {architectures[0]} lacks"
    return None


class _Arithmetic(Template):
    idpattern = r"(?a:[_a-z][_a-z0-9]*([+-]1)?)"


class _Weight(NamedTuple):
    """One weight of an architecture, names written out."""

    name: str
    optional: bool
    aliases: list[str]
    tied_names: list[str]

    @classmethod
    def of(cls, entry: Mapping, n_layers: int | None, layer: int | None = None) -> "_Weight":
        """Return a weight of mergekit's list, in one layer if it is one of a layer."""
        values = {}
        for key, number in (("num_layers", n_layers), ("layer_index", layer)):
            if number is not None:
                values |= {key: number, f"{key}+1": number + 1, f"{key}-1": number - 1}
        (name,), aliases, tied_names = (
            [_Arithmetic(text).safe_substitute(values) for text in texts or ()]
            for texts in ([entry["name"]], entry.get("aliases"), entry.get("tied_names"))
        )
        return cls(name, bool(entry.get("optional")), aliases, tied_names)


def _weights(definition: Mapping, config: Mapping) -> list[_Weight]:
    """Return every weight of an architecture, names written out for all layers."""
    n_layers = config.get(definition.get("num_layers_config_key") or "num_hidden_layers")
    layers = definition["layer_templates"]["weights"]
    fixed = [*definition["pre_weights"], *definition["post_weights"]]
    per_layer = [_Weight.of(entry, n_layers, layer) for layer in range(n_layers or 0) for entry in layers]
    return [*(_Weight.of(entry, n_layers) for entry in fixed), *per_layer]


def _definition(architecture: str, model_type: str | None) -> dict | None:
    """Return what mergekit's list says of an architecture; None if nothing, or several things of other model types."""
    candidates = [entry for entry in _definitions() if architecture in entry["architectures"]]
    if architecture in _BY_CODE or not candidates:
        return None
    matching = candidates if len(candidates) == 1 else [e for e in candidates if e["model_type"] == model_type][:1]
    return matching[0] if matching and matching[0].get("kind", "module") == "module" else None


@cache
def _definitions() -> tuple[dict, ...]:
    package = importlib.util.find_spec("mergekit")
    if package is None:
        return ()
    folder = Path(package.origin).parent / "_data" / "architectures"
    return tuple(json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json")))
