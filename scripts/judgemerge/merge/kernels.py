"""The arithmetic of the merges that judgemerge computes itself, on single tensors.

`linear`, `task_arithmetic` and `ties` repeat mergekit 0.1.5 operation by operation (merge_methods/linear.py,
generalized_task_arithmetic.py, sparsify.py), so that results agree bit by bit (docs/merging.md).
Large tensors are worked through in pieces that stay in the processor's cache.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy
import torch

PIECE = 1 << 16
_WHOLE = {2: torch.int16, 4: torch.int32, 8: torch.int64}  # whole numbers by their size in bytes


def _pieces(n_values: int):
    return (slice(start, start + PIECE) for start in range(0, n_values, PIECE))


def linear(tensors: Sequence[torch.Tensor], weights: Sequence[float], normalize: bool) -> torch.Tensor:
    """Return the weighted sum, divided by the sum of the weights if `normalize`; added up in float32."""
    first = tensors[0]
    wide = torch.float64 if first.dtype == torch.float64 else torch.float32
    factors = torch.tensor(weights, dtype=wide)
    divisor = factors.sum()
    flat = [tensor.reshape(-1) for tensor in tensors]
    merged = torch.empty_like(flat[0])
    space, widened = torch.empty(2, min(PIECE, len(merged)), dtype=wide)
    for piece in _pieces(len(merged)):
        n = len(merged[piece])
        total = space[:n].zero_()
        for tensor, factor in zip(flat, factors, strict=True):
            total.addcmul_(widened[:n].copy_(tensor[piece]), factor)
        if normalize and divisor != 1:
            total.div_(divisor)
        merged[piece] = total
    return merged.reshape(first.shape)


def cocktail(tensors: Sequence[torch.Tensor], weights: Sequence[float]) -> torch.Tensor:
    """Return Σ weight · tensor, each product rounded before it is added, as LM-Cocktail does; 16 bits in float32."""
    first = tensors[0]
    wide = torch.float64 if first.dtype == torch.float64 else torch.float32
    flat = [tensor.reshape(-1) for tensor in tensors]
    merged = torch.empty_like(flat[0])
    for piece in _pieces(len(merged)):
        total = flat[0][piece].to(wide) * weights[0]
        for tensor, weight in zip(flat[1:], weights[1:], strict=True):
            total += tensor[piece].to(wide) * weight
        merged[piece] = total
    return merged.reshape(first.shape)


def _sum(tensors: list[torch.Tensor]) -> torch.Tensor:
    """Return the sum as torch makes it over a stack: 16-bit numbers rounded once, four or more added in pairs."""
    if len(tensors) > (2 if tensors[0].element_size() == 2 else 3):
        return torch.stack(tensors).sum(dim=0)
    total = tensors[0] + 0  # a stack's sum begins at 0, which decides the sign of a zero
    for tensor in tensors[1:]:
        total += tensor
    return total


def task_arithmetic(
    base: torch.Tensor,
    tensors: Sequence[torch.Tensor],
    weights: Sequence[float],
    *,
    normalize: bool = False,
    lambda_: float = 1.0,
) -> torch.Tensor:
    """Return base + lambda · Σ weight · (tensor − base)."""
    factors = torch.tensor(weights, dtype=base.dtype)
    divisor = factors.sum()
    divisor = torch.ones_like(divisor) if divisor.abs() < 1e-8 else divisor
    start, flat = base.reshape(-1), [tensor.reshape(-1) for tensor in tensors]
    merged = torch.empty_like(start)
    for piece in _pieces(len(start)):
        mixed = _sum(
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


def thresholds(delta: torch.Tensor, densities: Sequence[float]) -> dict[float, tuple[float, int]]:
    """Return, per density below 1, the smallest magnitude that is kept and the index before which its equals are kept.

    Of equal magnitudes the first are kept, as many as the density leaves room for.
    """
    densities = sorted({density for density in densities if density < 1})
    if not densities or not delta.numel():
        return {}
    # The bits of magnitudes are whole numbers in the same order, which numpy sorts several times as fast.
    magnitudes = delta.reshape(-1).abs().view(_WHOLE[delta.element_size()]).numpy()
    ordered = numpy.sort(magnitudes)
    sizes = torch.from_numpy(ordered).view(delta.dtype)
    found = {}
    for density in densities:
        n = n_kept(len(ordered), density)
        n_larger = len(ordered) - int(numpy.searchsorted(ordered, ordered[-n], side="right"))
        equal = numpy.flatnonzero(magnitudes == ordered[-n])
        found[density] = (sizes[-n].item(), int(equal[n - n_larger - 1]) + 1)
    return found


def largest(delta: torch.Tensor, least: float, end: int) -> torch.Tensor:
    """Return 1 for magnitudes above `least`, and for its equals before index `end`, else 0; as numbers like `delta`."""
    mask = delta.abs()
    # In place, so that they stay numbers: torch takes five times as long with truth values of 16-bit ones (measured).
    mask[: max(0, end)].ge_(least)
    mask[max(0, end) :].gt_(least)
    return mask


def _rescaling(delta: torch.Tensor, least: float, end: int) -> torch.Tensor | None:
    """Return the factor that restores the sum of magnitudes after only the largest differences are kept."""
    before, after = delta.abs().sum(), (delta * largest(delta, least, end)).abs().sum()
    return before / after if before >= 1e-7 and after >= 1e-7 else None


def ties(
    base: torch.Tensor,
    tensors: Sequence[torch.Tensor],
    weights: Sequence[float],
    densities: Sequence[float],
    *,
    known: Sequence[Mapping[float, tuple[float, int]]] | None = None,
    normalize: bool = True,
    rescale: bool = False,
    lambda_: float = 1.0,
) -> torch.Tensor:
    """Return base + the mean of the largest differences with the sign of their weighted sum (0 counts as positive).

    `known` holds the `thresholds` of every difference when they were found before.
    """
    start, flat = base.reshape(-1), [tensor.reshape(-1) for tensor in tensors]
    if known is None:
        known = [thresholds(tensor - start, [density]) for tensor, density in zip(flat, densities, strict=True)]
    bounds = [found.get(density) for found, density in zip(known, densities, strict=True)]
    scales = [
        _rescaling(tensor - start, *bound) if rescale and bound else None
        for tensor, bound in zip(flat, bounds, strict=True)
    ]
    factors = torch.tensor(weights, dtype=base.dtype)
    merged = torch.empty_like(start)
    for piece in _pieces(len(start)):
        parts = []
        for tensor, factor, bound, scale in zip(flat, factors, bounds, scales, strict=True):
            part = tensor[piece] - start[piece]
            if bound:
                part *= largest(part, bound[0], bound[1] - piece.start)
            if scale is not None:
                part *= scale
            parts.append(part.mul_(factor))
        sign = _sum(parts).ge_(0).mul_(2).sub_(1)
        for part in parts:  # what agrees becomes positive, all else 0
            part.mul_(sign).clamp_min_(0)
        mixed = _sum(parts).mul_(sign)
        if normalize:
            divisor = _sum([part.gt_(0).mul_(factor) for part, factor in zip(parts, factors, strict=True)])
            divisor += divisor.clone().eq_(0)  # 1 where it is 0
            mixed /= divisor
        if lambda_ != 1:
            mixed *= lambda_
        torch.add(start[piece], mixed, out=merged[piece])
    return merged.reshape(base.shape)


def generator(seed: int, model: int, tensor: str) -> numpy.random.Generator:
    """Return the random numbers of one tensor of one model: they depend on nothing else, above all not on the order."""
    digest = hashlib.sha256(f"{seed}/{model}/{tensor}".encode()).digest()
    return numpy.random.Generator(numpy.random.PCG64(int.from_bytes(digest[:16], "little")))


def supermario(
    name: str,
    base: torch.Tensor,
    tensors: Sequence[torch.Tensor],
    *,
    p: float,
    lambda_: float,
    seed: int,
) -> torch.Tensor:
    """Return the merge of safetensors-merge-supermario (merge.py at 965e8b2), with a seed of its own per tensor.

    T starts at the base; for every model M in order T ← T + lambda · mask · (M − T) / (1 − p). A value of the mask is 1
    with probability p: the original calls p the dropout, but keeps with it. Routers of mixtures of experts are
    averaged.
    """
    flat = base.reshape(-1).clone()
    for number, tensor in enumerate(tensors):
        other = tensor.reshape(-1)
        if "block_sparse_moe.gate" in name:
            flat = (flat + other) / 2
            continue
        draws = generator(seed, number, name)
        for piece in _pieces(len(flat)):
            here = flat[piece]
            mask = torch.from_numpy(draws.random(len(here), dtype=numpy.float32) < p)
            # Operation by operation as published: masked, divided, then times lambda.
            here += lambda_ * ((mask.to(here.dtype) * (other[piece] - here)) / (1 - p))
    return flat.reshape(base.shape)
