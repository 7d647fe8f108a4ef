"""A GGUF file of a Llama → a model folder: config.json, safetensors, tokenizer, chat template, generation settings.

Transformers reads the architecture and puts the rows of the attention matrices back into its order. Values stay 32 bits
wide: a packed value is a scale times a small whole number, which 16 bits do not hold. The tokenizer is built here from
the file's tokens and merges, because the text is divided differently before BPE in every family, which the file names.
Then every tensor is compared with the file's own.
"""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.quantize.llama_converter import LLAMA3_SPLIT

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CONTROL, USER_DEFINED = 3, 4  # token types of GGUF
SPECIAL = {
    "bos_token": "bos_token_id",
    "eos_token": "eos_token_id",
    "unk_token": "unknown_token_id",
    "pad_token": "padding_token_id",
}


class Contents(NamedTuple):
    """A GGUF file, opened: its settings, and its tensors as they are packed."""

    path: Path
    settings: dict[str, Any]
    tensors: Sequence[Any]

    @property
    def architecture(self) -> str:
        """The architecture, which also begins the names of its settings."""
        return self.settings["general.architecture"]

    def of_tokenizer(self, name: str, default: Any = None) -> Any:
        """Return a setting of the tokenizer."""
        return self.settings.get(f"tokenizer.ggml.{name}", default)


def read(path: str | Path) -> Contents:
    """Return what a GGUF file holds."""
    try:
        from gguf import GGUFReader
    except ModuleNotFoundError:
        raise JudgemergeError(
            f"{path}: reading a GGUF file takes the package gguf; run `make venv`, or start Snakemake with --sdm conda"
        ) from None
    try:
        reader = GGUFReader(path)
    except (ValueError, OSError, IndexError) as error:
        raise JudgemergeError(f"{path}: is no GGUF file that can be read ({error}); get it again") from None
    return Contents(Path(path), {name: entry.contents() for name, entry in reader.fields.items()}, reader.tensors)


def write_folder(path: str | Path, folder: str | Path) -> None:
    """Write the model of a GGUF file as a folder that Transformers loads."""
    contents, folder = read(path), Path(folder)
    if contents.architecture != "llama":
        raise JudgemergeError(
            f"{path}: has the architecture '{contents.architecture}'; only 'llama' is unpacked from GGUF, so use a "
            "package or a folder with safetensors"
        )
    tokenizer = tokenizer_of(contents)  # first: it takes a second, and refuses what nothing else would
    folder.mkdir(parents=True, exist_ok=True)
    model = _load(contents)
    model.save_pretrained(folder)
    _write_tokenizer(contents, tokenizer, folder)
    _write_settings(contents, folder)
    check_tensors(contents, folder)


def _load(contents: Contents):
    import torch
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about a tokenizer, which is built here
        return AutoModelForCausalLM.from_pretrained(
            contents.path.parent, gguf_file=contents.path.name, dtype=torch.float32, local_files_only=True
        )


# ---- tokenizer ----


def tokenizer_of(contents: Contents) -> "Tokenizer":
    """Return the byte-level BPE tokenizer of a GGUF file; refuse any other kind."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, processors

    kind, way = contents.of_tokenizer("model"), contents.of_tokenizer("pre", "default")
    if kind != "gpt2" or way not in _SPLITS:
        raise JudgemergeError(
            f"{contents.path}: has a tokenizer of kind '{kind}', '{way}'; only 'gpt2' with "
            f"{', '.join(sorted(_SPLITS))} is unpacked from GGUF, so use a package or a folder with safetensors"
        )
    tokens = contents.of_tokenizer("tokens")
    merges = [tuple(merge.split(" ", 1)) for merge in contents.of_tokenizer("merges")]
    vocabulary = {token: number for number, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges, ignore_merges=way == "llama-bpe"))
    tokenizer.pre_tokenizer = _SPLITS[way]()
    tokenizer.decoder = decoders.ByteLevel()
    kinds = dict(zip(tokens, contents.of_tokenizer("token_type"), strict=True))
    tokenizer.add_special_tokens(
        [AddedToken(one, normalized=False, special=True) for one in tokens if kinds[one] == CONTROL]
    )
    tokenizer.add_tokens([AddedToken(one, normalized=False) for one in tokens if kinds[one] == USER_DEFINED])
    begin = contents.of_tokenizer("bos_token_id")
    if begin is not None and contents.of_tokenizer("add_bos_token", way == "llama-bpe"):
        pieces = {"single": [tokens[begin], "$A"], "pair": [tokens[begin], "$A", tokens[begin], "$B"]}
        tokenizer.post_processor = processors.TemplateProcessing(**pieces, special_tokens=[(tokens[begin], begin)])
    return tokenizer


def _gpt2_split():
    from tokenizers import pre_tokenizers

    return pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)


def _smollm_split():
    """Return GPT-2's split after every digit has become a word of its own."""
    from tokenizers import pre_tokenizers

    return pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), _gpt2_split()])


def _llama3_split():
    from tokenizers import Regex, pre_tokenizers

    in_bytes = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    return pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3_SPLIT), "isolated"), in_bytes])


# How a text is divided before BPE, by llama.cpp's name of the family.
_SPLITS = {"gpt-2": _gpt2_split, "smollm": _smollm_split, "llama-bpe": _llama3_split}


def _write_tokenizer(contents: Contents, tokenizer: "Tokenizer", folder: Path) -> None:
    tokenizer.save(str(folder / "tokenizer.json"))
    tokens = contents.of_tokenizer("tokens")
    numbers = {name: contents.of_tokenizer(key) for name, key in SPECIAL.items()}
    named = {name: tokens[number] for name, number in numbers.items() if number is not None}
    files.write_json(folder / "special_tokens_map.json", named)
    config = {
        **named,
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": contents.settings[f"{contents.architecture}.context_length"],
        "clean_up_tokenization_spaces": False,
    }
    files.write_json(folder / "tokenizer_config.json", config)
    if template := contents.settings.get("tokenizer.chat_template"):
        (folder / "chat_template.jinja").write_text(template, encoding="utf-8")


def _write_settings(contents: Contents, folder: Path) -> None:
    """Put the special tokens into the generation settings, and into config.json, as the file has them."""
    numbers = {f"{name}_id": contents.of_tokenizer(SPECIAL[name]) for name in ("bos_token", "eos_token", "pad_token")}
    numbers = {key: number for key, number in numbers.items() if number is not None}
    config = files.read_json(folder / "config.json")
    for key in ("_name_or_path", "_model_name_or_path"):
        config.pop(key, None)
    epsilon = float(np.format_float_positional(np.float32(config["rms_norm_eps"])))  # 1e-05, which is 9.99…e-06 there
    files.write_json(folder / "config.json", {**config, **numbers, "rms_norm_eps": epsilon})
    files.write_json(folder / "generation_config.json", numbers)


# ---- proof ----


def check_tensors(contents: Contents, folder: str | Path) -> None:
    """Refuse a folder with other values than the GGUF file: every tensor, unpacked by llama.cpp's own library."""
    from gguf import dequantize

    config = files.read_json(Path(folder, "config.json"))
    packed = {tensor.name: tensor for tensor in contents.tensors}
    for name, tensor in models.tensors(folder):
        original = packed.pop(name_in_gguf(name), None)
        if original is None:
            raise JudgemergeError(f"{contents.path}: has no tensor for '{name}'; the file is not complete")
        values = dequantize(original.data, original.tensor_type).reshape(tensor.shape)
        if not np.array_equal(in_order_of_gguf(name, tensor.numpy(), config), values):
            raise JudgemergeError(f"{contents.path}: '{name}' was not unpacked as llama.cpp does it")
    if packed:
        raise JudgemergeError(f"{contents.path}: '{min(packed)}' was left out when the file was unpacked")


def name_in_gguf(name: str) -> str:
    """Return how a tensor of a Llama is called in GGUF."""
    for of_transformers, of_gguf in _NAMES:
        name = name.replace(of_transformers, of_gguf)
    return name


_NAMES = (
    ("model.layers.", "blk."),
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("lm_head", "output"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("post_attention_layernorm", "ffn_norm"),
    ("input_layernorm", "attn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
)


def in_order_of_gguf(name: str, values: np.ndarray, config: Mapping[str, Any]) -> np.ndarray:
    """Return a tensor with its rows as llama.cpp has them: of queries and keys, the halves of each head interleaved."""
    heads = {"q_proj.weight": "num_attention_heads", "k_proj.weight": "num_key_value_heads"}
    key = next((key for end, key in heads.items() if name.endswith(end)), None)
    if key is None:
        return values
    in_halves = values.reshape(config[key], 2, -1, *values.shape[1:])
    return in_halves.swapaxes(1, 2).reshape(values.shape)
