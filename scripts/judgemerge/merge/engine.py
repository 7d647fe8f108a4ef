"""Merges that judgemerge computes itself: several of the same parents in one pass, tensor by tensor.

Memory holds one tensor of every parent and of the result at a time, or one piece of them where the method takes every
value by itself. mergekit stays the reference: docs/merging.md says where the two may differ.
"""

import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import descriptions, names, preflight, sentence_modules
from judgemerge.merge.adapters import Adapter
from judgemerge.merge.streams import FLOATING, SHARD_BYTES, Weights, Writer

_BY_VALUE = ("linear", "cocktail", "task_arithmetic")
_FORMATS = {torch_name: format for format, torch_name in FLOATING.items()}


def merge_all(
    merges: Mapping[str, dict],
    folders: Mapping[str, str | Path],
    outputs: Mapping[str, str | Path],
    threads: int = 1,
    shard_bytes: int = SHARD_BYTES,
) -> dict[str, dict]:
    """Write one model folder per merge; all merges name the same base and parents, which are read once.

    `folders` gives the folder of every model (an adapter's for adapter_linear), `outputs` a fresh folder per merge. A
    cocktail must have its weights. Returns what was noted per merge: tensors that were left out. Half-written folders
    are removed when something fails.
    """
    import torch

    first = next(iter(merges.values()))
    for merge in merges.values():
        if _read(merge) != _read(first):
            raise ValueError("merges of one pass must read the same models")
    torch.set_num_threads(threads)
    donor = first.get("base") or next(iter(first["models"]))
    adapters = {name: Adapter(folders[name]) for name in first["models"] if _by_adapters(first)}
    weights = {name: Weights(folders[name]) for name in _read(first) if name not in adapters}
    for name, adapter in adapters.items():
        adapter.check(weights[donor], folders[name])
    shared, left_out = preflight.shared_tensors(weights, donor)
    entries = weights[donor].entries
    by_value = all(merge["method"] in _BY_VALUE for merge in merges.values())
    writers: dict[str, Writer] = {}
    try:
        for label, merge in merges.items():
            planned = [
                (
                    name,
                    _FORMATS[merge["dtype"]] if entries[name].floating else entries[name].format,
                    entries[name].shape,
                )
                for name in shared
            ]
            writers[label] = Writer(outputs[label], planned, shard_bytes)
        for name in _order(writers):
            if not entries[name].floating:
                _copy_equal(name, weights, writers)
            elif by_value:
                for pieces in zip(*(reader.pieces(name) for reader in weights.values()), strict=True):
                    _merge_tensor(name, dict(zip(weights, pieces, strict=True)), merges, writers, adapters)
            else:
                tensors = {model: reader.get(name) for model, reader in weights.items()}
                _merge_tensor(name, tensors, merges, writers, adapters)
                del tensors  # before the next ones are read
        for label, merge in merges.items():
            writers[label].finish()
            parents = {name: folders[name] for name in weights}
            copy_description(folders[descriptions.donor(merge, parents)], outputs[label], merge["dtype"])
            names.settle_architecture(outputs[label], list(parents.values()))
            sentence_modules.complete(outputs[label], parents, merge["method"] == "cocktail")
    except BaseException:
        for label, writer in writers.items():
            writer.close()
            shutil.rmtree(outputs[label], ignore_errors=True)
        raise
    return {label: {"left_out": left_out} for label in merges}


def _read(merge: dict) -> list[str]:
    """Return the models that a merge reads, the base first."""
    return list(dict.fromkeys([*([merge["base"]] if "base" in merge else []), *merge["models"]]))


def _by_adapters(merge: dict) -> bool:
    return merge["method"] == "adapter_linear"


def _order(writers: Mapping[str, Writer]) -> list[str]:
    """Return the order of the tensors; formats differ between merges only in their width, which keeps the order."""
    orders = {tuple(writer.names) for writer in writers.values()}
    if len(orders) > 1:
        raise ValueError("merges of one pass must have one dtype, or models without integer buffers")
    return list(orders.pop())


def _merge_tensor(name: str, tensors: dict, merges: Mapping[str, dict], writers: Mapping[str, Writer], adapters: dict):
    """Compute one tensor of every merge, or one piece; what merges share (differences, thresholds) is found once."""
    import torch

    from judgemerge.merge import kernels

    cast: dict[tuple[str, str], torch.Tensor] = {}
    found: dict[tuple[str, str], dict] = {}

    def in_format(model: str, dtype: str) -> torch.Tensor:
        if (model, dtype) not in cast:
            cast[model, dtype] = tensors[model].to(getattr(torch, dtype))
        return cast[model, dtype]

    ties_merges = [merge for merge in merges.values() if merge["method"] == "ties"]
    for merge in ties_merges:
        for model in merge["models"]:
            key = (model, merge["dtype"])
            if key not in found:
                densities = [
                    other["models"][model].get("density", 1.0)
                    for other in ties_merges
                    if other["dtype"] == merge["dtype"]
                ]
                base = in_format(merge["base"], merge["dtype"])
                found[key] = kernels.thresholds(in_format(model, merge["dtype"]) - base, densities)
    for label, merge in merges.items():
        dtype, overall = merge["dtype"], merge["parameters"]
        base = in_format(merge["base"], dtype) if "base" in merge else None
        parents = [in_format(model, dtype) for model in merge["models"] if model not in adapters]
        given = [values.get("weight") for values in merge["models"].values()]
        match merge["method"]:
            case "linear":
                merged = kernels.linear(parents, given, overall.get("normalize", True))
            case "cocktail":
                merged = kernels.cocktail(parents, given)
            case "task_arithmetic":
                merged = kernels.task_arithmetic(
                    base,
                    parents,
                    given,
                    normalize=overall.get("normalize", False),
                    lambda_=overall.get("lambda", 1.0),
                )
            case "ties":
                merged = kernels.ties(
                    base,
                    parents,
                    given,
                    [values.get("density", 1.0) for values in merge["models"].values()],
                    known=[found[model, dtype] for model in merge["models"]],
                    normalize=overall.get("normalize", True),
                    rescale=overall.get("rescale", False),
                    lambda_=overall.get("lambda", 1.0),
                )
            case "supermario":
                merged = kernels.supermario(
                    name, base, parents, p=overall["p"], lambda_=overall["lambda"], seed=merge["seed"]
                )
            case "adapter_linear":
                from judgemerge.merge.adapters import merged_tensor

                chosen = [adapters[model] for model in merge["models"]]
                merged = merged_tensor(name, base, chosen, given, overall.get("combination", "updates"))
            case other:
                raise ValueError(f"no own arithmetic for method {other}")
        writers[label].add(name, merged)


def _copy_equal(name: str, weights: Mapping[str, Weights], writers: Mapping[str, Writer]) -> None:
    """Copy an integer tensor, which must be the same in all parents: a mean of counts or masks means nothing."""
    import torch

    first, *others = ((model, reader.get(name)) for model, reader in weights.items())
    for model, tensor in others:
        if tensor.dtype != first[1].dtype or not torch.equal(tensor, first[1]):
            raise JudgemergeError(
                f"{weights[model].entries[name].path}: integer tensor '{name}' differs from that in "
                f"{weights[first[0]].entries[name].path}; make them equal before merging"
            )
    for writer in writers.values():
        writer.add(name, first[1])


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
