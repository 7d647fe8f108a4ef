"""A tiny, untrained Llama with a Llama-3-style tokenizer and chat template, for the demo study and the tests.

Small enough to train on two CPU cores, real enough that LLaMA-Factory, mergekit and llama.cpp treat it as any Llama.
Row sizes are multiples of 256, so that llama.cpp's K-quants apply to every matrix.
"""

from collections.abc import Iterable
from pathlib import Path

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from transformers import GenerationConfig, LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError

# <|eom_id|> is included because LLaMA-Factory's llama3 template adds it otherwise.
SPECIAL = (
    "<|begin_of_text|>",
    "<|end_of_text|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|eot_id|>",
    "<|eom_id|>",
)
# Llama-3's published split regex; the GGUF converter recognises the tokenizer by it.
SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
CHAT = (
    "{% set loop_messages = messages %}{% for message in loop_messages %}"
    "{% set content = '<|start_header_id|>' + message['role'] + '<|end_header_id|>\n\n'"
    "+ message['content'] | trim + '<|eot_id|>' %}"
    "{% if loop.index0 == 0 %}{% set content = bos_token + content %}{% endif %}{{ content }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\n\n' }}{% endif %}"
)
TEMPLATE = "llama3"  # LLaMA-Factory's name of it
ROW = 256


def train_tokenizer(texts: Iterable[str], vocab_size: int = 1536) -> PreTrainedTokenizerFast:
    """Return a byte-level BPE tokenizer with Llama-3's split regex, special tokens and chat template.

    `vocab_size` counts the special tokens. Texts without enough variety give fewer tokens, which is an error.
    """
    tokenizer = Tokenizer(models.BPE(ignore_merges=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT), behavior="isolated", invert=False),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size - len(SPECIAL),
        special_tokens=[],
        show_progress=False,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.add_special_tokens(list(SPECIAL))  # after the BPE vocabulary, as in Llama-3
    if tokenizer.get_vocab_size() < vocab_size:
        raise JudgemergeError(
            f"tiny tokenizer: the texts give {tokenizer.get_vocab_size()} tokens, not {vocab_size}; "
            "give more varied texts or a smaller vocab_size"
        )
    tokenizer.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                pair="<|begin_of_text|> $A <|begin_of_text|>:1 $B:1",
                special_tokens=[("<|begin_of_text|>", tokenizer.token_to_id("<|begin_of_text|>"))],
            ),
        ]
    )
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<|begin_of_text|>",
        eos_token="<|end_of_text|>",
        pad_token="<|end_of_text|>",
        model_input_names=["input_ids", "attention_mask"],
        clean_up_tokenization_spaces=False,
        model_max_length=8192,
        additional_special_tokens=list(SPECIAL[2:]),
    )
    wrapped.chat_template = CHAT
    return wrapped


def make_base(
    folder: str | Path,
    texts: Iterable[str],
    seed: int,
    *,
    hidden: int = 256,
    intermediate: int = 256,
    layers: int = 4,
    heads: int = 4,
    key_value_heads: int = 2,
    vocab_size: int = 1536,
) -> int:
    """Write an untrained Llama and its tokenizer, learned from `texts`, to `folder`; return the number of parameters.

    The same arguments give the same bytes. Torch's global generator is left as it was.
    """
    for name, size in (("hidden", hidden), ("intermediate", intermediate), ("vocab_size", vocab_size)):
        if size % ROW:
            raise JudgemergeError(f"tiny model: {name} is {size}; give a multiple of {ROW}, which K-quants need")
    tokenizer = train_tokenizer(texts, vocab_size)
    config = LlamaConfig(
        vocab_size=vocab_size,
        hidden_size=hidden,
        intermediate_size=intermediate,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=key_value_heads,
        max_position_embeddings=8192,
        rms_norm_eps=1e-5,
        rope_theta=500000.0,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        tie_word_embeddings=False,
        initializer_range=hidden**-0.5,
        dtype="float32",
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    model.generation_config = GenerationConfig(
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=[tokenizer.eos_token_id, tokenizer.convert_tokens_to_ids("<|eot_id|>")],
        pad_token_id=tokenizer.pad_token_id,
    )
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    files.make_group_readable(folder)  # safetensors 0.8.0 writes 0600
    return sum(parameter.numel() for parameter in model.parameters())
