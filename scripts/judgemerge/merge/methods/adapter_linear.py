"""The base plus weighted updates of LoRA adapters, without exporting a model per adapter (merge/adapters.py).

The arithmetic is peft's own: `updates` is its combination `cat` (the sum of the updates), `matrices` its `linear`
(which mixes A and B, so that the product has cross terms).
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgemerge.merge.table import WEIGHT, Parameter, merge_method, required

if TYPE_CHECKING:
    import torch

    from judgemerge.merge.adapters import Adapter


@merge_method(
    paper="arXiv:2106.09685",
    text="base plus weighted updates of LoRA adapters, nothing exported before",
    base="required",
    adapters=True,
    per_model=[required(WEIGHT)],
    overall=[Parameter("combination", choices=("updates", "matrices"))],
)
def adapter_linear(
    name: str,
    base: "torch.Tensor",
    adapters: Sequence["Adapter"],
    weight: Sequence[float],
    combination: str = "updates",
) -> "torch.Tensor":
    """Return one weight of the base with the weighted updates added, computed in float32."""
    import torch

    pairs = [
        (adapter.matrices[name], share * adapter.scale)
        for adapter, share in zip(adapters, weight, strict=True)
        if name in adapter.matrices
    ]
    if not pairs:
        return base
    merged = base.to(torch.float32, copy=True)
    if combination == "updates":
        for pair, factor in pairs:
            merged += factor * (pair.B.float() @ pair.A.float())
    else:
        # peft spreads the root of the weight over A and B, with its sign on both.
        roots = [math.copysign(math.sqrt(abs(factor)), factor) for _, factor in pairs]
        rooted = [(pair, root) for (pair, _), root in zip(pairs, roots, strict=True)]
        merged += sum(root * pair.B.float() for pair, root in rooted) @ sum(
            root * pair.A.float() for pair, root in rooted
        )
    return merged.to(base.dtype)
