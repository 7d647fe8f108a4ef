"""Cocktails: merging by given weights, or by weights that follow from the models' losses on a few examples.

`mix` and `mix_with_examples` are what a script or another study calls; a study's `merges` come here through
scripts/merge/. The weights are softmax(−loss / temperature) over all models listed
(arXiv:2311.13534); a base takes part only if it is listed.
"""

import dataclasses
import math
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import random_part
from judgemerge.merge import engine, losses, preflight, result_checks

TEMPERATURE = 5.0
_OF_LOSSES = ("batch_size", "max_length", "n_negatives", "average")


def weigh(
    folders: Mapping[str, str | Path],
    examples: Sequence[dict],
    parameters: Mapping,
    seed: int,
    threads: int = 1,
    allow: Collection[str] = (),
) -> dict:
    """Return {weights, losses, temperature, kind, n_examples, n_given, ...} of the models in `folders`.

    `parameters` are those of the method `cocktail`: kind, temperature, n_examples, batch_size, max_length, n_negatives,
    average; `allow` what may differ between the models. Models are loaded one after the other.
    """
    import torch

    torch.set_num_threads(threads)
    preflight.check_parents(folders, allow)
    kind = parameters.get("kind", "decoder")
    temperature = parameters.get("temperature", TEMPERATURE)
    sampled = random_part(examples, parameters.get("n_examples"), seed)
    settings = {name: parameters[name] for name in _OF_LOSSES if name in parameters}
    by_model = {name: losses.loss_of_model(folder, kind, sampled, seed, **settings) for name, folder in folders.items()}
    for name, loss in by_model.items():
        if not math.isfinite(loss.value):
            raise JudgemergeError(f"{folders[name]}: its loss on the examples is {loss.value}; check both")
    weights = engine.softmax([loss.value for loss in by_model.values()], temperature)
    return {
        "weights": dict(zip(by_model, weights, strict=True)),
        "losses": {name: dataclasses.asdict(loss) for name, loss in by_model.items()},
        "temperature": temperature,
        "kind": kind,
        "n_examples": len(sampled),
        "n_given": len(examples),
        "settings": settings,
        "seed": seed,
    }


def mix(
    folders: Mapping[str, str | Path],
    weights: Mapping[str, float],
    output: str | Path,
    dtype: str = "float32",
    threads: int = 1,
    shard_bytes: int = engine.SHARD_BYTES,
) -> dict:
    """Write Σ weight · model to a fresh folder, tensor by tensor; the first model gives config and tokenizer.

    Weights must sum to 1. Returns what was left out (stored copies of tied weights, position buffers).
    """

    def fail(text: str) -> None:
        raise JudgemergeError(f"{output}: the cocktail {text}")

    if set(weights) != set(folders):
        fail(f"has weights for {', '.join(weights)}, but models {', '.join(folders)}; name the same")
    result_checks.check_sum(list(weights.values()), fail)
    merge = entry({name: weights[name] for name in folders}, dtype)
    noted = engine.merge_all({"mix": merge}, folders, {"mix": output}, threads, shard_bytes)["mix"]
    try:
        result_checks.check_result(output, next(iter(folders.values())), tuple(noted["left_out"]))
    except JudgemergeError:
        shutil.rmtree(output)
        raise
    return noted


def mix_with_examples(
    folders: Mapping[str, str | Path],
    examples: Sequence[dict],
    output: str | Path,
    parameters: Mapping | None = None,
    seed: int = 0,
    dtype: str = "float32",
    threads: int = 1,
) -> dict:
    """Weigh the models on the examples, write their cocktail, and return what `weigh` found."""
    weighed = weigh(folders, examples, parameters or {}, seed, threads)
    return weighed | mix(folders, weighed["weights"], output, dtype, threads)


def entry(weights: Mapping[str, float], dtype: str) -> dict:
    """Return the cocktail of these weights as an entry of a study's `merges`."""
    models = {name: {"weight": weight} for name, weight in weights.items()}
    return {"method": "cocktail", "models": models, "parameters": {}, "dtype": dtype, "seed": 0}
