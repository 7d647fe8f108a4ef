"""Prompts read as a tree of segments, against Transformers' own reading of whole prompts, on tiny random models."""

import random
from types import SimpleNamespace

import pytest
import torch
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    GemmaConfig,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    MixtralConfig,
    Olmo2Config,
    OPTConfig,
    Phi3Config,
    PhiConfig,
    Qwen2Config,
    Qwen3Config,
    StableLmConfig,
)

from judgemerge.judge import batching, decoding, packing
from judgemerge.judge.backends.transformers import Transformers

SIZES = {
    "vocab_size": 60,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 512,
    "initializer_range": 0.3,
    "pad_token_id": 0,
}
OTHER_SIZES = {"vocab_size": 60, "max_position_embeddings": 512, "num_hidden_layers": 2, "num_attention_heads": 4}
FAMILIES = [
    LlamaConfig(**SIZES),
    MistralConfig(**SIZES, sliding_window=None),
    MixtralConfig(**SIZES, num_local_experts=2),
    Qwen2Config(**SIZES),
    Qwen3Config(**SIZES, head_dim=16),
    GemmaConfig(**SIZES, head_dim=16),
    PhiConfig(**SIZES),
    Phi3Config(**SIZES),
    Olmo2Config(**SIZES),
    GPT2Config(vocab_size=60, n_positions=512, n_embd=32, n_layer=2, n_head=4, initializer_range=0.3),
    OPTConfig(**OTHER_SIZES, hidden_size=32, ffn_dim=48, word_embed_proj_dim=32, init_std=0.3),
]
STOP = [3, 4, 5, 6]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    """Compute with one thread: several wait for each other for longer than they compute."""
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(n_threads)


def model_of(config):
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="sdpa").eval()
    decoding.quicken(model)
    return model


@pytest.fixture(scope="module")
def model():
    return model_of(LlamaConfig(**SIZES))


@pytest.fixture(scope="module")
def rows():
    """Return the prompts of all pairs of three responses to some questions, of quite different lengths."""
    draw = random.Random(1)

    def some(low, high):
        return [draw.randrange(7, 60) for _ in range(draw.randrange(low, high))]

    start, found = some(25, 26), []
    for _ in range(4):
        question, responses = some(17, 40), [some(18, 60) for _ in range(3)]
        found += [start + question + one + two for one in responses for two in responses if one is not two]
    return found


def whole(rows, tails=None):
    tails = tails or [1] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    return prefix, batching.groups(rows, tails, prefix, 100_000)


@torch.inference_mode()
def by_generate(model, row, n_new):
    written = model.generate(
        torch.tensor([row]), do_sample=False, max_new_tokens=n_new, eos_token_id=STOP, pad_token_id=0
    )
    return written[0, len(row) :].tolist()


@pytest.mark.parametrize("size", [1, 100, 10_000], ids=lambda size: f"slices of {size}")
def test_replies_are_those_of_single_prompts(model, rows, size, monkeypatch):
    monkeypatch.setattr(packing, "SLICE", size)
    monkeypatch.setattr(packing, "LOOKS", 7)
    expected = [by_generate(model, row, 12) for row in rows]
    prefix, groups = whole(rows)
    order = [index for group in groups for index in group.rows]
    for sharing in (True, False):
        reader = packing.PackedReader(model, rows, prefix if sharing else 0, sharing)
        replies = decoding.reply(reader, groups, 12, STOP)
        assert [replies[place] for place in map(order.index, range(len(rows)))] == expected
        short = decoding.reply(reader, groups, 1, STOP)
        assert [short[place] for place in map(order.index, range(len(rows)))] == [one[:1] for one in expected]


def test_logits_of_tails_are_those_of_whole_rows_whatever_is_read_together(model, rows, monkeypatch):
    tails = [1 + place % 4 for place in range(len(rows))]
    prefix, groups = whole(rows, tails)
    for size in (1, 70, 10_000):
        monkeypatch.setattr(packing, "SLICE", size)
        reader = packing.PackedReader(model, rows, prefix)
        found = {index: logits for ends in reader.tail_logits(groups, tails) for index, logits in ends}
        for index, row in enumerate(rows):
            with torch.inference_mode():
                expected = model(torch.tensor([row])).logits[0, -tails[index] :]
            assert torch.allclose(found[index], expected, atol=1e-4)


def test_every_beginning_is_read_once_and_nothing_is_padded(model, rows):
    seen = []
    hook = model.model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    prefix, groups = whole(rows)
    packing.PackedReader(model, rows, prefix).read_all(groups, 1)
    hook.remove()
    questions = {tuple(row[:42]) for row in rows}  # the shortest question has 17 tokens
    assert prefix == 25 and len(questions) == 4
    beginnings = {tuple(row[:end]) for row in rows for end in range(1, len(row) + 1)}
    assert len(beginnings) <= sum(seen) < len(beginnings) + batching.SHORTEST * len(rows) / 2
    assert sum(seen) < 0.7 * sum(map(len, rows))


@pytest.mark.parametrize("config", FAMILIES, ids=lambda config: config.model_type)
def test_families_of_models_write_what_they_write_by_themselves(config, rows):
    model = model_of(config)
    assert packing.packs(model)
    prefix, groups = whole(rows[:12])
    replies = decoding.reply(packing.PackedReader(model, rows[:12], prefix), groups, 6, STOP)
    order = [index for group in groups for index in group.rows]
    assert replies == [by_generate(model, rows[index], 6) for index in order]


def test_a_model_whose_attention_is_not_handed_the_layout_does_not_pack(model):
    assert packing.packs(model)
    model.set_attn_implementation("eager")
    try:
        assert not packing.packs(model)
    finally:
        model.set_attn_implementation("sdpa")
        decoding.quicken(model)


def test_a_model_that_gives_other_logits_does_not_pack(model, monkeypatch):
    monkeypatch.setattr(packing, "_mask", lambda n_tokens, n_keys: torch.ones(1, 1, n_tokens, n_keys).bool())
    assert not packing.packs(model)


@pytest.mark.parametrize(
    ("config", "reader"),
    [
        (LlamaConfig(**SIZES), packing.PackedReader),
        (Gemma2Config(**SIZES, head_dim=16), decoding.Reader),
        (StableLmConfig(**SIZES), decoding.Reader),
    ],
    ids=["llama", "gemma2", "stablelm"],
)
def test_models_that_forget_or_do_not_hand_the_layout_on_are_read_row_by_row(config, reader):
    backend = object.__new__(Transformers)
    backend.__dict__["model"] = model_of(config)
    assert type(backend._reader([[1, 2, 3]], 0)) is reader


def test_on_a_gpu_rows_are_padded():
    backend = object.__new__(Transformers)
    config = SimpleNamespace(_attn_implementation="sdpa", get_text_config=lambda: LlamaConfig(**SIZES))
    backend.__dict__["model"] = SimpleNamespace(config=config)
    assert backend.packs is False
