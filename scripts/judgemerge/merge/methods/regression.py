"""The matrices whose outputs are nearest to those of the parents, on what the parents' layers read (RegMean)."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError
from judgemerge.merge.table import Parameter, fraction, merge_method

if TYPE_CHECKING:
    import torch


@merge_method(
    paper="arXiv:2212.09849",
    text="linear layers by least squares on what the parents' layers read, all else by the mean",
    grams=True,
    overall=[
        fraction("off_diagonal"),
        Parameter("n_examples", is_count=True, weighing=True),
        Parameter("max_length", is_count=True, weighing=True),
    ],
)
def regmean(
    name: str,
    tensors: Sequence["torch.Tensor"],
    grams: Sequence["torch.Tensor | None"],
    *,
    off_diagonal: float = 0.9,
) -> "torch.Tensor":
    """Return (Σ Gᵢ)⁻¹ Σ Gᵢ Wᵢᵀ, transposed, where Gᵢ = XᵀX / n of parent i's inputs, off the diagonal shrunk.

    Solved in float64, since such matrices are nearly singular; 1 for `off_diagonal` leaves them as they are.
    """
    import torch

    first = tensors[0]
    if any(gram is None for gram in grams):
        wide = torch.float64 if first.dtype == torch.float64 else torch.float32
        return torch.stack([tensor.to(wide) for tensor in tensors]).mean(dim=0).to(first.dtype)
    total, right = torch.zeros((), dtype=torch.float64), torch.zeros((), dtype=torch.float64)
    for gram, tensor in zip(grams, tensors, strict=True):
        shrunk = gram.double() * off_diagonal
        shrunk.diagonal().copy_(gram.diagonal())
        total, right = total + shrunk, right + shrunk @ tensor.double().T
    try:
        return torch.linalg.solve(total, right).T.contiguous().to(first.dtype)
    except torch.linalg.LinAlgError:
        raise JudgemergeError(
            f"regmean: the inputs of '{name}' span fewer directions than it has; give more examples, or an "
            "off_diagonal below 1"
        ) from None
