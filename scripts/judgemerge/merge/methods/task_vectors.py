"""Differences of the parents from a base, thinned out, weighted, and added to it again.

`task_arithmetic` and `ties` repeat mergekit 0.1.5 operation by operation (merge_methods/generalized_task_arithmetic.py,
sparsify.py), so that results agree bit by bit but for equal magnitudes (docs/merging.md).
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.merge import kernels
from judgemerge.merge.table import (
    DENSITY,
    NORMALIZE,
    WEIGHT,
    Parameter,
    fraction,
    merge_method,
    mergekit_method,
    required,
)

if TYPE_CHECKING:
    import torch

_WEIGHT = required(WEIGHT)
_INT8_MASK = Parameter("int8_mask")
_OVERALL = (NORMALIZE, Parameter("rescale"), _INT8_MASK, Parameter("lambda"))
_NORMALIZED = (dataclasses.replace(NORMALIZE, default=True), *_OVERALL[1:])
_GAMMA, _EPSILON = fraction("gamma"), fraction("epsilon")
_WHOLE = {2: "int16", 4: "int32", 8: "int64"}  # whole numbers by their size in bytes


@merge_method(
    paper="arXiv:2212.04089",
    text="base plus weighted differences",
    base="required",
    per_model=[_WEIGHT],
    overall=_OVERALL,
    is_mergekits=True,
    by_value=True,
)
def task_arithmetic(
    base: "torch.Tensor",
    tensors: Sequence["torch.Tensor"],
    weight: Sequence[float],
    *,
    normalize: bool = False,
    lambda_: float = 1.0,
) -> "torch.Tensor":
    """Return base + lambda · Σ weight · (tensor − base)."""
    import torch

    factors = torch.tensor(weight, dtype=base.dtype)
    divisor = factors.sum()
    divisor = torch.ones_like(divisor) if divisor.abs() < 1e-8 else divisor
    start, flat = base.reshape(-1), [tensor.reshape(-1) for tensor in tensors]
    merged = torch.empty_like(start)
    for piece in kernels.pieces(len(start)):
        mixed = kernels.added_up(
            [(tensor[piece] - start[piece]).mul_(factor) for tensor, factor in zip(flat, factors, strict=True)]
        )
        if normalize:
            mixed /= divisor
        if lambda_ != 1:
            mixed *= lambda_
        torch.add(start[piece], mixed, out=merged[piece])
    return merged.reshape(base.shape)


def n_kept(n_values: int, density: float) -> int:
    """Return how many differences a density keeps."""
    return max(1, int(density * n_values))


def thresholds(delta: "torch.Tensor", densities: Sequence[float]) -> dict[float, tuple[float, int]]:
    """Return, per density below 1, the smallest magnitude that is kept and the index before which its equals are kept.

    Of equal magnitudes the first are kept, as many as the density leaves room for.
    """
    import numpy
    import torch

    densities = sorted({density for density in densities if density < 1})
    if not densities or not delta.numel():
        return {}
    # The bits of magnitudes are whole numbers in the same order, which numpy sorts several times as fast.
    magnitudes = delta.reshape(-1).abs().view(getattr(torch, _WHOLE[delta.element_size()])).numpy()
    places = [len(magnitudes) - n_kept(len(magnitudes), density) for density in densities]
    # One or two places are found in a sixth of the time that sorting takes (measured); for more it takes as long.
    ordered = numpy.partition(magnitudes, places) if len(places) < 3 else numpy.sort(magnitudes)
    sizes = torch.from_numpy(ordered).view(delta.dtype)
    bounds = {}
    for density, place in zip(densities, places, strict=True):
        n_equal_kept = len(magnitudes) - place - int(numpy.count_nonzero(magnitudes > ordered[place]))
        equal = numpy.flatnonzero(magnitudes == ordered[place])
        bounds[density] = (sizes[place].item(), int(equal[n_equal_kept - 1]) + 1)
    return bounds


def largest(delta: "torch.Tensor", least: float, end: int) -> "torch.Tensor":
    """Return 1 for magnitudes above `least`, and for its equals before index `end`, else 0; as numbers like `delta`."""
    mask = delta.abs()
    # In place, so that they stay numbers: torch takes five times as long with truth values of 16-bit ones (measured).
    mask[: max(0, end)].ge_(least)
    mask[max(0, end) :].gt_(least)
    return mask


def _rescaling(delta: "torch.Tensor", least: float, end: int) -> "torch.Tensor | None":
    """Return the factor that restores the sum of magnitudes after only the largest differences are kept."""
    before, after = delta.abs().sum(), (delta * largest(delta, least, end)).abs().sum()
    return before / after if before >= 1e-7 and after >= 1e-7 else None


def shared_thresholds(
    base: "torch.Tensor", tensor: "torch.Tensor", parameters: Sequence[Mapping[str, Any]]
) -> dict[float, tuple[float, int]]:
    """Return the `thresholds` of a parent's difference for the densities of several merges."""
    return thresholds(tensor - base, [values.get("density", DENSITY.default) for values in parameters])


@merge_method(
    paper="arXiv:2306.01708",
    text="the largest differences, where they agree in sign with the weighted sum",
    base="required",
    per_model=[_WEIGHT, DENSITY],
    overall=_OVERALL,
    is_mergekits=True,
    share=shared_thresholds,
)
def ties(
    base: "torch.Tensor",
    tensors: Sequence["torch.Tensor"],
    weight: Sequence[float],
    density: Sequence[float],
    *,
    shared: Sequence[Mapping[float, tuple[float, int]]] | None = None,
    normalize: bool = True,
    rescale: bool = False,
    lambda_: float = 1.0,
) -> "torch.Tensor":
    """Return base + the mean of the largest differences with the sign of their weighted sum (0 counts as positive).

    `shared` holds the `thresholds` of every difference when they were computed before.
    """
    import torch

    start, flat = base.reshape(-1), [tensor.reshape(-1) for tensor in tensors]
    if shared is None:
        shared = [thresholds(tensor - start, [share]) for tensor, share in zip(flat, density, strict=True)]
    bounds = [limits.get(share) for limits, share in zip(shared, density, strict=True)]
    scales = [
        _rescaling(tensor - start, *bound) if rescale and bound else None
        for tensor, bound in zip(flat, bounds, strict=True)
    ]
    factors = torch.tensor(weight, dtype=base.dtype)
    merged = torch.empty_like(start)
    for piece in kernels.pieces(len(start)):
        parts = []
        for tensor, factor, bound, scale in zip(flat, factors, bounds, scales, strict=True):
            part = tensor[piece] - start[piece]
            if bound:
                part *= largest(part, bound[0], bound[1] - piece.start)
            if scale is not None:
                part *= scale
            parts.append(part.mul_(factor))
        sign = kernels.added_up(parts).ge_(0).mul_(2).sub_(1)
        for part in parts:  # what agrees becomes positive, all else 0
            part.mul_(sign).clamp_min_(0)
        mixed = kernels.added_up(parts).mul_(sign)
        if normalize:
            divisor = kernels.added_up([part.gt_(0).mul_(factor) for part, factor in zip(parts, factors, strict=True)])
            divisor += divisor.clone().eq_(0)  # 1 where it is 0
            mixed /= divisor
        if lambda_ != 1:
            mixed *= lambda_
        torch.add(start[piece], mixed, out=merged[piece])
    return merged.reshape(base.shape)


def _thinned(name: str, paper: str, text: str, *more: Parameter, overall: Sequence[Parameter] = _OVERALL) -> None:
    mergekit_method(name, paper=paper, text=text, base="required", per_model=[_WEIGHT, DENSITY, *more], overall=overall)


_thinned(
    "dare_ties",
    "arXiv:2311.03099",
    "random differences, rescaled to their old sum, with the sign rule of ties",
)
_thinned("dare_linear", "arXiv:2311.03099", "random differences, rescaled to their old sum")
_thinned("breadcrumbs", "arXiv:2312.06795", "differences without the largest and the smallest", _GAMMA)
_thinned("breadcrumbs_ties", "arXiv:2312.06795", "breadcrumbs with the sign rule of ties", _GAMMA)
_thinned(
    "della",
    "arXiv:2406.11617",
    "random differences, large ones more likely, with the sign rule of ties",
    _EPSILON,
    overall=_NORMALIZED,
)
_thinned("della_linear", "arXiv:2406.11617", "random differences, large ones more likely", _EPSILON)
mergekit_method(
    "sce",
    paper="arXiv:2408.07990",
    text="the differences that vary most, weighted by their energy, with the sign rule of ties",
    base="required",
    overall=[Parameter("select_topk"), _INT8_MASK],
)
mergekit_method(
    "nearswap",
    paper="mergekit",
    text="the parent's values where they are within t of the base",
    base="required",
    parents=(1, 1),
    overall=[fraction("t", required=True)],
)
mergekit_method(
    "arcee_fusion",
    paper="mergekit",
    text="the parent's values where they matter most, else the base",
    base="required",
    parents=(1, 1),
)
mergekit_method(
    "ram",
    paper="arXiv:2601.13572",
    text="parameters that only one parent changed keep its full difference; shared ones get the mean",
    base="required",
    overall=[_EPSILON],
)
mergekit_method(
    "ramplus_tl",
    paper="arXiv:2601.13572",
    text="ram with the unshared differences enlarged, tensor by tensor",
    base="required",
    overall=[fraction("r"), fraction("alpha"), _EPSILON],
)
