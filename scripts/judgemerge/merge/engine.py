"""Merges that judgemerge computes itself: several of the same parents in one pass, tensor by tensor.

Memory holds one tensor of every parent and of the result at a time, or one piece of them where the method takes every
value by itself. mergekit stays the reference: docs/merging.md says where the two may differ.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import descriptions, names, preflight, sentence_modules
from judgemerge.merge.adapters import Adapter
from judgemerge.merge.grams import Grams
from judgemerge.merge.recipes import Merge
from judgemerge.merge.streams import FLOATING, SHARD_BYTES, Weights, Writer

if TYPE_CHECKING:
    import torch

_FORMATS = {torch_name: format for format, torch_name in FLOATING.items()}


class Taker(Protocol):
    """What takes the tensors of a merge in the order of `names`, whole or in flat pieces: a file, or a loaded model."""

    names: Sequence[str]

    def add(self, name: str, tensor: "torch.Tensor") -> None:
        """Take a tensor, or the next flat piece of it."""


@dataclass(frozen=True)
class MergeInputs:
    """The opened models of a merge, its adapters, the tensors that it writes, and those that it leaves out."""

    weights: Mapping[str, Weights]
    adapters: Mapping[str, Adapter]
    shared: list[str]
    left_out: list[str]
    grams: Mapping[str, Grams] = field(default_factory=dict)

    @classmethod
    def of(cls, merge: Merge, folders: Mapping[str, str | Path], grams: Mapping[str, str | Path]) -> "MergeInputs":
        """Open what a merge reads; `folders` gives the folder of every model (an adapter's for adapter_linear)."""
        adapters = {name: Adapter(folders[name]) for name in merge.models if merge.method.adapters}
        weights = {name: Weights(folders[name]) for name in merge.models_read if name not in adapters}
        for name, adapter in adapters.items():
            adapter.check(weights[merge.reference], folders[name])
        matrices = {name: Grams(folder) for name, folder in grams.items()}
        return cls(weights, adapters, *preflight.shared_tensors(weights, merge.reference), matrices)


def merge_all(
    merges: Mapping[str, Mapping],
    folders: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    threads: int = 1,
    shard_bytes: int = SHARD_BYTES,
    grams: Mapping[str, str | Path] = MappingProxyType({}),
) -> dict[str, dict]:
    """Write one model folder per merge; all merges name the same base and parents, which are read once.

    `folders` gives the folder of every model (an adapter's for adapter_linear), `outputs` a fresh folder per merge. A
    cocktail must have its weights, a method with Gram matrices the folder of each parent's in `grams`. Returns what was
    noted per merge: tensors that were left out. Half-written folders are removed when something fails.
    """
    import torch

    entries = {label: Merge.of(merge) for label, merge in merges.items()}
    first = next(iter(entries.values()))
    if any(merge.models_read != first.models_read for merge in entries.values()):
        raise ValueError("merges of one pass must read the same models")
    torch.set_num_threads(threads)
    inputs = MergeInputs.of(first, folders, grams)
    stored = inputs.weights[first.reference].entries
    writers: dict[str, Writer] = {}
    try:
        for label, merge in entries.items():
            formats = {
                name: _FORMATS[merge.dtype] if stored[name].floating else stored[name].format for name in inputs.shared
            }
            planned = [(name, formats[name], stored[name].shape) for name in inputs.shared]
            writers[label] = Writer(outputs[label], planned, shard_bytes)
        merge_tensors(entries, inputs, writers)
        for label, merge in entries.items():
            writers[label].finish()
            parents = {name: folders[name] for name in inputs.weights}
            copy_description(folders[descriptions.donor(merge, parents)], outputs[label], merge.dtype)
            names.settle_architecture(outputs[label], list(parents.values()))
            sentence_modules.complete(outputs[label], parents, merge.method.name == "cocktail")
    except BaseException:
        for label, writer in writers.items():
            writer.close()
            shutil.rmtree(outputs[label], ignore_errors=True)
        raise
    return {label: {"left_out": inputs.left_out} for label in merges}


def merge_tensors(merges: Mapping[str, Merge], parents: MergeInputs, takers: Mapping[str, Taker]) -> None:
    """Read the parents tensor by tensor, or piece by piece where all methods take each value by itself."""
    weights = parents.weights
    by_value = all(merge.method.by_value for merge in merges.values())
    stored = next(iter(weights.values())).entries
    for name in _order(takers):
        if not stored[name].floating:
            _copy_equal(name, weights, takers)
        elif by_value:
            for pieces in zip(*(reader.pieces(name) for reader in weights.values()), strict=True):
                _merge_tensor(name, dict(zip(weights, pieces, strict=True)), merges, takers, parents)
        else:
            tensors = {model: reader.get(name) for model, reader in weights.items()}
            _merge_tensor(name, tensors, merges, takers, parents)
            del tensors  # before the next ones are read


def _order(takers: Mapping[str, Taker]) -> list[str]:
    """Return the order of the tensors; formats differ between merges only in their width, which keeps the order."""
    orders = {tuple(taker.names) for taker in takers.values()}
    if len(orders) > 1:
        raise ValueError("merges of one pass must have one dtype, or models without integer buffers")
    return list(orders.pop())


def _merge_tensor(
    name: str,
    tensors: Mapping[str, "torch.Tensor"],
    merges: Mapping[str, Merge],
    takers: Mapping[str, Taker],
    parents: MergeInputs,
) -> None:
    """Compute one tensor of every merge, or one piece; what merges share (differences, thresholds) is computed once."""
    import torch

    merges = {label: merge.at(name) for label, merge in merges.items()}
    cast: dict[tuple[str, str], torch.Tensor] = {}
    shared: dict[tuple[str, str, str], Any] = {}

    def in_format(model: str, dtype: str) -> torch.Tensor:
        if (model, dtype) not in cast:
            cast[model, dtype] = tensors[model].to(getattr(torch, dtype))
        return cast[model, dtype]

    def of_all(merge: Merge, model: str) -> Any:
        key = (merge.method.name, model, merge.dtype)
        if key not in shared:
            alike = [other for other in merges.values() if other.method is merge.method and other.dtype == merge.dtype]
            base, parameters = in_format(merge.base, merge.dtype), [other.models[model] for other in alike]
            shared[key] = merge.method.share(base, in_format(model, merge.dtype), parameters)
        return shared[key]

    adapters = parents.adapters
    for label, merge in merges.items():
        merged = merge.method.compute(
            merge.models,
            merge.parameters,
            name=name,
            base=in_format(merge.base, merge.dtype) if merge.base else None,
            tensors=[in_format(model, merge.dtype) for model in merge.models if model not in adapters],
            adapters=[adapters[model] for model in merge.models if model in adapters],
            shared=[of_all(merge, model) for model in merge.models] if merge.method.share else None,
            seed=merge.seed,
            grams=[parents.grams[model].get(name) for model in merge.models] if merge.method.grams else None,
        )
        takers[label].add(name, merged)


def _copy_equal(name: str, weights: Mapping[str, Weights], takers: Mapping[str, Taker]) -> None:
    """Copy an integer tensor, which must be the same in all parents: a mean of counts or masks means nothing."""
    import torch

    first, *others = ((model, reader.get(name)) for model, reader in weights.items())
    for model, tensor in others:
        if tensor.dtype != first[1].dtype or not torch.equal(tensor, first[1]):
            raise JudgemergeError(
                f"{weights[model].entries[name].path}: integer tensor '{name}' differs from that in "
                f"{weights[first[0]].entries[name].path}; make them equal before merging"
            )
    for taker in takers.values():
        taker.add(name, first[1])


def copy_description(source: str | Path, destination: str | Path, dtype: str) -> None:
    """Copy config (with the new number format), tokenizer and the like from a parent to the merged model's folder."""
    source, destination = Path(source), Path(destination)
    sentence_modules.check_modules(source)
    for path in models.description_files(source):
        target = destination / path.relative_to(source)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    config = files.read_json(source / "config.json")
    config = {key: value for key, value in config.items() if key not in ("dtype", "torch_dtype", "_name_or_path")}
    files.write_json(destination / "config.json", {**config, "dtype": dtype})


def softmax(losses: Sequence[float], temperature: float) -> list[float]:
    """Return softmax(−loss / temperature), the weights of a cocktail (arXiv:2311.13534, equation 2)."""
    best = min(losses)
    powers = [math.exp((best - loss) / temperature) for loss in losses]
    return [power / sum(powers) for power in powers]
