"""Experts of a mixture as linear layers of their own, so that LoRA reaches them.

Transformers 5 holds the experts of a layer in two parameters, `gate_up_proj` and `down_proj`; peft adapts layers, so
that `w1` or `gate_proj` in a `lora_target` matches nothing. Here each expert becomes three `nn.Linear` under the names
that the stored weights have, as in Transformers 4, where the published adapters were trained; `fuse` is the way back.
"""

from collections.abc import Iterator
from pathlib import Path

import torch
from torch import nn

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError

TOLERANCE = 1e-2  # of the largest output: bfloat16 adds up in another order


class Expert(nn.Module):
    """One expert: down(act(gate(x)) · up(x)), its layers under the names of the stored weights."""

    def __init__(self, names: tuple[str, str, str], layers: tuple[nn.Linear, nn.Linear, nn.Linear], act_fn):
        super().__init__()
        self.names, self.act_fn = names, act_fn
        for name, layer in zip(names, layers, strict=True):
            self.add_module(name, layer)

    def forward(self, states: torch.Tensor) -> torch.Tensor:
        """Return (n_tokens, hidden) → (n_tokens, hidden)."""
        gate, up, down = (getattr(self, name) for name in self.names)
        return down(self.act_fn(gate(states)) * up(states))


class SplitExperts(nn.ModuleList):
    """The experts of one layer; takes and returns what the fused module does."""

    def forward(self, hidden_states: torch.Tensor, top_k_index: torch.Tensor, top_k_weights: torch.Tensor):
        """Return the weighted outputs of each token's experts, (n_tokens, hidden)."""
        result = torch.zeros_like(hidden_states)
        for number, expert in enumerate(self):
            token, place = torch.where(top_k_index == number)
            # An expert without a token takes part with none, so that every process has the gradients of every layer.
            added = expert(hidden_states[token]) * top_k_weights[token, place, None]
            result.index_add_(0, token, added.to(result.dtype))
        return result


def fused(model: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Yield name and module of every layer's fused experts."""
    for name, module in model.named_modules():
        parts = [getattr(module, part, None) for part in ("gate_up_proj", "down_proj")]
        if all(isinstance(part, nn.Parameter) and len(_shape(part)) == 3 for part in parts):
            yield name, module


def stored_names(model_type: str) -> tuple[str, str, str] | None:
    """Return what the stored weights of an expert are called (gate, up, down), None when it is not known."""
    from transformers.conversion_mapping import get_checkpoint_conversion_mapping

    sources_by_target: dict[str, list[str]] = {}
    for entry in get_checkpoint_conversion_mapping(model_type) or []:
        targets, sources = (
            [part] if isinstance(part, str) else part for part in (entry.target_patterns, entry.source_patterns)
        )
        if len(targets) == 1 and all(".*." in source for source in sources):  # many stored tensors make one
            sources_by_target[_last(targets[0])] = [_last(source.removesuffix(".weight")) for source in sources]
    names = (*sources_by_target.get("gate_up_proj", ()), *sources_by_target.get("down_proj", ()))
    return names if len(names) == 3 else None


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def can_split(model: nn.Module) -> bool:
    """Return whether the model has fused experts, all of the kind that `split` knows."""
    experts = [module for _, module in fused(model)]
    has_names = bool(experts) and stored_names(model.config.model_type) is not None
    return has_names and all(map(_is_plain, experts))


def split(model: nn.Module, where: str) -> int:
    """Put layers of their own in the place of every layer's fused experts; return how many layers had some.

    The parameters keep device, format and values. Raises JudgemergeError for experts that compute something else.
    """
    experts = list(fused(model))
    names = stored_names(model.config.model_type) if experts else None
    for number, (name, module) in enumerate(experts):
        if names is None or not _is_plain(module):
            raise JudgemergeError(
                f"{where}: the experts in '{name}' ({type(module).__name__}) are of a kind that cannot be adapted; "
                "leave them out of lora_target, or train with finetuning_type: full"
            )
        if _is_partitioned(module.gate_up_proj):
            layers = _split_partitioned(module, names)
        else:
            layers = _split(module, names)
            if number == 0 and not module.gate_up_proj.is_meta:
                _check_same(module, layers, f"{where}: '{name}'")
        model.set_submodule(name, layers)
    return len(experts)


def _is_plain(module: nn.Module) -> bool:
    """Return whether the parameters are what `Expert` takes them for: [experts, 2 · inner, hidden], without biases."""
    gate_up, down = (_shape(getattr(module, name)) for name in ("gate_up_proj", "down_proj"))
    n_parameters = sum(1 for _ in module.parameters(recurse=False))
    straight = gate_up[0] == down[0] and gate_up[1] == 2 * down[2] and gate_up[2] == down[1]
    return straight and n_parameters == 2 and hasattr(module, "act_fn") and not getattr(module, "is_transposed", False)


def _is_partitioned(parameter: nn.Parameter) -> bool:
    return hasattr(parameter, "ds_shape")


def _shape(parameter: nn.Parameter) -> tuple[int, ...]:
    return tuple(getattr(parameter, "ds_shape", parameter.shape))


def _split(module: nn.Module, names: tuple[str, str, str]) -> SplitExperts:
    gate_up, down = module.gate_up_proj.data, module.down_proj.data
    inner = down.shape[2]
    return SplitExperts(
        Expert(
            names,
            (_linear(gate_up[number, :inner]), _linear(gate_up[number, inner:]), _linear(down[number])),
            module.act_fn,
        )
        for number in range(gate_up.shape[0])
    )


def _split_partitioned(module: nn.Module, names: tuple[str, str, str]) -> SplitExperts:
    """Split experts whose weights DeepSpeed ZeRO-3 has spread over the processes, and spread the layers."""
    import deepspeed
    from transformers.integrations.deepspeed import deepspeed_config

    with deepspeed.zero.GatheredParameters([module.gate_up_proj, module.down_proj]):
        layers = _split(module, names)
        for parameter in layers.parameters():
            parameter.data = parameter.data.clone()  # of what is gathered for this moment alone
    deepspeed.zero.Init(module=layers, config_dict_or_path=deepspeed_config())
    return layers


def _linear(weight: torch.Tensor) -> nn.Linear:
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False, device="meta")
    layer.weight = nn.Parameter(weight.contiguous(), requires_grad=False)
    return layer


def _check_same(module: nn.Module, layers: SplitExperts, where: str) -> None:
    """Refuse a split that does not compute what the fused experts do, on a few random tokens."""
    weight = layers[0].get_submodule(layers[0].names[0]).weight
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(6, weight.shape[1], generator=generator).to(weight)
    choices = torch.randint(len(layers), (6, 1), generator=generator).to(weight.device)
    shares = torch.ones(6, 1, dtype=weight.dtype, device=weight.device)
    with torch.no_grad():
        expected, computed = module(states, choices, shares), layers(states, choices, shares)
    difference = float((expected - computed).abs().max() / expected.abs().max().clamp_min(1e-30))
    if not difference <= TOLERANCE:
        raise JudgemergeError(
            f"{where}: as layers of their own the experts differ from the fused ones by {difference:.2g} of the "
            "largest output; leave them out of lora_target"
        )


def split_for(model: nn.Module, adapter: str | Path) -> None:
    """Split the experts of a model that an adapter is about to be put on, if the adapter changes any."""
    if any(".experts." in name for name in models.adapter_shapes(adapter)):
        split(model, str(adapter))


def fuse(model: nn.Module, like: dict[str, nn.Module]) -> None:
    """Put the fused modules in `like` (name → module before `split`) back, with the values that the layers now have."""
    for name, module in like.items():
        layers = model.get_submodule(name)
        gate, up, down = ([expert.get_submodule(part).weight.data for expert in layers] for part in layers[0].names)
        both = [torch.cat(pair) for pair in zip(gate, up, strict=True)]
        module.gate_up_proj = nn.Parameter(torch.stack(both), requires_grad=False)
        module.down_proj = nn.Parameter(torch.stack(down), requires_grad=False)
        model.set_submodule(name, module)
