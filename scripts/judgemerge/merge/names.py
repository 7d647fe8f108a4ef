"""Names under which tensors of different files are the same one: transformers' own, whatever wrote the files.

Transformers 5 writes the norms of an encoder that it loaded as `LayerNorm.gamma` and `beta`, hub checkpoints have
`weight` and `bias`; an encoder stored with a head has a prefix (`bert.`, `roberta.`) that the bare one lacks; a pooler
that a checkpoint lacks is invented when the model is loaded, and stored when it is saved. None of this makes another
model of it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError

if TYPE_CHECKING:
    from judgemerge.merge.streams import Weights

# Spellings of old checkpoints that transformers reads as the new ones, and writes back (conversion_mapping, "legacy").
_SPELLINGS = {"LayerNorm.gamma": "LayerNorm.weight", "LayerNorm.beta": "LayerNorm.bias"}
# Type of an encoder → prefix of its tensors in a model with a head (`base_model_prefix` in transformers).
_PREFIXES = {
    "albert": "albert.",
    "bert": "bert.",
    "camembert": "roberta.",
    "deberta": "deberta.",
    "deberta-v2": "deberta.",
    "distilbert": "distilbert.",
    "electra": "electra.",
    "ernie": "ernie.",
    "modernbert": "model.",
    "mpnet": "mpnet.",
    "roberta": "roberta.",
    "xlm-roberta": "roberta.",
    "xlm-roberta-xl": "roberta.",
}
# Decoders that embedding models are made of as well (Qwen3-Embedding): stored bare, or with the head for texts.
_DECODERS = frozenset(
    {"gemma", "gemma2", "gemma3_text", "granite", "llama", "mistral", "olmo2", "phi3", "qwen2", "qwen3"}
)
_DECODER_PREFIX = "model."
_PRETRAINED = ("ForMaskedLM", "ForPreTraining")  # their heads say nothing about a text's embedding
_POOLED_HEADS = ("albert", "bert", "ernie")  # whose classification heads read the pooler


def current(name: str) -> str:
    """Return a tensor's name in transformers' spelling of today."""
    for old, new in _SPELLINGS.items():
        if name == old or name.endswith(f".{old}"):
            return name.removesuffix(old) + new
    return name


def is_encoder(config: Mapping) -> bool:
    """Whether a model is an encoder that gives embeddings: bare, or with the head that it was pretrained with."""
    return config.get("model_type") in _PREFIXES and _is_backbone(config)


def _is_backbone(config: Mapping) -> bool:
    architectures = config.get("architectures") or ["Model"]
    return all(name.endswith(("Model", *_PRETRAINED)) for name in architectures)


def same_backbone(one: Mapping, two: Mapping) -> bool:
    """Whether two configs that name different architectures describe one encoder, with its first head or without.

    A decoder that is stored bare is an encoder as well: of embedding models alone.
    """
    return one.get("model_type") == two.get("model_type") and _all_backbones((one, two))


def _all_backbones(configs: Iterable[Mapping]) -> bool:
    configs = list(configs)
    if not all(config.get("model_type") in _DECODERS for config in configs):
        return all(map(is_encoder, configs))
    architectures = [name for config in configs for name in config.get("architectures") or ()]
    return any(map(_is_bare, architectures)) and all(name.endswith(("Model", "ForCausalLM")) for name in architectures)


def _is_bare(architecture: str) -> bool:
    return architecture.endswith("Model")


def may_be_invented(name: str, config: Mapping) -> bool:
    """Whether a tensor belongs to a pooler that no answer of the model depends on: loading a model may invent it."""
    kind = config.get("model_type")
    is_read = kind in _POOLED_HEADS and not _is_backbone(config)
    return kind in _PREFIXES and ".pooler." in f".{name}" and not is_read


def agreed(stored: Mapping[str, tuple[Mapping, Iterable[str]]]) -> dict[str, dict[str, str | None]]:
    """Return for every model its stored names → the names that all models share; None for the tensors of a head.

    `stored`: model → (config, names). A prefix that not all models have is taken off, with the head behind it, where a
    bare encoder is among them; otherwise it is put before the names of those that lack it.
    """
    spelled = {model: {name: current(name) for name in names} for model, (_, names) in stored.items()}
    for model, names in spelled.items():
        twice = [name for name, new in names.items() if new != name and new in names]
        if twice:
            raise JudgemergeError(
                f"{model}: tensors '{twice[0]}' and '{names[twice[0]]}' are the same one; remove the stale one"
            )
    configs = [config for config, _ in stored.values()]
    kind = next((config.get("model_type") for config in configs), None)
    prefix = _DECODER_PREFIX if kind in _DECODERS else _PREFIXES.get(kind)
    if prefix is None:
        return spelled
    prefixed = {model for model, names in spelled.items() if any(new.startswith(prefix) for new in names.values())}
    if not prefixed or len(prefixed) == len(spelled):
        return spelled
    if _all_backbones(configs):
        return {
            model: {
                name: _bare_name(new, prefix, stored[model][0]) if model in prefixed else new
                for name, new in names.items()
            }
            for model, names in spelled.items()
        }
    of_prefixed = {new for model in prefixed for new in spelled[model].values()}
    return {
        model: {name: prefix + new if prefix + new in of_prefixed else new for name, new in names.items()}
        for model, names in spelled.items()
    }


def _bare_name(name: str, prefix: str, config: Mapping) -> str | None:
    """Return a tensor's name in the bare encoder; None for one of its head, which embeddings do not depend on.

    The head of a decoder says nothing of its own where it is tied; else it stays, and is missing in the bare one.
    """
    if name.startswith(prefix):
        return name.removeprefix(prefix)
    untied = config.get("model_type") in _DECODERS and config.get("tie_word_embeddings") is False
    return name if untied else None


def rename_all(weights: Mapping[str, "Weights"]) -> list[str]:
    """Give the tensors of opened models the names that they share; return the stored names of heads, left out."""
    names = agreed(
        {label: (files.read_json(model.folder / "config.json"), model.entries) for label, model in weights.items()}
    )
    heads: dict[str, None] = {}
    for label, model in weights.items():
        heads |= dict.fromkeys(stored for stored, new in names[label].items() if new is None)
        renamed = ((names[label][stored], entry) for stored, entry in model.entries.items())
        model.entries = {new: entry for new, entry in renamed if new is not None}
    return list(heads)


def settle_architecture(folder: str | Path, parents: Iterable[str | Path]) -> None:
    """Name the bare encoder as a merged model's architecture where a parent is bare: that is what was written."""
    configs = [files.read_json(Path(parent, "config.json")) for parent in parents]
    architectures = [config.get("architectures") for config in configs]
    bare = next((names for names in architectures if names and _is_bare(names[0])), None)
    path = Path(folder, "config.json")
    config = files.read_json(path)
    if bare and config.get("architectures") != bare and _all_backbones(configs):
        files.write_json(path, {**config, "architectures": bare})
