"""Means of the parents: weighted sums, and points on a sphere.

`linear` repeats mergekit 0.1.5 operation by operation (merge_methods/linear.py), so that results agree bit by bit.
"""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

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
mergekit_method(
    "multislerp",
    paper="mergekit",
    text="weighted mean on the hypersphere",
    base="optional",
    per_model=[required(WEIGHT)],
    overall=[Parameter("normalize_weights"), Parameter("eps")],
)
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
