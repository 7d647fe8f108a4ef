"""A tiny model through llama.cpp: converted, quantized, and judged with, beside the same model in transformers."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from judgemerge.core import files
from judgemerge.judge import backends, judging, requests, segments, speed
from judgemerge.judge.backends import GenerationParameters
from judgemerge.judge.store import Store
from judgemerge.prompting.prompts import load_template
from judgemerge.synthetic import demo_tasks, tiny
from judgemerge.synthetic.demo_tasks import make_items

pytest.importorskip("llama_cpp", reason="needs llama-cpp-python: make venv-quantize")

from rule_scripts import rule_script  # noqa: E402

from judgemerge.core.errors import JudgemergeError  # noqa: E402
from judgemerge.judge.backends import llama_cpp  # noqa: E402

convert_gguf = rule_script("quantize/convert_gguf")
quantize_model = rule_script("quantize/quantize_model")

SETTINGS = {"dtype": "float32", "batch_tokens": 2048, "threads": 1, "max_prompt_tokens": 1000, "max_new_tokens": 8}
NEW_TOKENS = 12


@pytest.fixture(scope="session")
def package(repository):
    """Return the source package that holds the converter, from an earlier run of a study, a mirror or the variable."""
    named = os.environ.get("JUDGEMERGE_LLAMA_CPP")
    found = [Path(named)] if named else sorted((repository / "results" / "fetched").glob("llama_cpp-*"))
    if not found or not found[0].is_file():
        pytest.skip(
            "needs the source package of llama-cpp-python: run a study with quantizations once, or name the file in "
            "JUDGEMERGE_LLAMA_CPP"
        )
    return str(found[0])


@pytest.fixture(scope="session")
def made(package, tmp_path_factory):
    """Return a folder with a tiny random model, its F16 GGUF file and three quantizations."""
    folder = tmp_path_factory.mktemp("quantized")
    tiny.make_base(folder / "plain", demo_tasks.corpus(seed=1, n_sentences=400), 1, layers=2, vocab_size=1024)
    convert_gguf.main(str(folder / "plain"), package, 1, str(folder / "plain.gguf"))
    for kind in ("F16", "Q8_0", "Q4_K_M"):
        quantize_model.main(
            str(folder / "plain"), "plain", {"plain": "parent digest"}, str(folder / "plain.gguf"), kind, 1,
            str(folder / kind), str(folder / f"{kind}.json"),
        )  # fmt: skip
    return folder


@pytest.fixture(scope="session")
def plain(made):
    return backends.load("transformers", made / "plain", SETTINGS)


@pytest.fixture(scope="session")
def f16(made):
    return backends.load("llama_cpp", made / "F16", SETTINGS)


@pytest.fixture(scope="session")
def asks(plain, repository):
    folder = repository / "config" / "prompts"
    templates = {protocol: load_template(folder / f"brief_{protocol}.yaml") for protocol in ("pairwise", "pointwise")}
    items = [*make_items("pairwise", "test", n_items=15, seed=1), *make_items("pointwise", "test", n_items=10, seed=1)]
    return judging.plan(items, templates, plain, 1000)


def replies_of(backend, texts, skip=()):
    return {
        index: reply
        for batch in backend.complete(texts, GenerationParameters(NEW_TOKENS), skip)
        for index, reply in batch
    }


# ---- drawn replies, and replies told while they are written ----


def test_a_reply_is_told_while_it_is_written(f16, asks):
    for parameters in (GenerationParameters(NEW_TOKENS), GenerationParameters(NEW_TOKENS, 1.0, 0.9, seed=5)):
        told = []
        whole = f16.write(asks[0].text, parameters, told.append)
        seeds = [] if parameters.is_greedy else [5]
        ((_, alone),) = (pair for batch in f16.complete([asks[0].text], parameters, (), seeds) for pair in batch)
        assert whole == alone and len(told) == whole.reply_tokens
        assert all(whole.text.startswith(part) for part in told)


def test_a_drawn_reply_depends_on_its_own_seed_alone(f16, asks):
    texts = [one.text for one in asks[:12]]
    how = GenerationParameters(NEW_TOKENS, 1.2, 0.95, repetition_penalty=1.1)

    def drawn(texts, seeds):
        return {index: reply.text for batch in f16.complete(texts, how, (), seeds) for index, reply in batch}

    once = drawn(texts, list(range(12)))
    assert drawn(texts, list(range(12))) == once and drawn(texts, list(range(100, 112))) != once
    assert sum(drawn(texts[n : n + 1], [n])[0] == once[n] for n in range(12)) >= 11  # neighbours change last bits
    assert len(set(once.values())) > 6


def test_a_seed_draws_what_it_draws_with_transformers(f16, plain, asks):
    texts = [asks[0].text] * 60
    how = GenerationParameters(3, 0.8, 0.9, 0.005, 1.3)
    llama, torch_ = (
        {index: reply.text for batch in one.complete(texts, how, (), range(60)) for index, reply in batch}
        for one in (f16, plain)
    )
    same = sum(llama[index] == torch_[index] for index in range(60))
    assert same >= 55 and len(set(llama.values())) > 20  # F16 rounds: now and then another word wins


# ---- files and manifests ----


def test_the_manifest_says_what_became_of_the_tensors(made):
    for kind, bits, own in (("F16", 16.0, "F16"), ("Q8_0", 8.5, "Q8_0"), ("Q4_K_M", 5.1, "Q4_K")):
        manifest = files.read_json(made / f"{kind}.json")
        about = manifest["quantization"]
        assert manifest["backend"] == "llama_cpp" and backends.of(manifest) == "llama_cpp"
        assert manifest["made_by"]["parents"] == {"plain": "parent digest"}
        assert about["bits_per_weight"] == pytest.approx(bits, abs=0.05) and about["fallbacks"] == {}
        assert about["tensor_types"]["F32"] == 5 and sum(about["tensor_types"].values()) == 21
        assert about["tensor_types"][own] >= 13
        assert about["file_bytes"] == (made / kind / "model.gguf").stat().st_size
        assert manifest["parameters"] == sum(p.numel() for p in _weights(made))
        assert "llama-cpp-python" in manifest["versions"]


def _weights(made):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(made / "plain").parameters()


def test_files_shrink_and_the_same_model_gives_the_same_bytes_under_another_name(made, package, tmp_path):
    sizes = [(made / kind / "model.gguf").stat().st_size for kind in ("F16", "Q8_0", "Q4_K_M")]
    assert sizes == sorted(sizes, reverse=True)
    (tmp_path / "other_name").symlink_to(made / "plain")
    convert_gguf.main(str(tmp_path / "other_name"), package, 1, str(tmp_path / "other.gguf"))
    assert files.sha256_file(tmp_path / "other.gguf") == files.sha256_file(made / "plain.gguf")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.gguf", "other_name"]


def test_another_split_regex_is_not_called_llama3s(made, package, tmp_path):
    subprocess.run(["cp", "-r", str(made / "plain"), str(tmp_path / "changed")], check=True)
    path = tmp_path / "changed" / "tokenizer.json"
    tokenizer = json.loads(path.read_text())
    tokenizer["pre_tokenizer"]["pretokenizers"][0]["pattern"]["Regex"] = r"\w+|\s+"
    path.write_text(json.dumps(tokenizer))
    with pytest.raises(JudgemergeError, match="ended with code 1"):
        convert_gguf.main(str(tmp_path / "changed"), package, 1, str(tmp_path / "changed.gguf"))
    assert not (tmp_path / "changed.gguf").exists()


# ---- tokens and texts ----

STRINGS = [
    "", "Hello world", "don't we'LL they'RE I'd", "3.14 and 12345678 and 1,000", "\n\n\t  x   \r\n y",
    "naïve café Ünïcödé", "😀👩‍👩‍👧 🏳️‍🌈 🇩🇪", "नमस्ते दुनिया", "日本語のテキスト、中文", "العربية",
    "def f(x):\n    return x ** 2  # ok", "a" * 300, "   leading", "<|begin_of_text|>twice<|begin_of_text|>",
    "<|start_header_id|>user<|end_header_id|>\n\nhi<|eot_id|>", "not special: <|eot_id| >, <|x|>",
    "tab\tseparated\tvalues", "$%&/()=?`´~+*#'-_.:,;<>|^°", "\u200b\ufeff zero width",
]  # fmt: skip


def test_llama_cpp_reads_text_as_the_models_own_tokenizer_does(plain, f16, asks):
    texts = STRINGS + [ask.text for ask in asks]
    own = plain.tokenizer(texts, add_special_tokens=False)["input_ids"]
    assert [f16.weights.tokenize(text) for text in texts] == own


def test_prompts_are_rendered_the_same_with_one_bos(plain, f16):
    messages = [{"role": "system", "content": " Judge. "}, {"role": "user", "content": "A {x} <|eot_id|>?"}]
    text = f16.render(messages)
    assert text == plain.render(messages) and text.count("<|begin_of_text|>") == 1
    assert f16.counts([text]) == plain.counts([text])


# ---- replies ----


def test_f16_answers_as_float32_does_except_where_two_tokens_are_level(plain, f16, asks):
    texts = [ask.text for ask in asks]
    mine, theirs = replies_of(f16, texts), replies_of(plain, texts)
    assert len(mine) == len(texts)
    different = [index for index in mine if mine[index] != theirs[index]]
    assert len(different) <= len(texts) // 4
    for index in different:
        assert _margin_at_first_difference(plain, texts[index], mine[index].text, theirs[index].text) < 0.05


@torch.inference_mode()
def _margin_at_first_difference(plain, text, one, other):
    """Return how far float32's two best tokens are apart where the replies part."""
    prompt = plain.tokenizer(text, add_special_tokens=False)["input_ids"]
    a, b = (plain.tokenizer(reply, add_special_tokens=False)["input_ids"] for reply in (one, other))
    same = next((n for n, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    logits = plain.model(torch.tensor([prompt + b[:same]])).logits[0, -1]
    best = logits.topk(2).values
    return float(best[0] - best[1])


def test_a_reply_does_not_depend_on_its_neighbours(f16, asks):
    texts = [ask.text for ask in asks]
    together = replies_of(f16, texts)
    alone = {index: replies_of(f16, [texts[index]])[0] for index in (0, 7, 20)}
    assert {index: together[index] for index in alone} == alone
    half = set(range(0, len(texts), 2))
    rest = replies_of(f16, texts, skip=half)
    assert rest == {index: reply for index, reply in together.items() if index not in half}


def test_what_prompts_begin_with_is_read_once(f16, asks, monkeypatch):
    monkeypatch.setattr(segments, "SHORTEST", 1)
    n_read = []
    read = llama_cpp.Session._logits

    def counting(session, tokens):
        n_read.append(len(tokens))
        return read(session, tokens)

    texts = [ask.text for ask in asks]
    expected = replies_of(f16, texts)
    monkeypatch.setattr(llama_cpp.Session, "_logits", counting)
    assert replies_of(f16, texts) == expected
    rows = f16.tokenizer(texts, add_special_tokens=False)["input_ids"]
    beginnings = {tuple(row[:end]) for row in rows for end in range(1, len(row) + 1)}
    n_batches = len(llama_cpp.batches(rows, SETTINGS["batch_tokens"], NEW_TOKENS))
    n_written = sum(reply.reply_tokens for reply in expected.values())
    assert n_batches > 3 and len(beginnings) < 0.6 * sum(map(len, rows))
    assert sum(n_read) <= len(beginnings) + n_written


def test_quantized_models_load_and_answer(made, asks):
    texts = [ask.text for ask in asks[:5]]
    for kind in ("Q8_0", "Q4_K_M"):
        backend = backends.load("llama_cpp", made / kind, SETTINGS)
        found = replies_of(backend, texts)
        assert backend.digest_settings.endswith(kind) and len(found) == 5
        assert all(1 <= reply.reply_tokens <= NEW_TOKENS for reply in found.values())


def test_a_reply_ends_at_the_token_that_ends_a_turn(f16, asks):
    text = asks[0].text
    (whole,) = replies_of(f16, [text]).values()
    session = llama_cpp.Session(f16.weights, 1024, 1)
    ids = f16.tokenizer(text, add_special_tokens=False)["input_ids"]
    (tokens,) = session.complete([ids], NEW_TOKENS, ())
    (stopped,) = session.complete([ids], NEW_TOKENS, {tokens[3]})
    session.close()
    assert len(tokens) == NEW_TOKENS == whole.reply_tokens
    assert stopped == tokens[: tokens.index(tokens[3]) + 1]


def test_a_prompt_longer_than_the_budget_is_answered_alone(made):
    backend = backends.load("llama_cpp", made / "Q8_0", {**SETTINGS, "batch_tokens": 16})
    text = backend.render([{"role": "user", "content": "word " * 300}])
    (reply,) = replies_of(backend, [text]).values()
    assert reply.prompt_tokens == backend.counts([text])[0] > 300


def test_log_probabilities_are_those_of_transformers(plain, f16, asks):
    texts = [ask.text for ask in asks[:12]]
    one_pass, several = ("A", "B"), ("A better one", "B", "A better", "B")
    questions = [(text, several if number % 3 else one_pass) for number, text in enumerate(texts)]
    mine, theirs = scores_of(f16, questions), scores_of(plain, questions)
    assert sorted(mine) == list(range(12)) == sorted(theirs)
    for number, (sums, tokens, n_prompt) in mine.items():
        assert (tokens, n_prompt) == theirs[number][1:]
        assert np.allclose(sums, theirs[number][0], atol=0.02)
    assert mine[1][0][1] == mine[1][0][3]  # equal continuations are equally likely
    half = set(range(0, 12, 2))
    rest = scores_of(f16, questions, skip=half)
    assert sorted(rest) == sorted(set(range(12)) - half)
    assert all(np.allclose(sums, mine[number][0], atol=0.02) for number, (sums, *_) in rest.items())
    assert scores_of(f16, []) == {}


def scores_of(backend, questions, skip=()):
    """Return (sums, token counts, tokens of the prompt) by the question's number."""
    completions = dict(pair for batch in backend.score(questions, skip) for pair in batch)
    read = {number: json.loads(one.text) for number, one in completions.items()}
    return {
        number: (read[number]["logprobs"], read[number]["tokens"], one.prompt_tokens)
        for number, one in completions.items()
    }


def test_a_file_of_another_model_is_refused(made, tmp_path):
    subprocess.run(["cp", "-r", str(made / "F16"), str(tmp_path / "mixed")], check=True)
    (tmp_path / "mixed" / "model.gguf").write_bytes(b"GGUF nothing")
    backend = backends.load("llama_cpp", tmp_path / "mixed", SETTINGS)
    with pytest.raises(JudgemergeError, match="llama.cpp cannot load it; quantize the model again"):
        backend.prepare()


# ---- batches ----


def test_batches_hold_every_prompt_once_sorted_and_within_the_cache():
    rng = np.random.default_rng(1)
    prompts = [[1, 2, *map(int, rng.integers(0, 5, size=rng.integers(1, 30)))] for _ in range(100)]
    found = llama_cpp.batches(prompts, 120, 8)
    assert sorted(index for batch in found for index in batch) == list(range(100))
    order = [prompts[index] for batch in found for index in batch]
    assert order == sorted(order)
    assert all(len(batch) <= llama_cpp.REPLIES_AT_ONCE for batch in found)
    assert all(sum(len(prompts[index]) + 8 for index in batch) <= 120 for batch in found)


@pytest.mark.parametrize(
    ("prompts", "shared"), [([[1, 2, 3], [1, 2, 4], [1, 2]], 2), ([[1], [2]], 0), ([[5, 6]], 2), ([[], [1]], 0)]
)
def test_what_prompts_begin_with(prompts, shared):
    assert llama_cpp.common(prompts) == shared


# ---- the timing record ----


def test_only_a_unit_asked_in_one_go_has_a_speed(f16, asks, tmp_path):
    def run(part, folder):
        part = [dataclasses.replace(one, parameters=GenerationParameters(NEW_TOKENS)) for one in part]
        with Store.of_model(folder, "suite") as store:
            return speed.record(part, requests.ask(part, f16, store), f16, store, 1)

    whole = run(asks, tmp_path / "whole")
    assert whole["asked_now"] == whole["prompts"] == whole["run"]["prompts"] == len({ask.key for ask in asks})
    assert whole["run"]["seconds"] > 0 and whole["run"]["items"] == 25
    again = run(asks, tmp_path / "whole")
    assert again["asked_now"] == 0 and again["run"] == whole["run"]
    assert run(asks[:6], tmp_path / "resumed")["run"]["prompts"] == 6
    assert run(asks, tmp_path / "resumed") == {
        "prompts": whole["prompts"],
        "asked_now": whole["prompts"] - 6,
        "run": None,
    }
