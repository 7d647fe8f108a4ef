"""Twins of published models: a few layers of random weights in the form of the hub's own files.

config/twins.yaml says what a published model is: architecture and numbers of its config, names of its tensors, kind of
tokenizer, special tokens, settings, files. A twin has all of it with smaller numbers. It is not saved by transformers,
so whatever reads a folder of the hub meets here what it would meet there. The same seed gives the same bytes.
"""

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.places import PACKAGE, catalogue_folder
from judgemerge.synthetic import demo_tasks, made_documents, twin_tokenizers
from judgemerge.synthetic.twin_tokenizers import TokenizerFacts

if TYPE_CHECKING:
    import torch

CATALOGUE = catalogue_folder() / "twins.yaml"
TEMPLATES = catalogue_folder() / "twin_templates"
TOKEN_KEYS = ("bos_token_id", "eos_token_id", "pad_token_id")
LONG_ROPE = ("long_factor", "short_factor")
BUFFERS = (".position_ids",)


@dataclass(frozen=True, kw_only=True)
class TwinFacts:
    """What is published about one model: an entry of `models` in config/twins.yaml, with its tokenizer."""

    name: str
    tensors: Sequence[str]
    tokenizer: TokenizerFacts
    config: Mapping[str, Any]
    small: Mapping[str, Any]
    shards: int
    generation: Mapping[str, Any] | None = None
    template: str | None = None
    padded: int = 1
    layers: int = 1
    modules: Mapping[str, Any] | None = None
    others: Sequence[str] = ()


@cache
def _table(catalogue: Path) -> dict[str, Any]:
    return load_yaml(catalogue)


def names(catalogue: Path = CATALOGUE) -> list[str]:
    """Return the repositories and folders that there are twins of."""
    return list(_table(catalogue)["models"])


def facts_of(name: str, catalogue: Path = CATALOGUE) -> TwinFacts:
    """Return the facts about one published model; refuse one that config/twins.yaml does not know."""
    table = _table(catalogue)
    if name not in table["models"]:
        raise JudgemergeError(missing(name))
    entry = table["models"][name]
    tensors = [tensor for family in entry["tensors"] for tensor in table["tensors"][family]]
    tokenizer = TokenizerFacts(**table["tokenizers"][entry["tokenizer"]])
    template = template_text(entry["template"]) if "template" in entry else None
    return TwinFacts(**{**entry, "name": name, "tensors": tensors, "tokenizer": tokenizer, "template": template})


def missing(name: str) -> str:
    """Return what is said about a model that has no entry."""
    return (
        f"config/twins.yaml has no entry for '{name}', so that it has no twin; copy the entry of a model of the same "
        "architecture and put in what its config.json, generation_config.json and tokenizer_config.json say"
    )


def template_text(name: str) -> str:
    """Return the text of a published chat template as a model's folder has it, without our comment."""
    text = (TEMPLATES / f"{name}.jinja").read_text(encoding="utf-8")
    return text[text.index("-#}") + 3 :].strip() if text.startswith("{#-") else text.strip()


def plain_facts(name: str) -> dict[str, Any]:
    """Return what decides a twin as plain values."""
    facts = facts_of(name)
    entry = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return {**entry, "tokenizer": dict(vars(facts.tokenizer))}


def make(folder: str | Path, twin: Mapping[str, Any]) -> None:
    """Write the twin that a rule's parameter describes (plain_facts, and the keys of the study)."""
    facts = {**twin["facts"], "tokenizer": TokenizerFacts(**twin["facts"]["tokenizer"])}
    if twin.get("dtype"):
        facts["config"] = {**facts["config"], "torch_dtype": twin["dtype"]}
    write(folder, TwinFacts(**facts), twin["seed"], twin["layers"], texts())


@cache
def texts() -> tuple[str, ...]:
    """Return what the vocabularies of twins are learned from: the repository's prompts and modules, and made texts."""
    pages = [*sorted(catalogue_folder().glob("prompts/*.yaml")), *sorted(PACKAGE.glob("**/*.py"))]
    made = [text for domain in ("kitchen", "travel", "workshop") for text in made_documents.texts(domain, 20, seed=1)]
    return (*(page.read_text(encoding="utf-8") for page in pages), *made, *demo_tasks.corpus(seed=1, n_sentences=500))


def write(folder: str | Path, facts: TwinFacts, seed: int, layers: int, learned_from: tuple[str, ...]) -> None:
    """Write a twin as its repository on the hub lies there, with files that are no part of the model.

    `layers` is how many it has at least; some kinds of model need more to show what is special about them.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    tokens = twin_tokenizers.write(folder, facts.tokenizer, learned_from, facts.template)
    config = config_of(facts, tokens, max(layers, facts.layers))
    files.write_json(folder / "config.json", config)
    if facts.generation is not None:
        files.write_json(folder / "generation_config.json", dict(_with_ids(facts.generation, tokens)))
    if facts.modules is not None:
        _write_modules(folder, facts.modules, config)
    _write_weights(folder, facts, config, seed)
    for name in ("README.md", ".gitattributes", *facts.others):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("In a real repository something else stands here.\n", encoding="utf-8")


# ---- config ----


def config_of(facts: TwinFacts, tokens: Mapping[str, int], layers: int) -> dict[str, Any]:
    """Return the config of a twin: the published keys, with smaller numbers."""
    n_tokens = max(tokens.values()) + 1
    smaller = {
        **facts.small,
        "num_hidden_layers": layers,
        "vocab_size": math.ceil(n_tokens / facts.padded) * facts.padded,
    }
    config = {key: smaller.get(key, value) for key, value in _with_ids(facts.config, tokens).items()}
    scaling = config.get("rope_scaling") or {}
    if LONG_ROPE[0] in scaling:
        n_factors = config["hidden_size"] // config["num_attention_heads"] // 2
        factors = {key: _rising(*scaling[key], n_factors) for key in LONG_ROPE}
        config["rope_scaling"] = {**scaling, **factors}
    return config


def _with_ids(settings: Mapping[str, Any], tokens: Mapping[str, int]) -> dict[str, Any]:
    """Return settings with the ids of the tokens that they name."""

    def number(token: Any) -> Any:
        return [*map(number, token)] if isinstance(token, list) else tokens.get(token, token)

    return {key: number(value) if key in TOKEN_KEYS else value for key, value in settings.items()}


def _rising(first: float, last: float, n: int) -> list[float]:
    return [round(first * (last / first) ** (step / (n - 1)), 4) for step in range(n)]


# ---- weights ----


def tensor_names(facts: TwinFacts, config: Mapping[str, Any]) -> list[str]:
    """Return the names of all tensors in the hub's files of a twin, sorted as they lie there."""
    n_layers, n_experts = config["num_hidden_layers"], config.get("num_local_experts", 1)
    expanded = {
        pattern.replace("{layer}", str(layer)).replace("{expert}", str(expert))
        for pattern in facts.tensors
        for layer in range(n_layers if "{layer}" in pattern else 1)
        for expert in range(n_experts if "{expert}" in pattern else 1)
    }
    return sorted(expanded)


def _write_weights(folder: Path, facts: TwinFacts, config: Mapping[str, Any], seed: int) -> None:
    """Write the tensors in as many files as there, with an index where there is more than one."""
    from safetensors.torch import save_file

    tensors = dict(_tensors(folder, facts, config, seed))
    n_shards = min(facts.shards, len(tensors))
    shards = list(_divided(list(tensors), n_shards))
    if n_shards == 1:
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
        return
    paths = [f"model-{number:05d}-of-{n_shards:05d}.safetensors" for number in range(1, n_shards + 1)]
    for path, shard in zip(paths, shards, strict=True):
        save_file({name: tensors[name] for name in shard}, folder / path, metadata={"format": "pt"})
    total = sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())
    places = {name: path for path, shard in zip(paths, shards, strict=True) for name in shard}
    files.write_json(folder / "model.safetensors.index.json", {"metadata": {"total_size": total}, "weight_map": places})


def _divided(tensors: Sequence[str], n_parts: int) -> Iterator[Sequence[str]]:
    for part in range(n_parts):
        yield tensors[part * len(tensors) // n_parts : (part + 1) * len(tensors) // n_parts]


def _tensors(
    folder: Path, facts: TwinFacts, config: Mapping[str, Any], seed: int
) -> Iterator[tuple[str, "torch.Tensor"]]:
    """Yield every tensor of the table; refuse a table that does not fit the architecture."""
    import torch

    shapes = _shapes(folder, config)
    published = tensor_names(facts, config)
    unknown = sorted(set(shapes) - set(published)) + sorted(
        name for name in set(published) - set(shapes) if not name.endswith(BUFFERS)
    )
    if unknown:
        raise JudgemergeError(
            f"config/twins.yaml: {facts.name}: tensor '{unknown[0]}' is in only one of the table and "
            f"{config['architectures'][0]}; correct `tensors`"
        )
    for name in published:
        if name.endswith(BUFFERS):
            yield name, torch.arange(config["max_position_embeddings"]).expand((1, -1)).contiguous()
        else:
            yield name, _values(name, shapes[name], config, seed)


def _shapes(folder: Path, config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    """Return stored name → shape of a model's tensors; a head that is tied to the embeddings is not stored."""
    import torch
    import transformers
    from transformers.core_model_loading import revert_weight_conversion

    loaded = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False)
    with torch.device("meta"):
        model = getattr(transformers, config["architectures"][0])(loaded)
    tied = set(getattr(model, "all_tied_weights_keys", None) or {})
    state = {name: tensor for name, tensor in model.state_dict().items() if name not in tied}
    stored = revert_weight_conversion(model, state)
    # Transformers writes the norms of BERT under the names of its first checkpoints.
    spelled = {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): tensor
        for name, tensor in stored.items()
    }
    return {name: tuple(tensor.shape) for name, tensor in spelled.items()}


def _values(name: str, shape: tuple[int, ...], config: Mapping[str, Any], seed: int) -> "torch.Tensor":
    """Return random weights of a usual size: norms around one (Gemma stores what is added to one), small biases."""
    import torch

    digest = hashlib.sha256(f"{seed} {name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
    values = torch.randn(shape, generator=generator)
    if len(shape) > 1:
        values *= shape[-1] ** -0.5
    elif name.endswith("bias"):
        values *= 0.02
    else:
        values = 0.1 * values + (0.0 if config["model_type"].startswith("gemma") else 1.0)
    return values.to(getattr(torch, config["torch_dtype"]))


# ---- sentence-transformers ----


def _write_modules(folder: Path, modules: Mapping[str, Any], config: Mapping[str, Any]) -> None:
    """Write what sentence-transformers reads beside a model: its modules, pooling, and the longest text."""
    kinds = {"": "Transformer", "1_Pooling": "Pooling", "2_Normalize": "Normalize"}
    files.write_json(
        folder / "modules.json",
        [
            {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
            for place, (path, kind) in enumerate(kinds.items())
        ],
    )
    pooling = {f"pooling_mode_{mode}": mode.startswith(modules["pooling"]) for mode in _POOLING}
    files.write_json(
        folder / "1_Pooling" / "config.json", {"word_embedding_dimension": config["hidden_size"], **pooling}
    )
    files.write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": modules["max_tokens"], "do_lower_case": modules["lower"]},
    )
    versions = {"sentence_transformers": "2.2.2", "transformers": "4.28.1", "pytorch": "1.13.0+cu117"}
    files.write_json(folder / "config_sentence_transformers.json", {"__version__": versions})


_POOLING = ("cls_token", "mean_tokens", "max_tokens", "mean_sqrt_len_tokens")
