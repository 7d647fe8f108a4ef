"""What stands beside the weights: whether models mean the same by their numbers, and which of them describes a merge.

A difference is refused unless the merge names it in `allow`. Configs are compared as a whole but for the keys of
HARMLESS: filled up with the defaults of their class where the two are not written alike. How a model speaks (chat
template, special tokens) is compared among those that have a chat template: a pretrained base has none.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge.names import same_backbone
from judgemerge.prompting import chat_templates

if TYPE_CHECKING:
    from judgemerge.merge.recipes import Merge

# Keys of config.json that do not decide what the numbers mean: names, versions, formats, training alone, what a call
# returns. Everything else has to be equal.
HARMLESS = frozenset(
    {
        "_name_or_path", "name_or_path", "transformers_version", "dtype", "torch_dtype", "auto_map", "use_cache",
        "_attn_implementation", "_attn_implementation_autoset", "attn_implementation", "output_attentions",
        "output_hidden_states", "return_dict", "torchscript", "gradient_checkpointing", "pretraining_tp",
        "initializer_range", "initializer_factor", "attention_dropout", "hidden_dropout", "hidden_dropout_prob",
        "attention_probs_dropout_prob", "classifier_dropout", "classifier_dropout_prob", "resid_pdrop", "embd_pdrop",
        "attn_pdrop", "dropout", "dropout_rate", "activation_dropout", "router_jitter_noise", "router_aux_loss_coef",
        "output_router_logits", "problem_type", "finetuning_task", "task_specific_params", "pad_token_id",
        "_commit_hash", "unsloth_fixed", "unsloth_version", "model_name", "neftune_noise_alpha", "use_bfloat16",
        "tokenizer_class",
    }
)  # fmt: skip
# Keys without which models cannot be merged at all; `allow` does not help there, for their tensors differ.
STRUCTURE = frozenset(
    {
        "model_type", "architectures", "hidden_size", "d_model", "intermediate_size", "d_ff", "num_hidden_layers",
        "num_layers", "num_attention_heads", "num_heads", "num_key_value_heads", "head_dim", "vocab_size",
        "num_local_experts", "num_experts",
    }
)  # fmt: skip
# What a turn begins and ends with belongs to the chat template: a pretrained base has other ends than its experts.
SPEECH = frozenset({"bos_token_id", "eos_token_id"})
_ROPE = ("rope_theta", "rope_scaling", "rope_parameters")
_OPTIONAL = frozenset({"architectures", "id2label", "label2id"})  # counted only where both models have them
_SPECIAL = ("bos_token", "unk_token", "cls_token", "sep_token", "mask_token", "add_bos_token")
TEMPLATE, TOKENS = "chat_template", "special_tokens"


def special_tokens(folder: str | Path) -> dict:
    """Return the special tokens that decide what a prompt's tokens are, as the tokenizer's settings name them."""
    tokens: dict = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        if Path(folder, name).is_file():
            tokens |= {key: value for key, value in files.read_json(Path(folder, name)).items() if value is not None}
    return {key: _content(tokens[key]) for key in (*_SPECIAL, "eos_token") if key in tokens}


def _content(token):
    return token.get("content") if isinstance(token, Mapping) else token


def turn_ends(folder: str | Path, ids: Mapping[str, int] | None = None) -> set:
    """Return what may end a turn: the ids in both configs, and the tokenizer's end token (its id, if known)."""
    ends: set = set()
    for name in ("config.json", "generation_config.json"):
        if Path(folder, name).is_file():
            ids_of_file = files.read_json(Path(folder, name)).get("eos_token_id")
            ends |= {*ids_of_file} if isinstance(ids_of_file, list) else {ids_of_file}
    token = special_tokens(folder).get("eos_token")
    return (ends | {(ids or {}).get(token, token)}) - {None}


def meaning(config: Mapping) -> dict:
    """Return the keys of a config that have to be equal, rope written one way, nested configs flat with dots."""
    flat: dict = {}
    for key, value in _rope(config).items():
        if key in HARMLESS or value is None:
            continue
        if isinstance(value, Mapping) and key.endswith("_config"):
            flat |= {f"{key}.{inner}": entry for inner, entry in meaning(value).items()}
        else:
            flat[key] = value
    return flat


def _rope(config: Mapping) -> dict:
    """Return the config with `rope_theta` and `rope_scaling` alone, as transformers wrote them before version 5."""
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    rest = {key: value for key, value in config.items() if key not in _ROPE}
    if any(isinstance(value, Mapping) for value in rope.values()):  # one per kind of layer
        return {**rest, "rope_parameters": rope, "rope_theta": config.get("rope_theta")}
    scaling = {("rope_type" if key == "type" else key): value for key, value in rope.items()}
    theta = scaling.pop("rope_theta", config.get("rope_theta"))
    plain = scaling.get("rope_type", "default") == "default"
    factor = {key: value for key, value in scaling.items() if key == "partial_rotary_factor"}
    return {**factor, **rest, "rope_theta": theta, "rope_scaling": None if plain else scaling}


def config_differences(one: Mapping, two: Mapping) -> Iterator[tuple[str, object, object]]:
    """Yield (key, value in `one`, value in `two`) of what has to be equal and is not; None stands for no value.

    Where the configs are not written alike, both are filled up with the defaults of their class (transformers has to be
    installed; without it a key that one lacks is not compared).
    """
    ours, theirs = meaning(one), meaning(two)
    if ours == theirs:
        return
    filled = [_filled(config) for config in (one, two)]
    are_filled = all(config is not None for config in filled)
    if are_filled:
        ours, theirs = map(meaning, filled)
    # The kind of model first: what follows from it says less.
    for key in sorted({**ours, **theirs}, key=lambda key: key != "model_type"):
        name = key.rpartition(".")[2]
        if (name in _OPTIONAL or not are_filled) and not (key in ours and key in theirs):
            continue
        if ours.get(key) != theirs.get(key):
            yield key, ours.get(key), theirs.get(key)


def _filled(config: Mapping) -> dict | None:
    """Return the config with its class's defaults, None when transformers is missing or does not know the class."""
    try:
        from transformers import AutoConfig
    except ImportError:
        return None
    try:
        filled = AutoConfig.for_model(**config).to_dict()
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return json.loads(json.dumps(filled, default=str))


def speaking(folders: Mapping[str, str | Path]) -> list[str]:
    """Return the models that have a chat template; all of them if none has."""
    return [name for name, folder in folders.items() if chat_templates.read_all(folder)] or list(folders)


def check(folders: Mapping[str, str | Path], allow: Collection[str] = ()) -> None:
    """Refuse models whose configs, chat templates or special tokens differ, unless `allow` names the difference."""
    names, heard = list(folders), speaking(folders)
    configs = {name: files.read_json(Path(folders[name], "config.json")) for name in names}
    for name in names[1:]:
        one_encoder = same_backbone(configs[names[0]], configs[name])
        for key, ours, theirs in config_differences(configs[names[0]], configs[name]):
            if key.rpartition(".")[2] not in SPEECH and not (key == "architectures" and one_encoder):
                _refuse(key, folders[name], theirs, folders[names[0]], ours, allow)
    for name in heard[1:]:
        first = heard[0]
        for key, ours, theirs in config_differences(configs[first], configs[name]):
            if key.rpartition(".")[2] in SPEECH:
                _refuse(key, folders[name], theirs, folders[first], ours, allow)
        _check_speech(folders[first], folders[name], allow)


def _check_speech(one: str | Path, two: str | Path, allow: Collection[str]) -> None:
    templates = [chat_templates.read_all(folder) for folder in (one, two)]
    if all("default" in named for named in templates):  # others are for tools and retrieval
        templates = [{"default": named["default"]} for named in templates]
    ours, theirs = map(_as_text, templates)
    if ours != theirs and TEMPLATE not in allow:
        place = first_difference(ours, theirs)
        mine, other = (text[max(0, place - 20) : place + 40] for text in (ours, theirs))
        raise JudgemergeError(
            f"{two}: {TEMPLATE} is …{other!r}…, but …{mine!r}… in {one}; merge models that are asked alike, or put "
            f"{TEMPLATE} into the merge's `allow` (`donor` says whose it gets)"
        )
    if TOKENS in allow:
        return
    our_tokens, their_tokens = special_tokens(one), special_tokens(two)
    for key in _SPECIAL:
        if key in our_tokens and key in their_tokens and our_tokens[key] != their_tokens[key]:
            _refuse_tokens(two, key, their_tokens[key], one, our_tokens[key])
    ids = added_ids(Path(one, "tokenizer.json"))
    our_ends, their_ends = turn_ends(one, ids), turn_ends(two, ids)
    if our_ends and their_ends and not our_ends & their_ends:
        _refuse_tokens(two, "eos_token", sorted(map(str, their_ends)), one, sorted(map(str, our_ends)))


def _as_text(templates: Mapping[str, str]) -> str:
    """Return chat templates as one text to compare: the only one as it is, several as JSON."""
    texts = {name: text.strip() for name, text in templates.items()}
    return texts["default"] if [*texts] == ["default"] else json.dumps(texts, sort_keys=True)


def first_difference(one: Sequence, two: Sequence) -> int:
    """Return where two texts, or two lists, begin to differ."""
    places = (place for place, (ours, theirs) in enumerate(zip(one, two, strict=False)) if ours != theirs)
    return next(places, min(len(one), len(two)))


def added_ids(path: Path) -> dict[str, int]:
    """Return token → id of what a tokenizer.json adds to its vocabulary; nothing without the file."""
    added = files.read_json(path).get("added_tokens", []) if path.is_file() else []
    return {entry["content"]: entry["id"] for entry in added}


def _refuse_tokens(two: str | Path, key: str, theirs, one: str | Path, ours) -> None:
    raise JudgemergeError(
        f"{two}: {key} is {theirs!r}, but {ours!r} in {one}; merge models with the same special tokens, or put "
        f"{TOKENS} into the merge's `allow`"
    )


def _refuse(key: str, two: str | Path, theirs, one: str | Path, ours, allow: Collection[str]) -> None:
    name = key.rpartition(".")[2]
    if name in STRUCTURE:
        remedy = "only models of one architecture can be merged"
    elif key in allow or name in allow:
        return
    else:
        remedy = f"their numbers mean different things: merge models that agree, or put {key} into the merge's `allow`"
    raise JudgemergeError(
        f"{Path(two, 'config.json')}: '{key}' is {_shown(theirs)}, but {_shown(ours)} in {Path(one, 'config.json')}; "
        f"{remedy}"
    )


def _shown(value) -> str:
    return "missing" if value is None else repr(value)


def donor(merge: "Merge", folders: Mapping[str, str | Path]) -> str:
    """Return the model that a merge takes config, tokenizer, chat template and generation settings from.

    That is `donor` of the merge, else its base, else its first model; where that one has no chat template, the first of
    the others that has one. `folders` holds the models that are read as such, no adapters.
    """
    if merge.donor:
        if merge.donor not in folders:
            raise JudgemergeError(
                f"donor '{merge.donor}' is no model that the merge reads as such; name one of: {', '.join(folders)}"
            )
        return merge.donor
    order = [name for name in merge.models_read if name in folders] or list(folders)
    return next((name for name in order if chat_templates.read_all(folders[name])), order[0])
