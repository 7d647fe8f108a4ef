"""Weights from examples: every loss against its formula, the traps of the original, and the published package."""

import math
import os
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.merge import cocktail, losses
from judgemerge.merge.engine import softmax

EXAMPLES = [
    {"input": "Rate the answer. Question: why?", "output": "Rating: 4"},
    {"input": "Rate the answer. Question: when, and for how long?", "output": "Rating: 2"},
    {"input": "Compare.", "output": "The first is better"},
]
RANKED = [
    {"query": "the red house", "pos": ["a house that is red"], "neg": ["a boat", "a tree on a hill", "a green car"]},
    {"query": "a boat", "pos": ["a ship at sea"], "neg": ["the house", "a lamp", "the old street"]},
    {"query": "one tree", "pos": ["an oak"], "neg": ["the sea", "a red lamp", "two boats"]},
]


@pytest.fixture(scope="module")
def decoder(tiny_models):
    from transformers import AutoModelForCausalLM, AutoTokenizer

    return AutoModelForCausalLM.from_pretrained(tiny_models["one"]), AutoTokenizer.from_pretrained(tiny_models["one"])


@pytest.fixture(scope="module")
def berts(tiny_models, tmp_path_factory):
    """Return two random encoders and two random rerankers in one tokenizer, by kind."""
    from transformers import AutoTokenizer, BertConfig, BertForSequenceClassification, BertModel

    folder = tmp_path_factory.mktemp("berts")
    tokenizer = AutoTokenizer.from_pretrained(tiny_models["one"])
    size = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 64,
        "vocab_size": 512,
        "num_labels": 1,
    }
    config = BertConfig(**size)
    found = {}
    for kind, model_class in (("encoder", BertModel), ("reranker", BertForSequenceClassification)):
        found[kind] = {}
        for seed, name in enumerate(("one", "two")):
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                model_class(config).save_pretrained(folder / kind / name)
            tokenizer.save_pretrained(folder / kind / name)
            found[kind][name] = folder / kind / name
    return found


def surprise(model, ids, n_prompt):
    """Return the sum of −log p over the tokens after the prompt, and their number, one example at a time."""
    with torch.inference_mode():
        logs = model(torch.tensor([ids])).logits[0].log_softmax(-1)
    values = [-logs[place - 1, ids[place]].item() for place in range(n_prompt, len(ids))]
    return sum(values), len(values)


def test_the_decoder_loss_is_the_mean_surprise_of_the_answers(decoder):
    model, tokenizer = decoder
    sums = []
    for example in EXAMPLES:
        ids = [*tokenizer.encode(f"{example['input']} {example['output']}"), tokenizer.eos_token_id]
        sums.append(surprise(model, ids, len(tokenizer.encode(example["input"]))))
    (a, n_a), (b, n_b), (c, n_c) = sums
    loss = losses.decoder_loss(model, tokenizer, EXAMPLES)
    # Batches of two, each the mean over its tokens; the short last batch counts in full, as published.
    assert loss.value == pytest.approx(((a + b) / (n_a + n_b) + c / n_c) / 2, rel=1e-5)
    assert (loss.n_examples, loss.n_batches, loss.n_cut) == (3, 2, 0)
    by_example = losses.decoder_loss(model, tokenizer, EXAMPLES, average="example")
    assert by_example.value == pytest.approx((2 * (a + b) / (n_a + n_b) + c / n_c) / 3, rel=1e-5)


def test_a_pad_token_that_is_the_end_token_hides_nothing_and_none_is_needed(decoder):
    model, tokenizer = decoder
    assert tokenizer.pad_token_id == tokenizer.eos_token_id
    value = losses.decoder_loss(model, tokenizer, EXAMPLES).value
    pad, tokenizer.pad_token = tokenizer.pad_token, None
    try:
        assert losses.decoder_loss(model, tokenizer, EXAMPLES).value == value
    finally:
        tokenizer.pad_token = pad
    ids, n_prompt, _ = losses.decoder_ids(tokenizer, EXAMPLES[0], 1, 2048)
    assert ids[-1] == tokenizer.eos_token_id and n_prompt < len(ids)


def test_messages_go_through_the_chat_template(decoder):
    model, tokenizer = decoder
    messages = [{"role": "user", "content": "Which?"}]
    ids, n_prompt, _ = losses.decoder_ids(tokenizer, {"messages": messages, "output": "A"}, 1, 2048)
    assert tokenizer.decode(ids[:n_prompt]).endswith("assistant<|end_header_id|>\n\n")
    assert tokenizer.decode(ids[n_prompt:]) == "A<|eot_id|>"
    assert math.isfinite(losses.decoder_loss(model, tokenizer, [{"messages": messages, "output": "A"}]).value)


def test_prompts_beyond_the_limit_are_named_and_cut_answers_counted(decoder):
    model, tokenizer = decoder
    n_prompt = len(tokenizer.encode(EXAMPLES[1]["input"]))
    with pytest.raises(JudgemergeError, match=f"example 2: its prompt has {n_prompt} tokens"):
        losses.decoder_loss(model, tokenizer, EXAMPLES, max_length=n_prompt)
    assert losses.decoder_loss(model, tokenizer, EXAMPLES, max_length=n_prompt + 2).n_cut == 1


def test_the_encoder_loss_by_hand(berts):
    from transformers import AutoModel, AutoTokenizer

    model, tokenizer = (kind.from_pretrained(berts["encoder"]["one"]) for kind in (AutoModel, AutoTokenizer))
    model.eval()

    def vector(text):
        with torch.inference_mode():
            return torch.nn.functional.normalize(model(**tokenizer(text, return_tensors="pt"))[0][0, 0], dim=0)

    groups = losses.with_negatives(RANKED[:2], 2, seed=5)
    passages = [vector(text) for _, texts in groups for text in texts]
    expected = []
    for number, (query, _) in enumerate(groups):
        scores = torch.stack([vector(query) @ passage for passage in passages]) / 0.05
        expected.append(-scores.log_softmax(0)[3 * number].item())
    loss = losses.encoder_loss(model, tokenizer, RANKED[:2], n_negatives=2, seed=5)
    assert loss.value == pytest.approx(sum(expected) / 2, rel=1e-4)


def test_the_reranker_loss_by_hand(berts):
    from transformers import AutoModelForSequenceClassification, AutoTokenizer

    folder = berts["reranker"]["one"]
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    tokenizer = AutoTokenizer.from_pretrained(folder)
    expected = []
    for query, texts in losses.with_negatives(RANKED, 3, seed=0):
        with torch.inference_mode():
            scores = torch.stack([model(**tokenizer(query, text, return_tensors="pt")).logits[0, 0] for text in texts])
        expected.append(-scores.log_softmax(0)[0].item())
    loss = losses.reranker_loss(model, tokenizer, RANKED, n_negatives=3, average="example")
    assert loss.value == pytest.approx(sum(expected) / 3, rel=1e-4)


def test_the_encoder_decoder_loss_by_hand(tiny_models):
    from transformers import AutoTokenizer, T5Config, T5ForConditionalGeneration

    tokenizer = AutoTokenizer.from_pretrained(tiny_models["one"])
    config = T5Config(vocab_size=512, d_model=32, d_ff=64, num_layers=1, num_heads=2, d_kv=16, decoder_start_token_id=0)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = T5ForConditionalGeneration(config).eval()
    expected, n_tokens = 0.0, 0
    for example in EXAMPLES[:2]:
        ids, target = (torch.tensor([tokenizer.encode(example[key])]) for key in ("input", "output"))
        with torch.inference_mode():
            expected += model(input_ids=ids, labels=target).loss.item() * target.numel()
        n_tokens += target.numel()
    loss = losses.encoder_decoder_loss(model, tokenizer, EXAMPLES[:2])
    assert loss.value == pytest.approx(expected / n_tokens, rel=1e-4)


def test_negatives_are_drawn_with_the_seed_and_per_example():
    first = losses.with_negatives(RANKED, 2, seed=1)
    assert first == losses.with_negatives(RANKED, 2, seed=1)
    assert first[:2] == losses.with_negatives(RANKED[:2], 2, seed=1)
    assert any(first != losses.with_negatives(RANKED, 2, seed=seed) for seed in range(2, 6))
    with pytest.raises(JudgemergeError, match="example 1 has 3 negatives, but 7 are asked for"):
        losses.with_negatives(RANKED, 7, seed=1)


# ---- from losses to weights ----


@given(st.lists(st.floats(0, 50), min_size=1, max_size=5), st.floats(0.05, 100))
def test_weights_are_a_distribution_that_falls_with_the_loss(values, temperature):
    weights = softmax(values, temperature)
    assert sum(weights) == pytest.approx(1)
    assert all(0 <= weight <= 1 for weight in weights)
    ordered = [weight for _, weight in sorted(zip(values, weights, strict=True))]
    assert all(one >= two - 1e-12 for one, two in zip(ordered, ordered[1:], strict=False))


def test_limits_of_the_temperature():
    assert softmax([2.0, 2.0, 2.0], 5.0) == pytest.approx([1 / 3] * 3)
    assert softmax([1.0, 2.0], 1e-6) == [1.0, 0.0]
    assert softmax([1.0, 2.0], 1e9) == pytest.approx([0.5, 0.5])
    assert softmax([1.0, 2.0], 1.0) == pytest.approx([1 / (1 + math.exp(-1)), 1 / (1 + math.e)])


def test_models_are_mixed_with_the_weights_of_their_losses(tiny_models, tmp_path):
    folders = {name: tiny_models[name] for name in ("one", "two")}
    found = cocktail.mix_with_examples(folders, EXAMPLES, tmp_path / "mix", {"temperature": 0.01, "n_examples": 2}, 3)
    assert (found["n_examples"], found["n_given"]) == (2, 3)
    one, two = (found["losses"][name]["value"] for name in folders)
    assert found["weights"]["one"] == pytest.approx(1 / (1 + math.exp((one - two) / 0.01)))
    parents = {name: dict(models.tensors(folder)) for name, folder in folders.items()}
    for name, values in models.tensors(tmp_path / "mix"):
        mixed = found["weights"]["one"] * parents["one"][name] + found["weights"]["two"] * parents["two"][name]
        torch.testing.assert_close(values, mixed, rtol=0, atol=1e-7)


@pytest.mark.parametrize("kind", ["encoder", "reranker"])
def test_encoders_and_rerankers_are_weighed_and_mixed(berts, tmp_path, kind):
    parameters = {"kind": kind, "n_negatives": 2}
    found = cocktail.mix_with_examples(berts[kind], RANKED, tmp_path / "mix", parameters, seed=1)
    assert found["losses"]["one"]["value"] != found["losses"]["two"]["value"]
    again = cocktail.weigh(berts[kind], RANKED, parameters, seed=1)
    assert again["weights"] == found["weights"]
    assert losses.loss_of_model(tmp_path / "mix", kind, RANKED, 1, n_negatives=2).value > 0


def test_wrong_examples_are_named(tmp_path):
    path = tmp_path / "few.jsonl"
    files.write_jsonl(path, [EXAMPLES[0], {"input": "x"}])
    with pytest.raises(
        JudgemergeError, match="few.jsonl: example 2 has no output; a decoder example needs input, output"
    ):
        losses.read_examples(path, "decoder")
    files.write_jsonl(path, [{"query": "x", "pos": "y", "neg": []}])
    with pytest.raises(JudgemergeError, match="example 1 has no pos"):
        losses.read_examples(path, "encoder")
    files.write_jsonl(path, [])
    with pytest.raises(JudgemergeError, match="there is no example in it"):
        losses.read_examples(path, "decoder")


# ---- the published package ----


@pytest.fixture
def published(monkeypatch):
    """Return LM_Cocktail 0.0.4 from the folder JUDGEMERGE_LM_COCKTAIL, or skip."""
    folder = os.environ.get("JUDGEMERGE_LM_COCKTAIL", "")
    if not os.path.isdir(os.path.join(folder, "LM_Cocktail")):
        pytest.skip(
            "needs the published package: pip install --no-deps --target DIR LM_Cocktail==0.0.4, then set "
            "JUDGEMERGE_LM_COCKTAIL=DIR"
        )
    monkeypatch.syspath_prepend(folder)
    package = pytest.importorskip("LM_Cocktail")
    yield package
    for name in [name for name in sys.modules if name.startswith("LM_Cocktail")]:
        del sys.modules[name]


def test_given_weights_agree_with_the_published_package(published, tiny_models, tmp_path):
    folders = {name: tiny_models[name] for name in ("one", "two", "base")}
    weights = {"one": 0.2, "two": 0.5, "base": 0.3}
    theirs = published.mix_models([str(path) for path in folders.values()], "decoder", list(weights.values()))
    cocktail.mix(folders, weights, tmp_path / "ours")
    theirs = theirs.state_dict()
    for name, values in models.tensors(tmp_path / "ours"):
        assert torch.equal(values, theirs[name]), name


def test_computed_weights_agree_with_the_published_package(published, tiny_models, tmp_path):
    from LM_Cocktail import utils
    from transformers import AutoTokenizer

    folders = {name: str(tiny_models[name]) for name in ("one", "two")}
    tokenizer = AutoTokenizer.from_pretrained(folders["one"])
    # Their attention mask hides every pad token; one that stands in no text leaves the end token visible, as ours is.
    tokenizer.pad_token = "<|eom_id|>"
    parameters = utils.get_model_param_list(list(folders.values()), model_type="decoder")
    theirs = utils.compute_weights(
        utils.load_model(folders["one"], model_type="decoder"),
        tokenizer=tokenizer,
        param_list=parameters,
        model_type="decoder",
        example_data=EXAMPLES,
        temperature=0.1,
        max_input_length=64,
    )
    ours = cocktail.weigh(folders, EXAMPLES, {"temperature": 0.1, "max_length": 64}, seed=0)
    assert list(ours["weights"].values()) == pytest.approx(theirs, rel=1e-3)


def test_computed_weights_of_encoders_agree_with_the_published_package(published, berts):
    from LM_Cocktail import utils
    from transformers import AutoTokenizer

    folders = {name: str(path) for name, path in berts["encoder"].items()}
    theirs = utils.compute_weights(
        utils.load_model(folders["one"], model_type="encoder").eval(),
        tokenizer=AutoTokenizer.from_pretrained(folders["one"]),
        param_list=utils.get_model_param_list(list(folders.values()), model_type="encoder"),
        model_type="encoder",
        example_data=[{**row, "neg": row["neg"][:1]} for row in RANKED],
        temperature=0.1,
        neg_number=1,
        max_input_length=64,
    )
    chosen = [{**row, "neg": row["neg"][:1]} for row in RANKED]
    parameters = {"kind": "encoder", "temperature": 0.1, "n_negatives": 1, "max_length": 64}
    ours = cocktail.weigh(folders, chosen, parameters, seed=0)
    assert list(ours["weights"].values()) == pytest.approx(theirs, rel=1e-3)
