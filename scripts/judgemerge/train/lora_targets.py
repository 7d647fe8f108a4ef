"""What a LoRA training is asked to adapt, compared with the base before it and with the adapter after it.

peft passes over a name that matches no module as long as another one matches, and LLaMA-Factory says nothing.
"""

import math
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError, did_you_mean

ALL = "all"
_PREFIX = "base_model.model."
_SAVED = (".lora_A", ".lora_B", ".lora_embedding_A", ".lora_embedding_B", ".lora_magnitude_vector")


def targets(settings: Mapping) -> list[str]:
    """Return the names in `lora_target`, in the order of the setting; as LLaMA-Factory divides them."""
    return [name.strip() for name in settings.get("lora_target", ALL).split(",") if name.strip()]


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


def check_study(study) -> None:
    """Refuse names that no module of a base has, where its files are on this machine already, or it is made here."""
    known: dict[str, list[str] | None] = {}
    for key, base, given in _trainings(study):
        if given.get("finetuning_type", "lora") != "lora":
            continue
        if base not in known:
            known[base] = _known_modules(study, base)
        for setting in ("lora_target", "additional_target") if known[base] is not None else ():
            names = targets({"lora_target": given[setting]}) if setting in given else []
            check_names(names, known[base], f"{study.where}: {key}: {setting}", base)


def _trainings(study) -> Iterator[tuple[str, str, dict]]:
    """Yield place in the study file, base and LLaMA-Factory keys of every training: experts, trials, screening."""
    shared = study.settings["training"]
    for name, expert in study.experts.items():
        yield f"experts.{name}", study.base_of(name), shared | expert["settings"]
    for name, search in study.searches.items():
        for key in ("lora_target", "additional_target") if search.get("expert") in study.experts else ():
            for choice in search["space"].get(key, {}).get("choices", ()):
                yield f"searches.{name}", study.base_of(search["expert"]), {key: choice}
    screening = study.settings.get("screening", {"bases": []})
    for base in screening["bases"]:
        yield "screening", base, shared | screening["settings"]


def _known_modules(study, base: str) -> list[str] | None:
    entry = study.models.get(base, {})
    if "make" in entry:  # a Llama (judgemerge.synthetic.tiny)
        blocks = [f"self_attn.{letter}_proj" for letter in "qkvo"]
        blocks += [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
        return [*(f"model.layers.0.{block}" for block in blocks), "model.embed_tokens", "lm_head"]
    folder = Path(entry.get("path", f"results/{study.name}/models/{base}"))
    weights = models.weight_files(folder) if (folder / "config.json").is_file() else []
    if not weights or not all(path.is_file() and path.suffix != models.QUANTIZED for path in weights):
        return None  # what is wrong with it is said where it is opened
    return [*stored_modules(folder), "lm_head"]  # not stored where it is tied to the embeddings


# ---- on the model itself ----


def base_model(folder: str | Path):
    """Return the model of a folder without weights, on PyTorch's meta device; a mixture's experts are split."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    from judgemerge.train import fused_experts

    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(config, trust_remote_code=False)
    if fused_experts.can_split(model):
        fused_experts.split(model, str(folder))
    return model


def adapted(folder: str | Path, settings: Mapping, where: str) -> dict:
    """Return {modules, experts} of a training: what gets matrices, and whether experts of a mixture are among it.

    Refuses names that match nothing, or no layer that LoRA can change.

    Reads the configuration of the model alone.
    """
    from torch import nn

    model = base_model(folder)
    layers = {name: module for name, module in model.named_modules() if isinstance(module, (nn.Linear, nn.Embedding))}
    names, base = targets(settings), Path(folder).name
    if names == [ALL]:
        # As LLaMA-Factory takes it: every linear layer but the head.
        chosen = [name for name, module in layers.items() if isinstance(module, nn.Linear) and "lm_head" not in name]
        refuse_other_experts(model, where, base)
    else:
        check_names(names, layers, f"{where}: lora_target", base)
        chosen = [name for one in names for name in matching(one, layers)]
    everything = [name for name, _ in model.named_modules() if name]
    extra = targets({"lora_target": settings["additional_target"]}) if "additional_target" in settings else []
    check_names(extra, everything, f"{where}: additional_target", base)
    return {"modules": sorted(set(chosen)), "experts": any(_is_expert(model, name) for name in chosen)}


def prepare(folder: str | Path, settings: Mapping, where: str) -> tuple[dict, list[str] | None]:
    """Return the settings of a training and the modules that it adapts, None where all weights are trained.

    Where experts of a mixture are adapted, the settings say so to judgemerge.train.llamafactory (`split_experts`).
    """
    if settings["finetuning_type"] != "lora":
        return dict(settings), None
    found = adapted(folder, settings, where)
    return {**settings, **({"split_experts": True} if found["experts"] else {})}, found["modules"]


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
    wanted = {
        "r": settings.get("lora_rank", 8),
        "lora_alpha": settings.get("lora_alpha") or 2 * settings.get("lora_rank", 8),
        "lora_dropout": settings.get("lora_dropout", 0.0),
        "use_rslora": settings.get("use_rslora", False),
        "use_dora": settings.get("use_dora", False),
    }
    for key, value in wanted.items():
        if not math.isclose(config.get(key, False), value):
            raise JudgemergeError(
                f"{where}: asked for {key} {value}, but {folder}/adapter_config.json says {config.get(key)!r}; "
                "delete the adapter and train again with the LLaMA-Factory of the lock"
            )
    shapes = models.adapter_shapes(folder)
    written = {_module(name) for name in shapes if any(part in name for part in _SAVED)}
    missing, foreign = sorted(set(expected) - written), sorted(written - set(expected))
    if missing or foreign:
        which = f"lacks matrices for {_some(missing)}" if missing else f"has matrices for {_some(foreign)} besides"
        raise JudgemergeError(f"{where}: the adapter in {folder} {which}; lora_target was not followed, see the log")
    return {"modules": len(written), "matrices": sum(any(part in name for part in _SAVED) for name in shapes)}


def _module(name: str) -> str:
    name = name.removeprefix(_PREFIX)
    return name[: min(name.find(part) for part in _SAVED if part in name)]


def _some(names: list[str]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
