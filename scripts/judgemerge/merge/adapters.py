"""LoRA adapters as parents of a merge: base + Σ weight · scale · B·A, without exporting a model per adapter.

Plain and rank-stabilised LoRA on linear layers and embeddings is read; anything else that peft can store (DoRA,
modules_to_save, patterns of ranks, adapted parameters) is refused by name. Copies of the base's own weights, which peft
saves beside adapted embeddings and output layers, are left out where they equal the base's and refused otherwise.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError

if TYPE_CHECKING:
    import torch

    from judgemerge.merge.streams import Weights

_REFUSED = (
    "use_dora",
    "lora_bias",
    "rank_pattern",
    "alpha_pattern",
    "modules_to_save",
    "fan_in_fan_out",
    "target_parameters",
    "trainable_token_indices",
    "layer_replication",
    "alora_invocation_tokens",
)
_PREFIX = "base_model.model."
_EXPERTS_STORED = (".mlp.experts.", ".block_sparse_moe.experts.")  # of Mixtral and its relatives


@dataclass
class Pair:
    """The matrices of one weight, as they are read: B·A is added to it."""

    A: "torch.Tensor | None" = None
    B: "torch.Tensor | None" = None


class Adapter:
    """The matrices A and B of one adapter by the name of the weight they change, and their scale."""

    def __init__(self, folder: str | Path):
        """Read adapter_config.json and adapter_model.safetensors; refuse kinds of adapters that are not plain LoRA."""
        from safetensors.torch import load_file

        config_file = Path(folder, "adapter_config.json")
        if not config_file.is_file():
            raise JudgemergeError(f"{folder}: adapter_config.json is missing; give the folder of a LoRA adapter")
        config = files.read_json(config_file)
        if config.get("peft_type") != "LORA":
            raise JudgemergeError(f"{config_file}: 'peft_type' is {config.get('peft_type')!r}; only LORA can be merged")
        for key in _REFUSED:
            if config.get(key):
                raise JudgemergeError(
                    f"{config_file}: '{key}' is {config[key]!r}, which cannot be merged here; merge the exported "
                    "models instead"
                )
        rank = config["r"]
        self.scale = config["lora_alpha"] / (math.sqrt(rank) if config.get("use_rslora") else rank)
        self.matrices: dict[str, Pair] = {}
        self.copies: dict[str, torch.Tensor] = {}  # of the base's weights, by their names there
        path = Path(folder, "adapter_model.safetensors")
        for name, tensor in load_file(path).items():
            module, _, which = name.removeprefix(_PREFIX).rpartition(".lora_")
            if which in ("A.weight", "B.weight"):
                setattr(self.matrices.setdefault(f"{module}.weight", Pair()), which[0], tensor)
            elif which in ("embedding_A", "embedding_B"):
                # peft adds (B·A) transposed to an embedding: Aᵀ·Bᵀ.
                setattr(self.matrices.setdefault(f"{module}.weight", Pair()), "BA"[which.endswith("B")], tensor.T)
            elif not module and name.endswith(".weight"):
                self.copies[name.removeprefix(_PREFIX).replace(".base_layer.", ".")] = tensor
            else:
                raise JudgemergeError(f"{path}: tensor '{name}' is no LoRA on a linear layer; export the model")
        for name, pair in self.matrices.items():
            if pair.A is None or pair.B is None:
                there = "A" if pair.B is None else "B"
                raise JudgemergeError(f"{path}: '{name}' has lora_{there} alone; train or download it again")

    def check(self, base: "Weights", folder: str | Path) -> None:
        """Refuse an adapter that changes a weight which the base does not have in that shape.

        Layers that Transformers calls otherwise than the stored weights get their stored names.
        """
        renamed = {name: name.replace(*_EXPERTS_STORED) for name in self.matrices if name not in base.entries}
        self.matrices = {
            renamed[name] if renamed.get(name) in base.entries else name: pair for name, pair in self.matrices.items()
        }
        for name, tensor in self.copies.items():
            if name in base.entries and not _equal(base.get(name), tensor):
                raise JudgemergeError(
                    f"{folder}: the adapter brings a '{name}' {list(tensor.shape)} of its own, other than that of "
                    f"{base.folder}; give the model that it was trained on, or export the adapter and merge that"
                )
        for name, pair in self.matrices.items():
            entry = base.entries.get(name)
            shape = (pair.B.shape[0], pair.A.shape[1])
            if entry is None or entry.shape != shape:
                there = "no such tensor" if entry is None else f"shape {list(entry.shape)}"
                raise JudgemergeError(
                    f"{folder}: the adapter changes '{name}' {list(shape)}, but {base.folder} has {there}; give the "
                    "one that it was trained on"
                )


def _equal(ours: "torch.Tensor", theirs: "torch.Tensor") -> bool:
    """Return whether two tensors hold the same numbers, in whichever of their formats is the narrower one."""
    import torch

    narrow = min((ours, theirs), key=lambda tensor: tensor.element_size()).dtype
    return ours.shape == theirs.shape and torch.equal(ours.to(narrow), theirs.to(narrow))
