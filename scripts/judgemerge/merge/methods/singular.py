"""Differences of the parents from a base, merged by the singular vectors of each matrix; other tensors by their mean.

The definitions are those of FusionBench 0.2.33 (method/task_singular_vector, method/isotropic_merging), computed in
float32, or float64 where the parents have it. Every matrix counts, embeddings and output layer included.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from judgemerge.merge.table import WEIGHT, Parameter, fraction, merge_method

if TYPE_CHECKING:
    import torch

_LAMBDA = Parameter("lambda")


def _merged(
    base: "torch.Tensor",
    tensors: Sequence["torch.Tensor"],
    lambda_: float,
    of_matrices: Callable[[list["torch.Tensor"]], "torch.Tensor"],
    weight: Sequence[float] | None = None,
) -> "torch.Tensor":
    """Return base + lambda · the merged differences: of matrices by `of_matrices`, of all else their mean."""
    import torch

    wide = torch.float64 if base.dtype == torch.float64 else torch.float32
    start = base.to(wide)
    deltas = [tensor.to(wide) - start for tensor in tensors]
    if weight is not None:
        deltas = [delta * factor for delta, factor in zip(deltas, weight, strict=True)]
    if not any(delta.any() for delta in deltas):
        return base  # its singular vectors would be arbitrary, and their number lets LAPACK give up
    merged = of_matrices(deltas) if base.dim() == 2 else torch.stack(deltas).mean(dim=0)
    return (start + lambda_ * merged).to(base.dtype)


def _svd(matrix: "torch.Tensor") -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
    """Return the thin singular value decomposition; many equal values may take float64 to come to an end."""
    import torch

    try:
        return torch.linalg.svd(matrix, full_matrices=False)
    except torch.linalg.LinAlgError:
        left, sizes, right = torch.linalg.svd(matrix.double(), full_matrices=False)
        return left.to(matrix.dtype), sizes.to(matrix.dtype), right.to(matrix.dtype)


def orthogonal(matrix: "torch.Tensor") -> "torch.Tensor":
    """Return the orthogonal matrix that is nearest to a matrix (the solution of Procrustes' problem)."""
    left, _, right = _svd(matrix)
    return left @ right


@merge_method(
    paper="arXiv:2412.00081",
    text="the first singular vectors of each difference, of all parents made orthogonal to each other",
    base="required",
    per_model=[WEIGHT],
    overall=[_LAMBDA],
)
def tsv_m(
    base: "torch.Tensor", tensors: Sequence["torch.Tensor"], weight: Sequence[float] = 1.0, *, lambda_: float = 1.0
) -> "torch.Tensor":
    """Return the merge by task singular vectors: of k singular values of a matrix each of n parents keeps k/n.

    `weight` multiplies a parent's difference before, `lambda` the result.
    """
    import torch

    def of_matrices(deltas: list["torch.Tensor"]) -> "torch.Tensor":
        n_kept = int(min(deltas[0].shape) * (1 / len(deltas)))  # rounded as published
        parts = [_svd(delta) for delta in deltas]
        left = torch.cat([u[:, :n_kept] for u, _, _ in parts], dim=1)
        sizes = torch.cat([s[:n_kept] for _, s, _ in parts])
        right = torch.cat([v[:n_kept] for _, _, v in parts])
        return (orthogonal(left) * sizes) @ orthogonal(right)

    return _merged(base, tensors, lambda_, of_matrices, weight)


@merge_method(
    paper="arXiv:2502.04959",
    text="the singular vectors of the sum of the differences, all with the mean of its singular values",
    base="required",
    overall=[_LAMBDA],
)
def iso_c(base: "torch.Tensor", tensors: Sequence["torch.Tensor"], *, lambda_: float = 1.0) -> "torch.Tensor":
    """Return the isotropic merge in the common subspace."""

    def of_matrices(deltas: list["torch.Tensor"]) -> "torch.Tensor":
        left, sizes, right = _svd(sum(deltas))
        return sizes.mean() * (left @ right)

    return _merged(base, tensors, lambda_, of_matrices)


@merge_method(
    paper="arXiv:2502.04959",
    text="iso_c with a share of the singular vectors left to what each parent alone has changed",
    base="required",
    overall=[fraction("common_share"), _LAMBDA],
)
def iso_cts(
    base: "torch.Tensor", tensors: Sequence["torch.Tensor"], *, common_share: float = 0.8, lambda_: float = 1.0
) -> "torch.Tensor":
    """Return the isotropic merge in common and task-specific subspaces.

    Of the singular vectors of the summed differences the first are kept, `common_share` of them, so that the rest can
    be divided equally; each parent adds the first ones of what is left of its difference outside of that subspace.
    """
    import torch

    def of_matrices(deltas: list["torch.Tensor"]) -> "torch.Tensor":
        n_values, n_parents = min(deltas[0].shape), len(deltas)
        n_own = round((n_values - int(n_values * common_share)) / n_parents)
        n_common = n_values - n_own * n_parents
        left, sizes, right = _svd(sum(deltas))
        left, sizes, right = left[:, :n_common], sizes[:n_common], right[:n_common]
        parts = [_svd(delta - left @ (left.T @ delta)) for delta in deltas]
        all_left = torch.cat([*(u[:, :n_own] for u, _, _ in parts), left], dim=1)
        all_sizes = torch.cat([*(s[:n_own] for _, s, _ in parts), sizes])
        all_right = torch.cat([*(v[:n_own] for _, _, v in parts), right])
        return all_sizes.mean() * (orthogonal(all_left) @ orthogonal(all_right))

    return _merged(base, tensors, lambda_, of_matrices)
