"""What a model's class says of its weights, without reading one of them: which tensors there are, under which names.

Transformers 5 packs some tensors when it loads a model (the experts of a mixture). Its own way of saving a model takes
them apart again, so that the names in the files can be told from the names in memory.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel


def without_weights(folder: str | Path) -> "PreTrainedModel":
    """Return the model of a folder, its tensors with shapes and no values."""
    import torch
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        return getattr(transformers, config.architectures[0])(config)


def taken_apart(model: "PreTrainedModel", loaded: dict[str, "torch.Tensor"]) -> dict[str, "torch.Tensor"]:
    """Return tensors of a loaded model as they are stored, by stored name."""
    from transformers.core_model_loading import revert_weight_conversion

    return revert_weight_conversion(model, loaded)


def missing_weights(folder: str | Path) -> list[str]:
    """Return the stored names of tensors that a model has and its files lack.

    Nothing is said of quantized models, whose tensors are others, and of classes that Transformers does not have.
    """
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    kinds = config.architectures or []
    if not kinds or not hasattr(transformers, kinds[0]) or getattr(config, "quantization_config", None):
        return []
    model, stored = without_weights(folder), models.tensor_shapes(folder)
    # A checkpoint may have the names of the model without its head.
    prefix = f"{model.base_model_prefix}."
    there = {*stored, *(f"{prefix}{name}" for name in stored)}
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    lacking = {name: tensor for name, tensor in model.state_dict().items() if name not in there and name not in tied}
    return [name for name in _parts(model, lacking) if name not in there]


def _parts(model: "PreTrainedModel", tensors: Mapping[str, "torch.Tensor"]) -> list[str]:
    return [part for name, tensor in tensors.items() for part in taken_apart(model, {name: tensor})]


def check_complete(folder: str | Path) -> None:
    """Refuse a model whose files lack tensors, which loading would draw at random or leave as memory was."""
    if missing := missing_weights(folder):
        raise JudgemergeError(incomplete(folder, missing))


def incomplete(folder: str | Path, missing: list[str]) -> str:
    """Return the sentence about tensors that the files of a model lack."""
    more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
    return f"{folder}: the weights lack the tensor {sorted(missing)[0]}{more}; get the model again, or make it anew"
