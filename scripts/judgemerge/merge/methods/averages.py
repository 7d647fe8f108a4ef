"""Means of the parents: weighted sums, and points on a sphere.

`linear` repeats mergekit 0.1.5 operation by operation (merge_methods/linear.py), so that results agree bit by bit.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import kernels
from judgemerge.merge.table import NORMALIZE, WEIGHT, Parameter, fraction, merge_method, mergekit_method, required

if TYPE_CHECKING:
    import torch


@merge_method(
    paper="arXiv:2203.05482",
    text="weighted mean",
    per_model=[required(WEIGHT)],
    overall=[NORMALIZE],
    is_mergekits=True,
    by_value=True,
)
def linear(tensors: Sequence["torch.Tensor"], weight: Sequence[float], normalize: bool = True) -> "torch.Tensor":
    """Return the weighted sum, divided by the sum of the weights if `normalize`; added up in float32."""
    import torch

    first = tensors[0]
    wide = torch.float64 if first.dtype == torch.float64 else torch.float32
    factors = torch.tensor(weight, dtype=wide)
    divisor = factors.sum()
    flat = [tensor.reshape(-1) for tensor in tensors]
    merged = torch.empty_like(flat[0])
    space, widened = torch.empty(2, min(kernels.PIECE, len(merged)), dtype=wide)
    for piece in kernels.pieces(len(merged)):
        n = len(merged[piece])
        total = space[:n].zero_()
        for tensor, factor in zip(flat, factors, strict=True):
            total.addcmul_(widened[:n].copy_(tensor[piece]), factor)
        if normalize and divisor != 1:
            total.div_(divisor)
        merged[piece] = total
    return merged.reshape(first.shape)


@merge_method(
    paper="arXiv:2311.13534",
    text="weighted sum; weights given, or softmax(−loss / temperature) of the parents on a few examples",
    per_model=[dataclasses.replace(WEIGHT, weighing=True)],
    overall=[
        Parameter("temperature", above_zero=True, weighing=True),
        Parameter("kind", choices=("decoder", "encoder", "encoder_decoder", "reranker"), weighing=True),
        Parameter("batch_size", is_count=True, weighing=True),
        Parameter("max_length", is_count=True, weighing=True),
        Parameter("n_examples", is_count=True, weighing=True),
        Parameter("n_negatives", is_count=True, weighing=True),
        Parameter("average", choices=("batch", "example"), weighing=True),
    ],
    by_value=True,
)
def cocktail(tensors: Sequence["torch.Tensor"], weight: Sequence[float]) -> "torch.Tensor":
    """Return Σ weight · tensor, each product rounded before it is added, as LM-Cocktail does; 16 bits in float32."""
    import torch

    first = tensors[0]
    wide = torch.float64 if first.dtype == torch.float64 else torch.float32
    flat = [tensor.reshape(-1) for tensor in tensors]
    merged = torch.empty_like(flat[0])
    for piece in kernels.pieces(len(merged)):
        total = flat[0][piece].to(wide) * weight[0]
        for tensor, factor in zip(flat[1:], weight[1:], strict=True):
            total += tensor[piece].to(wide) * factor
        merged[piece] = total
    return merged.reshape(first.shape)


mergekit_method(
    "slerp",
    paper="Shoemake 1985",
    text="a point on the arc from the base (t = 0) to the other parent (t = 1)",
    base="required",
    parents=(2, 2),
    base_is_parent=True,
    overall=[fraction("t", required=True)],
)
mergekit_method(
    "nuslerp",
    paper="mergekit",
    text="slerp with weights; with a base, of the differences from it",
    base="optional",
    parents=(2, 2),
    per_model=[required(WEIGHT)],
    overall=[Parameter("nuslerp_row_wise"), Parameter("nuslerp_flatten")],
)


@merge_method(
    paper="mergekit",
    text="weighted mean on the hypersphere, around the base where there is one",
    base="optional",
    per_model=[required(WEIGHT)],
    overall=[Parameter("normalize_weights"), Parameter("eps")],
    is_mergekits=True,
    computes_wide=True,
)
def multislerp(
    tensors: Sequence["torch.Tensor"],
    weight: Sequence[float],
    base: "torch.Tensor | None" = None,
    normalize_weights: bool = True,
    eps: float = 1e-8,
) -> "torch.Tensor":
    """Return the point that mergekit's multislerp does, 16 bits computed in float32.

    A tensor in which no parent differs from the base stays as it is: LoRA leaves embeddings and norms alone, and such
    differences have no direction. In float16 mergekit divides zero by zero there, and refuses three parents.
    """
    import torch

    first = tensors[0]
    wide = torch.float64 if first.dtype == torch.float64 else torch.float32
    origin = 0 if base is None else base.reshape(-1).to(wide)
    points = torch.stack([tensor.reshape(-1).to(wide) - origin for tensor in tensors])
    norms = points.norm(dim=-1, keepdim=True)
    if len(tensors) == 1 or not norms.any():
        return first
    weights = torch.tensor(weight, dtype=wide)
    weights = (weights / weights.sum() if normalize_weights else weights)[:, None]
    units = points / (norms + eps)
    mean = (units * weights).sum(0)
    length = mean.norm()
    if length < eps and len(tensors) == 2:
        merged = (points * weights).sum(0)
    elif length < eps:
        raise JudgemergeError(
            "multislerp: the parents' differences cancel out in a tensor, so there is no direction between them; give "
            "them other weights"
        )
    else:
        mean = mean / length
        tangent = ((units - (units @ mean)[:, None] * mean) * weights).sum(0)
        angle = tangent.norm() + eps
        merged = (mean * angle.cos() + tangent * (angle.sin() / angle)) * (norms * weights).sum()
    return (merged + origin).reshape(first.shape).to(first.dtype)


mergekit_method(
    "karcher",
    paper="Karcher 1977",
    text="the point with the least sum of squared arcs",
    overall=[Parameter("max_iter"), Parameter("tol")],
)
mergekit_method(
    "model_stock",
    paper="arXiv:2403.19522",
    text="between base and mean of the parents, by the angle between them",
    base="required",
    parents=(2, None),
    overall=[Parameter("filter_wise")],
)
