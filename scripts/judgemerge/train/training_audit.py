"""What a training left, compared with what it was asked for: adapters, steps, batches, weights that changed."""

import math
from collections.abc import Collection, Mapping
from pathlib import Path

from judgemerge.core.errors import JudgemergeError
from judgemerge.train import curves, lora_targets

# With these it is not known before what a step holds.
UNCOUNTED = ("packing", "neat_packing", "streaming", "auto_find_batch_size", "dataloader_drop_last")


def check(output: str | Path, recipe: Mapping, n_examples: int, adapted: Collection[str] | None, where: str) -> None:
    """Raise JudgemergeError when the training in `output` is not the one of the recipe.

    `n_examples` were written for it; `adapted` are the modules of a LoRA training, None where all weights are trained.
    """
    state = curves.state_of(output)
    _check_steps(state, recipe, n_examples, where)
    if adapted is not None:
        lora_targets.check_written(output, recipe, adapted, where)


def n_steps(recipe: Mapping, n_examples: int) -> int:
    """Return how many updates the recipe makes of so many examples, as Transformers counts them."""
    if recipe.get("max_steps", -1) > 0:
        return recipe["max_steps"]
    n = min(n_examples, recipe.get("max_samples", n_examples))
    if held_out := recipe.get("val_size"):
        n -= math.ceil(n * held_out) if held_out < 1 else int(held_out)
    processes = recipe.get("processes", 1) * recipe.get("nodes", 1)
    batches = math.ceil(n / (recipe.get("per_device_train_batch_size", 8) * processes))
    per_epoch = max(1, math.ceil(batches / recipe.get("gradient_accumulation_steps", 1)))
    return math.ceil(recipe.get("num_train_epochs", 3.0) * per_epoch)


def _check_steps(state: Mapping, recipe: Mapping, n_examples: int, where: str) -> None:
    """Refuse a training of more or fewer steps: examples were lost on the way, or it ended without being asked to."""
    if any(recipe.get(key) for key in UNCOUNTED):
        return
    expected, planned, done = n_steps(recipe, n_examples), state["max_steps"], state["global_step"]
    if planned != expected:
        raise JudgemergeError(
            f"{where}: {n_examples} examples make {expected} steps, but LLaMA-Factory trained for {planned}; it has "
            "left examples out or put others in, see the log"
        )
    if done < planned and "early_stopping_steps" not in recipe:
        raise JudgemergeError(f"{where}: the training ended after {done} of {planned} steps; run it again to go on")
