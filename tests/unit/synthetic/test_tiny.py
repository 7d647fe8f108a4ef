"""The tiny model: the same bytes for the same seed, a tokenizer that loses nothing, one beginning-of-text token."""

import json
import stat

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.synthetic import demo_tasks, tiny

SMALL = {"layers": 1, "vocab_size": 768}


@pytest.fixture(scope="module")
def texts():
    return demo_tasks.corpus(1, n_sentences=1000)


@pytest.fixture(scope="module")
def model(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("tiny") / "model"
    n_parameters = tiny.make_base(folder, texts, seed=3, **SMALL)
    return folder, n_parameters


def digests(folder):
    return {path.name: files.sha256_file(path) for path in sorted(folder.iterdir())}


def test_same_seed_same_bytes(model, texts, tmp_path):
    state = torch.random.get_rng_state()
    tiny.make_base(tmp_path / "again", texts, seed=3, **SMALL)
    tiny.make_base(tmp_path / "other", texts, seed=4, **SMALL)
    assert torch.equal(state, torch.random.get_rng_state())
    same, again, other = digests(model[0]), digests(tmp_path / "again"), digests(tmp_path / "other")
    assert same == again
    assert same["tokenizer.json"] == other["tokenizer.json"]
    assert same["model.safetensors"] != other["model.safetensors"]


def test_size_and_files(model):
    folder, n_parameters = model
    assert {"config.json", "generation_config.json", "model.safetensors", "tokenizer.json"} <= set(digests(folder))
    assert n_parameters == 2 * 768 * 256 + (2 * 256 * 256 + 2 * 256 * 128) + 3 * 256 * 256 + 3 * 256
    assert (folder / "model.safetensors").stat().st_size == pytest.approx(4 * n_parameters, rel=0.01)
    assert (folder / "model.safetensors").stat().st_mode & stat.S_IRGRP
    assert AutoModelForCausalLM.from_pretrained(folder).num_parameters() == n_parameters


def test_tokenizer_is_built_like_llama_3(model):
    tokenizer = json.loads((model[0] / "tokenizer.json").read_text())
    assert tokenizer["model"]["ignore_merges"] is True
    assert tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"] == {"Regex": tiny.SPLIT}
    assert set(tiny.SPECIAL) <= {token["content"] for token in tokenizer["added_tokens"]}


@pytest.mark.parametrize(
    "text", ["Score: 10", "Which answer is better?\n\nAnswer A: fox 12", "naïve Straße – हिन्दी 🙂", "  don't\t{x}\r\n"]
)
def test_tokenizer_loses_nothing(model, text):
    tokenizer = AutoTokenizer.from_pretrained(model[0])
    assert tokenizer.decode(tokenizer(text, add_special_tokens=False)["input_ids"]) == text


def test_words_of_replies_and_answers_are_single_tokens(texts):
    tokenizer = tiny.train_tokenizer(texts)
    words = [f" {word}" for c in demo_tasks.CATEGORIES.values() for word in (c.good + " " + c.bad).split()]
    words = [word.strip() if word.strip().isdigit() else word for word in words]  # the split regex parts " 12"
    for word in [*words, "Verdict", "Score", " A", " B", " tie", "10"]:
        assert len(tokenizer(word, add_special_tokens=False)["input_ids"]) == 1, word


def test_chat_template_gives_one_beginning(model):
    tokenizer = AutoTokenizer.from_pretrained(model[0])
    chat = [{"role": "system", "content": "You judge."}, {"role": "user", "content": " Is it? "}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nYou judge.<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\nIs it?<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n"
    )
    ids = tokenizer.apply_chat_template(chat, add_generation_prompt=True)["input_ids"]
    assert ids.count(tokenizer.bos_token_id) == 1
    assert ids == tokenizer(text, add_special_tokens=False)["input_ids"]


def test_wrong_sizes_are_refused(texts, tmp_path):
    with pytest.raises(JudgemergeError, match="hidden is 192; give a multiple of 256"):
        tiny.make_base(tmp_path / "model", texts, seed=0, hidden=192)
    with pytest.raises(JudgemergeError, match="give more varied texts"):
        tiny.train_tokenizer(["a b a b"], 1024)
