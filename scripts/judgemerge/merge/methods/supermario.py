"""The merge of safetensors-merge-supermario (merge.py at 965e8b2): parents one after the other, values drawn."""

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgemerge.merge import kernels
from judgemerge.merge.table import Parameter, fraction, merge_method

if TYPE_CHECKING:
    import numpy
    import torch


def generator(seed: int, model: int, tensor: str) -> "numpy.random.Generator":
    """Return the random numbers of one tensor of one model: they depend on nothing else, above all not on the order."""
    import numpy

    digest = hashlib.sha256(f"{seed}/{model}/{tensor}".encode()).digest()
    return numpy.random.Generator(numpy.random.PCG64(int.from_bytes(digest[:16], "little")))


@merge_method(
    paper="safetensors-merge-supermario 965e8b2",
    text="parents one after the other: T += lambda · mask · (M − T) / (1 − p), a value kept with probability p",
    base="required",
    # Nothing is kept at p = 0, and 1 − p is divided by.
    overall=[fraction("p", open_low=True, open_high=True, required=True), Parameter("lambda", required=True)],
)
def supermario(
    name: str,
    base: "torch.Tensor",
    tensors: Sequence["torch.Tensor"],
    *,
    p: float,
    lambda_: float,
    seed: int,
) -> "torch.Tensor":
    """Return the merge of safetensors-merge-supermario (merge.py at 965e8b2), with a seed of its own per tensor.

    T starts at the base; for every model M in order T ← T + lambda · mask · (M − T) / (1 − p). A value of the mask is 1
    with probability p: the original calls p the dropout, but keeps with it. Routers of mixtures of experts are
    averaged.
    """
    import numpy
    import torch

    flat = base.reshape(-1).clone()
    for number, tensor in enumerate(tensors):
        other = tensor.reshape(-1)
        if "block_sparse_moe.gate" in name:
            flat = (flat + other) / 2
            continue
        draws = generator(seed, number, name)
        for piece in kernels.pieces(len(flat)):
            here = flat[piece]
            mask = torch.from_numpy(draws.random(len(here), dtype=numpy.float32) < p)
            # Operation by operation as published: masked, divided, then times lambda.
            here += lambda_ * ((mask.to(here.dtype) * (other[piece] - here)) / (1 - p))
    return flat.reshape(base.shape)
