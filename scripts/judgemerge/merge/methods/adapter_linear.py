"""The base plus weighted updates of LoRA adapters, without exporting a model per adapter (merge/adapters.py)."""

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
    from judgemerge.merge.adapters import merged_tensor

    return merged_tensor(name, base, adapters, weight, combination)
