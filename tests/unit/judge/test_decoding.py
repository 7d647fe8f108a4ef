"""Our decoding of batches against Transformers' `generate`, prompt by prompt, on tiny models with random weights."""

import copy
import random
from types import SimpleNamespace

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, MambaConfig, MistralConfig, MistralForCausalLM

from judgemerge.judge import batching, decoding
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
}
STOP = [3, 4, 5, 6]


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return LlamaForCausalLM(LlamaConfig(**SIZES)).eval()


@pytest.fixture(scope="module")
def rows():
    """Return prompts that begin alike, in pairs that share more, of quite different lengths."""
    draw = random.Random(1)

    def some(low, high):
        return [draw.randrange(7, 60) for _ in range(draw.randrange(low, high))]

    start, found = some(25, 26), []
    for _ in range(12):
        question, one, two = some(17, 40), some(1, 30), some(1, 30)
        found += [start + question + one + two, start + question + two + one]
    return found


@torch.inference_mode()
def by_generate(model, row, n_new):
    ids = torch.tensor([row])
    written = model.generate(ids, do_sample=False, max_new_tokens=n_new, eos_token_id=STOP, pad_token_id=0)
    return written[0, len(row) :].tolist()


@pytest.mark.parametrize("size", [1, 100, 10_000], ids=lambda size: f"slices of {size}")
def test_replies_are_those_of_single_prompts(model, rows, size, monkeypatch):
    monkeypatch.setattr(decoding, "SLICE", size)
    expected = [by_generate(model, row, 24) for row in rows]
    lengths = sorted(map(len, expected))
    assert lengths[0] < lengths[len(lengths) // 2] <= lengths[-1], "rows must end at different times"
    tails = [1] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    groups = batching.groups(rows, tails, prefix, 100_000)
    assert prefix == 25 and len(groups) == 12
    for shared, found in ((prefix, groups), (0, batching.single_rows(rows, tails))):
        reader = decoding.Reader(model, rows, shared)
        replies = decoding.reply(reader, found, 24, STOP)
        order = [index for group in found for index in group.rows]
        assert [replies[place] for place in map(order.index, range(len(rows)))] == expected


def test_attending_in_groups_changes_no_bit(model, rows):
    quick = copy.deepcopy(model)
    decoding.quicken(quick)
    assert quick.config._attn_implementation == decoding.GROUPED
    ids, mask = decoding.left_padded(rows)
    with torch.inference_mode():
        expected = model(ids, attention_mask=mask).logits[:, -1]
        assert torch.equal(quick(ids, attention_mask=mask).logits[:, -1], expected)
        alone = model(ids[:1, -5:]).logits
        assert torch.equal(quick(ids[:1, -5:]).logits, alone)


def test_what_is_shared_is_computed_once(model, rows, monkeypatch):
    monkeypatch.setattr(decoding, "SLICE", 300)
    seen = []
    hook = model.model.register_forward_pre_hook(
        lambda _, args, kwargs: seen.append(kwargs["input_ids"].numel()), with_kwargs=True
    )
    tails = [1] * len(rows)
    (groups,) = batching.batches(rows, batching.groups(rows, tails, 25, 100_000), 100_000, 0)
    reader = decoding.Reader(model, rows, 25)
    for part in reader.slices(groups):
        reader.read(part)
    hook.remove()
    alone = sum(map(len, rows))
    least = 25 + sum(g.shared - 25 + sum(len(rows[index]) - g.shared for index in g.rows) for g in groups)
    assert least <= sum(seen) < 1.2 * least < 0.7 * alone


def test_logits_of_tails_are_those_of_whole_rows(model, rows):
    tails = [3] * len(rows)
    prefix = batching.shared_by_all(rows, tails)
    groups = batching.groups(rows, tails, prefix, 100_000)
    reader = decoding.Reader(model, rows, prefix)
    found = {index: logits for part in reader.slices(groups) for index, logits in reader.last_logits(part, tails)}
    for index, row in enumerate(rows):
        with torch.inference_mode():
            whole = model(torch.tensor([row])).logits[0, -3:]
        assert torch.allclose(found[index], whole, atol=1e-4)


def test_a_model_that_forgets_is_left_to_transformers(rows):
    torch.manual_seed(0)
    model = MistralForCausalLM(MistralConfig(**SIZES, sliding_window=16)).eval()
    expected = [by_generate(model, row, 12) for row in rows[:6]]
    decoding.quicken(model)
    model.generation_config.repetition_penalty = 5.0  # as some models ship it
    replies = decoding.reply_by_generate(model, rows[:6], 12, STOP)
    assert [reply[: len(own)] for reply, own in zip(replies, expected, strict=True)] == expected


@pytest.mark.parametrize(
    ("config", "forgets"),
    [
        (LlamaConfig(**SIZES), False),
        (MistralConfig(**SIZES, sliding_window=None), False),
        (MistralConfig(**SIZES, sliding_window=16), True),
        (MambaConfig(vocab_size=60, hidden_size=32), True),
    ],
    ids=lambda value: type(value).__name__,
)
def test_models_that_forget_are_known_by_their_settings(config, forgets):
    backend = object.__new__(Transformers)
    backend.__dict__["model"] = SimpleNamespace(config=config)
    assert backend.forgets is forgets
