"""What the arithmetic of merge methods shares: pieces that stay in the processor's cache, and torch's sums."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

PIECE = 1 << 16


def pieces(n_values: int) -> Iterator[slice]:
    """Return the pieces that a large tensor of so many values is worked through in."""
    return (slice(start, start + PIECE) for start in range(0, n_values, PIECE))


def added_up(tensors: list["torch.Tensor"]) -> "torch.Tensor":
    """Return the sum as torch makes it over a stack: 16-bit numbers rounded once, four or more added in pairs."""
    import torch

    if len(tensors) > (2 if tensors[0].element_size() == 2 else 3):
        return torch.stack(tensors).sum(dim=0)
    total = tensors[0] + 0  # a stack's sum begins at 0, which decides the sign of a zero
    for tensor in tensors[1:]:
        total += tensor
    return total
