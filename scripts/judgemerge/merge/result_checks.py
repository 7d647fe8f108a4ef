"""The checks that mergekit does not make of a result: it returns success with broken weights (measured)."""

from collections.abc import Callable
from pathlib import Path

from judgemerge.core.errors import JudgemergeError

WEIGHTS_TOLERANCE = 1e-3
Fail = Callable[[str], None]


def check_sum(weights: list[float], fail: Fail) -> None:
    """Refuse weights of a cocktail that are not numbers or do not sum to 1 (LM-Cocktail lets sums below 1 pass)."""
    if not all(isinstance(weight, (int, float)) for weight in weights):
        fail("has a weight that is no number; a cocktail takes one number per model")
    if abs(sum(weights) - 1) > WEIGHTS_TOLERANCE:
        fail(f"has weights that sum to {sum(weights):g}; a cocktail needs a sum of 1")


def check_result(folder: str | Path, parent: str | Path, may_lack: tuple[str, ...] = ()) -> None:
    """Refuse a merged model whose tensors are not finite or do not match `parent` in name and shape.

    `may_lack` names tensors that a merge leaves out on purpose (stored copies of tied weights).
    """
    import torch

    from judgemerge.merge import names
    from judgemerge.merge.streams import Weights

    original, merged = Weights(parent), Weights(folder)
    names.rename_all({str(parent): original, str(folder): merged})
    expected = {name: entry.shape for name, entry in original.entries.items() if name not in may_lack}
    for tensor in sorted(expected.keys() ^ merged.entries.keys()):
        side = "lacks" if tensor in expected else "has unexpectedly"
        raise JudgemergeError(f"{folder}: the merged model {side} tensor '{tensor}'; check the parents")
    for tensor, shape in expected.items():
        if merged.entries[tensor].shape != shape:
            raise JudgemergeError(
                f"{folder}: tensor '{tensor}' has shape {merged.entries[tensor].shape}, its parent {shape}; check the "
                "parents"
            )
    for tensor in merged.entries:
        for values in merged.pieces(tensor):
            # The smallest and the largest value show what is infinite or no number, at a tenth of the time (measured).
            if values.numel() and not torch.isfinite(torch.stack(torch.aminmax(values))).all():
                raise JudgemergeError(
                    f"{folder}: tensor '{tensor}' is not finite after merging; check the weights and "
                    "densities of the recipe"
                )
