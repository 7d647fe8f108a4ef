"""What a LoRA training is asked to adapt, compared with the base before it and with the adapter after it.

peft passes over a name that matches no module as long as another one matches, and LLaMA-Factory says nothing.
"""

import math
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files, imports, models
from judgemerge.core.errors import JudgemergeError, did_you_mean

ALL = "all"
SETTINGS = ("lora_target", "additional_target")
_PREFIX = "base_model.model."
_SAVED = (".lora_A", ".lora_B", ".lora_embedding_A", ".lora_embedding_B", ".lora_magnitude_vector")


def targets(settings: Mapping) -> list[str]:
    """Return the names in `lora_target`, in the order of the setting; as LLaMA-Factory divides them."""
    return names_in(settings.get("lora_target", ALL))


def names_in(listed: str) -> list[str]:
    """Return the names in a setting, which LLaMA-Factory divides at commas."""
    return [name.strip() for name in listed.split(",") if name.strip()]


def matching(name: str, modules: Iterable[str]) -> list[str]:
    """Return the modules that a name stands for, as peft takes it: the whole name, or its last parts."""
    return [module for module in modules if module == name or module.endswith(f".{name}")]


def check_names(names: Iterable[str], modules: Collection[str], key: str, base: str) -> None:
    """Refuse a name that stands for none of the base's modules."""
    for name in names:
        if name != ALL and not matching(name, modules):
            parts = {module.rpartition(".")[2] for module in modules}
            near = did_you_mean(name, parts)
            raise JudgemergeError(f"{key} names '{name}', which is no layer of base '{base}' that it can change{near}")


def stored_modules(folder: str | Path) -> list[str]:
    """Return the modules with a matrix of weights in a model folder, from the headers of its files alone."""
    matrices = [name for name, shape in models.tensor_shapes(folder).items() if len(shape) > 1]
    return [name.removesuffix(".weight") for name in matrices if name.endswith(".weight")]


# ---- on the model itself ----


def base_model(folder: str | Path):
    """Return the model of a folder without weights, on PyTorch's meta device; a mixture's experts are split."""
    imports.transformers()
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from judgemerge.train import fused_experts

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    if fused_experts.can_split(model):
        fused_experts.split(model, str(folder))
    return model


class Adapted(NamedTuple):
    """The modules that a training adapts, and whether experts of a mixture are among them."""

    modules: list[str]
    experts: bool


def adapted(folder: str | Path, settings: Mapping, where: str) -> Adapted:
    """Return what a training gives matrices, from the configuration of the model alone.

    Refuses names that match nothing, or no layer that LoRA can change.
    """
    from torch import nn

    model = base_model(folder)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, nn.Embedding))}
    names, base = targets(settings), Path(folder).name
    if names == [ALL]:
        # As LLaMA-Factory takes it: every linear layer but the head.
        modules = [name for name, module in layers.items() if isinstance(module, nn.Linear) and "lm_head" not in name]
        refuse_other_experts(model, where, base)
    else:
        check_names(names, layers, f"{where}: lora_target", base)
        modules = [name for one in names for name in matching(one, layers)]
    everything = [name for name, _ in model.named_modules() if name]
    check_names(names_in(settings.get("additional_target", "")), everything, f"{where}: additional_target", base)
    return Adapted(sorted(set(modules)), any(_is_expert(model, name) for name in modules))


def prepare(folder: str | Path, settings: Mapping, where: str) -> tuple[dict, list[str] | None]:
    """Return the settings of a training and the modules that it adapts, None where all weights are trained.

    Where experts of a mixture are adapted, the settings say so to judgemerge.train.llamafactory (`split_experts`).
    """
    if settings["finetuning_type"] != "lora":
        return dict(settings), None
    modules, has_experts = adapted(folder, settings, where)
    return {**settings, **({"split_experts": True} if has_experts else {})}, modules


def refuse_other_experts(model, where: str, base: str) -> None:
    """Refuse `all` where experts are fused in a way that cannot be split: they would be left out in silence."""
    from judgemerge.train import fused_experts

    for name, module in fused_experts.fused(model):
        raise JudgemergeError(
            f"{where}: lora_target all would leave out the experts of base '{base}' ('{name}', "
            f"{type(module).__name__}), which cannot be adapted here; name the layers that are meant"
        )


def _is_expert(model, name: str) -> bool:
    from judgemerge.train.fused_experts import Expert

    return isinstance(model.get_submodule(name.rpartition(".")[0]), Expert)


# ---- on what was written ----


def check_written(folder: str | Path, settings: Mapping, expected: Collection[str], where: str) -> dict[str, int]:
    """Return {modules, matrices} of the adapter in `folder`; refuse one that is not what the settings ask for.

    `expected` are the modules that `adapted` gave.
    """
    config = files.read_json(Path(folder, "adapter_config.json"))
    rank = settings.get("lora_rank", 8)
    expected_config = {
        "r": rank,
        "lora_alpha": settings.get("lora_alpha") or 2 * rank,
        "lora_dropout": settings.get("lora_dropout", 0.0),
        "use_rslora": settings.get("use_rslora", False),
        "use_dora": settings.get("use_dora", False),
    }
    for key, value in expected_config.items():
        if not math.isclose(config.get(key, False), value):
            raise JudgemergeError(
                f"{where}: asked for {key} {value}, but {folder}/adapter_config.json says {config.get(key)!r}; "
                "delete the adapter and train again with the LLaMA-Factory of the lock"
            )
    matrices = [name for name in models.adapter_shapes(folder) if any(part in name for part in _SAVED)]
    modules = set(map(_module, matrices))
    missing, foreign = sorted(set(expected) - modules), sorted(modules - set(expected))
    if missing or foreign:
        which = f"lacks matrices for {_some(missing)}" if missing else f"has matrices for {_some(foreign)} besides"
        raise JudgemergeError(f"{where}: the adapter in {folder} {which}; lora_target was not followed, see the log")
    return {"modules": len(modules), "matrices": len(matrices)}


def _module(name: str) -> str:
    name = name.removeprefix(_PREFIX)
    return name[: min(name.find(part) for part in _SAVED if part in name)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
