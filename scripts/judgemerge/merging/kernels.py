"""The arithmetic of the merges that judgemerge computes itself, on single tensors.

`linear`, `task_arithmetic` and `ties` repeat mergekit 0.1.5 operation by operation (merge_methods/linear.py,
generalized_task_arithmetic.py, sparsify.py), so that results agree bit by bit (docs/merging.md).
Large tensors are worked through in pieces that stay in the processor's cache.
"""

import hashlib
from collections.abc import Mapping, Sequence

import numpy
import torch

PIECE = 1 << 18


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
    for piece in _pieces(len(merged)):
        total = torch.zeros_like(flat[0][piece], dtype=wide)
        for tensor, factor in zip(flat, factors, strict=True):
            total.addcmul_(tensor[piece], factor)
        if normalize:
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
    if len(tensors) > 3 or tensors[0].dtype in (torch.float16, torch.bfloat16):
        return torch.stack(tensors).sum(dim=0)
    total = tensors[0].clone()
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
    """Return, per density below 1, the smallest magnitude that is kept and how many of exactly that magnitude are."""
    densities = sorted({density for density in densities if density < 1})
    if not densities or not delta.numel():
        return {}
    magnitudes = delta.reshape(-1).abs().float().numpy()
    places = {density: len(magnitudes) - n_kept(len(magnitudes), density) for density in densities}
    ordered = numpy.partition(magnitudes, sorted(set(places.values())))
    found = {}
    for density, place in places.items():
        least = ordered[place]
        n_larger = int(numpy.count_nonzero(magnitudes > least))
        found[density] = (float(least), n_kept(len(magnitudes), density) - n_larger)
    return found


def largest(delta: torch.Tensor, least: float, n_equal: int) -> torch.Tensor:
    """Return the mask of magnitudes above `least`, and of the first `n_equal` that equal it."""
    magnitudes = delta.reshape(-1).abs().float()
    mask = magnitudes > least
    equal = torch.nonzero(magnitudes == least).reshape(-1)[:n_equal]
    mask[equal] = True
    return mask.reshape(delta.shape)


def _kept(delta: torch.Tensor, density: float, known: Mapping[float, tuple[float, int]], rescale: bool) -> torch.Tensor:
    """Return the `density` largest differences, the others zero; `rescale` restores the sum of magnitudes."""
    if density >= 1 or not delta.numel():
        return delta
    kept = delta * largest(delta, *known[density])
    if rescale:
        before, after = delta.abs().sum(), kept.abs().sum()
        if before >= 1e-7 and after >= 1e-7:
            kept = kept * (before / after)
    return kept


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
    deltas = [tensor - base for tensor in tensors]
    if known is None:
        known = [thresholds(delta, [density]) for delta, density in zip(deltas, densities, strict=True)]
    factors = torch.tensor(weights, dtype=base.dtype)
    flat = [
        _kept(delta, density, found, rescale).reshape(-1)
        for delta, density, found in zip(deltas, densities, known, strict=True)
    ]
    del deltas
    start = base.reshape(-1)
    merged = torch.empty_like(start)
    for piece in _pieces(len(start)):
        parts = [delta[piece] * factor for delta, factor in zip(flat, factors, strict=True)]
        positive = _sum(parts) >= 0
        agreeing = [torch.where(positive, part > 0, part < 0) for part in parts]
        mixed = _sum([part * agrees for part, agrees in zip(parts, agreeing, strict=True)])
        if normalize:
            divisor = _sum([factor * agrees for factor, agrees in zip(factors, agreeing, strict=True)])
            divisor[divisor == 0] = 1
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
