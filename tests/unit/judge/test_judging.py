"""Judging with a real, tiny model: batches, the store, resuming, and a kill in the middle."""

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from rule_scripts import rule_script

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, write_items
from judgemerge.judge import judging
from judgemerge.judge.backends import Completion, GenerationParameters
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.judge.requests import Request, ask
from judgemerge.judge.store import Store
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import parse_row
from judgemerge.prompting.prompts import Template, load_template, render
from judgemerge.synthetic.demo_tasks import make_items

judge_suite = rule_script("judge/judge_suite")
KILLED = "from rule_scripts import rule_script; rule_script('judge/judge_suite').main(**{!r})"


@pytest.fixture(scope="module")
def backend(tiny_models):
    return Transformers(tiny_models["base"], "auto", batch_tokens=4096, threads=1)


@pytest.fixture(scope="module")
def templates(repository):
    folder = repository / "config" / "prompts"
    return {protocol: load_template(folder / f"brief_{protocol}.yaml") for protocol in ("pairwise", "pointwise")}


@pytest.fixture(scope="module")
def pairs():
    return make_items("pairwise", "test", n_items=20, seed=1)


def ask_all(items, templates, backend, folder, own="suite"):
    """Judge the items with the store at `folder`; return (reply rows, number of prompts judged now)."""
    requests = judging.plan(items, templates, backend, 1000)
    with Store.of_model(folder, own) as store:
        n_new = ask(requests, backend, store).n_new
        return [reply.row() for reply in judging.replies(requests, store)], n_new


def test_labels_are_not_compared_inside_a_thought(pairs, repository):
    class Thinking:
        abilities = ("logprobs",)

        def render(self, messages):
            return "…<|assistant|><think>\n"

        def score(self, questions, skip=()):
            raise AssertionError

    template = load_template(repository / "config" / "prompts" / "brief_pairwise_choice.yaml")
    with pytest.raises(JudgemergeError, match=r"has mode choices, but .* opens a thought \(<think>\)"):
        judging.plan(pairs[:1], {"pairwise": template}, Thinking(), 1000)


# ---- the store ----


def test_replies_survive_and_are_shared_by_suites(tmp_path):
    one = Store.of_model(tmp_path, "one")
    one.add([("k1", Completion("ä\n")), ("k2", Completion("b"))])
    two = Store.of_model(tmp_path, "two")  # while the first is still open
    assert two.replies == {"k1": Completion("ä\n"), "k2": Completion("b")}
    two.add([("k3", Completion("c"))])
    one.close()
    two.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.jsonl", "two.jsonl"]
    assert set(Store.of_model(tmp_path, "three").replies) == {"k1", "k2", "k3"}


HALF = b'{"prompt": "k2", "te'


def test_a_half_written_line_is_dropped_from_the_own_file(tmp_path):
    whole = b'{"prompt": "k1", "text": "a"}\n'
    (tmp_path / "own.jsonl").write_bytes(whole + HALF)
    store = Store.of_model(tmp_path, "own")
    assert set(store.replies) == {"k1"}
    store.add([("k2", Completion("b"))])
    store.close()
    assert set(Store.of_model(tmp_path, "own").replies) == {"k1", "k2"}


def test_a_half_written_line_of_another_job_is_left_alone(tmp_path):
    (tmp_path / "other.jsonl").write_bytes(HALF)
    assert Store.of_model(tmp_path, "own").replies == {}
    assert (tmp_path / "other.jsonl").read_bytes() == HALF


@pytest.mark.parametrize("line", [b"{broken", b"\xff\xfe", bytes(8), b"[]", b"{}"])
def test_a_corrupt_line_in_the_middle_is_named(tmp_path, line):
    (tmp_path / "own.jsonl").write_bytes(
        b'{"prompt": "k1", "text": "a"}\n' + line + b'\n{"prompt": "k2", "text": ""}\n'
    )
    with pytest.raises(JudgemergeError, match=r"own\.jsonl: line 2 is .*; delete that line, the prompt will be judged"):
        Store.of_model(tmp_path, "own")


# ---- with a real model ----


def test_the_prompt_starts_with_one_bos(backend, pairs, templates):
    requests = judging.plan(pairs[:1], templates, backend, 1000)
    bos = backend.tokenizer.bos_token_id
    twice = backend.tokenizer([requests[0].text])["input_ids"][0]
    assert twice[:2] == [bos, bos]  # what happens without care
    ids = backend.tokenizer([requests[0].text], add_special_tokens=False)["input_ids"][0]
    assert ids[0] == bos and ids[1] != bos
    ((_, completion),) = next(iter(backend.complete([requests[0].text], GenerationParameters(2))))
    assert completion.prompt_tokens == len(ids) == backend.counts([requests[0].text])[0]


def test_a_reply_holds_what_was_generated(backend, pairs, templates, tmp_path):
    rows, n_new = ask_all(pairs[:3], templates, backend, tmp_path)
    assert n_new == 6
    assert [(row["item"], row["order"]) for row in rows] == [
        (item.id, order) for item in pairs[:3] for order in ("original", "swapped")
    ]
    for row in rows:
        assert row.keys() == {
            "benchmark",
            "item",
            "order",
            "prompt",
            "reply",
            "reason",
            "prompt_tokens",
            "reply_tokens",
            "finish_reason",
        }
        assert row["finish_reason"] == ("length" if row["reply_tokens"] == 8 else "stop")  # the model is untrained
        assert isinstance(row["reply"], str) and row["reason"] is None and 1 <= row["reply_tokens"] <= 8
    assert len({row["prompt"] for row in rows}) == 6


def test_a_store_from_before_finish_reasons_is_read(pairs, templates, backend, tmp_path):
    rows, _ = ask_all(pairs[:1], templates, backend, tmp_path)
    (path,) = tmp_path.glob("*.jsonl")
    old = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    for row in old:
        del row["finish_reason"]
    path.write_text("".join(json.dumps(row) + "\n" for row in old), encoding="utf-8")
    again, n_new = ask_all(pairs[:1], templates, backend, tmp_path)
    assert n_new == 0 and again == [{**row, "finish_reason": None} for row in rows]


def test_a_thought_that_the_prompt_opens_is_part_of_the_reply(tmp_path):
    store = Store.of_model(tmp_path, "suite")
    cut = Completion("First [[A]]. Let me", 1, 9, "length")
    store.add([("k", cut)])
    opened = Request(judging.Presentation("b", "i", "original"), "k", "<|im_start|>assistant\n<think>\n")
    (row,) = judging.replies([opened], store)
    settings = ReplySettings("double_brackets", first="A", second="B")
    assert row.reply.startswith("<think>\n") and parse_row(row, settings).reason == "unfinished_thought"
    (plain,) = judging.replies([dataclasses.replace(opened, text="assistant\n")], store)
    assert plain.reply == "First [[A]]. Let me" and parse_row(plain, settings).reason == "cut"


def test_log_probabilities_that_are_no_numbers_are_never_stored_and_old_ones_asked_again(tmp_path):
    nan = {"text": '{"logprobs": [NaN, -1.0], "tokens": [1, 1]}', "prompt_tokens": 3, "reply_tokens": 2}
    (tmp_path / "old.jsonl").write_text(json.dumps({"prompt": "k", **nan}) + "\n", encoding="utf-8")
    store = Store.of_model(tmp_path, "suite")
    assert not store.knows("k")
    with pytest.raises(JudgemergeError, match="suite.jsonl: a log-probability is not finite"):
        store.add([("k", Completion(**nan))])
    assert store.path.read_text(encoding="utf-8") == "" and not store.knows("k")


@pytest.fixture(scope="module")
def overflowing(tiny_models, tmp_path_factory):
    """Return a model whose feed-forward layers leave the range of float16, as Qwen2's did."""
    from safetensors.torch import load_file, save_file

    folder = tmp_path_factory.mktemp("overflowing") / "model"
    shutil.copytree(tiny_models["base"], folder)
    (path,) = folder.glob("*.safetensors")
    tensors = load_file(path)
    wide = {name: tensor * (3e4 if "up_proj" in name or "down_proj" in name else 1) for name, tensor in tensors.items()}
    save_file(wide, path, metadata={"format": "pt"})
    return folder


@pytest.mark.parametrize("way", ["complete", "score"])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_logits_that_are_no_numbers_end_the_job_with_the_dtype_to_use(overflowing, way, dtype):
    backend = Transformers(overflowing, dtype, 512, 1)
    run = {
        "complete": lambda: list(backend.complete(["a b c", "d e"], GenerationParameters(4))),
        "score": lambda: list(backend.score([("a b c", (" A", " B"))])),
    }[way]
    if dtype == "float16":
        with pytest.raises(JudgemergeError, match=r"model: the logits are not finite in float16; .*dtype: bfloat16"):
            run()
    else:
        assert run()


def test_what_cannot_be_asked_has_a_reason_and_is_not_asked(backend, pairs, templates, tmp_path):
    long = Item(**{**vars(pairs[0]), "id": "long", "turns": ("word " * 2000,)})
    silent = Item(**{**vars(pairs[0]), "id": "silent", "responses": ()})
    rows, n_new = ask_all([long, silent, pairs[1]], templates, backend, tmp_path)
    assert n_new == 2
    assert [row["reason"] for row in rows] == ["prompt_too_long"] * 2 + ["no_text"] * 2 + [None] * 2
    assert [row["reply"] is None for row in rows] == [True] * 4 + [False] * 2


def test_a_prompt_that_occurs_twice_is_judged_once(backend, pairs, templates, tmp_path):
    twin = Item(**{**vars(pairs[0]), "id": "twin", "benchmark": "other"})
    rows, n_new = ask_all([pairs[0], twin, pairs[1]], templates, backend, tmp_path)
    assert n_new == 4
    assert [row["item"] for row in rows[2:4]] == ["twin", "twin"]
    assert [row["reply"] for row in rows[:2]] == [row["reply"] for row in rows[2:4]]


def test_benchmarks_may_share_item_ids(backend, pairs, templates):
    grades = [Item(**{**vars(item), "id": pairs[0].id}) for item in make_items("pointwise", "test", 1, seed=1)]
    short = {**templates, "pointwise": Template(**{**vars(templates["pointwise"]), "max_new_tokens": 3})}
    requests = judging.plan([pairs[0], *grades], short, backend, 1000)
    assert [one.parameters.max_new_tokens for one in requests] == [8, 8, 3]


def test_a_renamed_or_longer_suite_asks_only_what_is_new(backend, pairs, templates, tmp_path):
    first, n_first = ask_all(pairs[:4], templates, backend, tmp_path, "before")
    again, n_again = ask_all(pairs[:4], templates, backend, tmp_path, "after")
    longer, n_longer = ask_all(pairs[:6], templates, backend, tmp_path, "after")
    assert (n_first, n_again, n_longer) == (8, 0, 4)
    assert first == again == longer[:8]


def test_another_limit_is_another_prompt(backend, pairs, templates, tmp_path):
    ask_all(pairs[:1], templates, backend, tmp_path)
    short = {"pairwise": Template(**{**vars(templates["pairwise"]), "max_new_tokens": 2})}
    rows, n_new = ask_all(pairs[:1], short, backend, tmp_path)
    assert n_new == 2
    assert all(row["reply_tokens"] <= 2 for row in rows)


class Watched(Transformers):
    """The real backend, noting its batches."""

    def _reply(self, reader, batch, order, max_new_tokens, draw):
        self.seen.append([reader.rows[index] for index in order])
        return super()._reply(reader, batch, order, max_new_tokens, draw)


def test_a_resumed_run_forms_the_same_batches(tiny_models, pairs, templates, tmp_path):
    watched = Watched(tiny_models["base"], "auto", batch_tokens=500, threads=1)
    watched.seen = whole = []
    rows, _ = ask_all(pairs, templates, watched, tmp_path / "whole")
    assert len(whole) > 6
    # As after a kill: three batches are in the store, but for the last line of the third.
    lines = (tmp_path / "whole" / "suite.jsonl").read_bytes().splitlines(keepends=True)
    kept = sum(map(len, whole[:3])) - 1
    (tmp_path / "part").mkdir()
    (tmp_path / "part" / "suite.jsonl").write_bytes(b"".join(lines[:kept]))
    watched.seen = rest = []
    resumed, n_new = ask_all(pairs, templates, watched, tmp_path / "part")
    assert rest == [whole[2][-1:], *whole[3:]]
    assert n_new == len(lines) - kept
    assert resumed == rows


def test_replies_hardly_depend_on_the_batch_size(tiny_models, pairs, templates, tmp_path):
    texts = {}
    for batch_tokens in (1, 100_000):
        sized = Transformers(tiny_models["base"], "auto", batch_tokens, threads=1)
        rows, _ = ask_all(pairs, templates, sized, tmp_path / str(batch_tokens))
        texts[batch_tokens] = [row["reply"] for row in rows]
    n_different = sum(one != other for one, other in zip(*texts.values(), strict=True))
    print(f"{n_different} of {len(texts[1])} replies differ between single prompts and one batch")
    assert n_different <= 0.05 * len(texts[1])


def test_a_shared_beginning_is_computed_once_and_changes_no_reply(tiny_models, pairs, repository):
    template = load_template(repository / "config" / "prompts" / "plain_pairwise.yaml")
    backend = Transformers(tiny_models["base"], "auto", 3000, threads=1)
    texts = [backend.render(render(template, item, order)) for item in pairs for order in ("original", "swapped")]
    found, computed = {}, {}
    for reuse in (False, True):
        backend.reuse_prefix = reuse
        n_tokens = []
        hook = backend.model.model.register_forward_pre_hook(
            lambda _, args, kwargs, n=n_tokens: n.append(kwargs["input_ids"].numel()), with_kwargs=True
        )
        replies = dict(pair for batch in backend.complete(texts, GenerationParameters(12)) for pair in batch)
        hook.remove()
        found[reuse] = [replies[index] for index in range(len(texts))]
        computed[reuse] = sum(n_tokens)
    n_different = sum(one != other for one, other in zip(found[True], found[False], strict=True))
    assert n_different <= 0.02 * len(texts)
    assert computed[True] < 0.5 * computed[False], computed


@pytest.mark.parametrize("kept", [0, 5, 200, -1])
def test_weights_that_were_cut_off_are_one_sentence(tiny_models, tmp_path, kept):
    folder = shutil.copytree(tiny_models["base"], tmp_path / "cut")
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:kept])
    with pytest.raises(JudgemergeError, match=r"cut: the weights cannot be read \(.*make it again$"):
        next(iter(Transformers(folder, "auto", 100, threads=1).complete(["hello"], GenerationParameters(2))))


# ---- the kill ----


@pytest.fixture(scope="module")
def unit(tmp_path_factory, repository, tiny_models):
    """Return the arguments of one unit of judging: 250 pairs, so 500 prompts, in small batches."""
    folder = tmp_path_factory.mktemp("unit")
    write_items(folder / "items.jsonl", make_items("pairwise", "test", n_items=250, seed=1))
    return {
        "model": str(tiny_models["base"]),
        "digest": "0123456789abcdef" * 4,
        "items": [str(folder / "items.jsonl")],
        "prompts": [str(repository / "config" / "prompts" / "brief_pairwise.yaml")],
        "sources": None,
        "categories": {},
        "suite": "pairs",
        "dtype": "auto",
        "batch_tokens": 200,
        "max_prompt_tokens": 1000,
        "threads": 1,
    }


@pytest.fixture(scope="module")
def undisturbed(unit, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    n_new = judge_suite.main(**unit, store=str(folder / "store"), replies=str(folder / "replies.jsonl"))
    assert n_new == 500
    return (folder / "replies.jsonl").read_bytes()


@pytest.fixture(scope="module")
def killed(unit, tmp_path_factory, repository):
    """Return the store that a killed process left behind."""
    folder = tmp_path_factory.mktemp("killed")
    arguments = {**unit, "store": str(folder / "store"), "replies": str(folder / "replies.jsonl")}
    store = folder / "store" / unit["digest"][:16] / "pairs.jsonl"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED.format(arguments)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(repository / "scripts"), str(repository / "tests")])},
        stderr=subprocess.PIPE,
    )
    while process.poll() is None and not (store.exists() and store.read_bytes().count(b"\n") >= 20):
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    _, messages = process.communicate()
    assert process.returncode == -signal.SIGKILL, messages.decode()
    assert not (folder / "replies.jsonl").exists()
    return store


@pytest.mark.parametrize("half_a_line", [False, True])
def test_a_killed_run_never_judges_a_prompt_twice(unit, killed, undisturbed, tmp_path, half_a_line):
    store = tmp_path / "store" / unit["digest"][:16] / "pairs.jsonl"
    store.parent.mkdir(parents=True)
    content = killed.read_bytes()
    content = content[: content.rfind(b"\n") + 1]
    if half_a_line:
        lines = content.splitlines(keepends=True)
        content = b"".join(lines[:-1]) + lines[-1][: len(lines[-1]) // 2]
    store.write_bytes(content)
    kept = content.count(b"\n")
    assert 0 < kept < 500
    replies = tmp_path / "replies.jsonl"
    n_new = judge_suite.main(**unit, store=str(tmp_path / "store"), replies=str(replies))
    assert n_new == 500 - kept
    keys = [json.loads(line)["prompt"] for line in store.read_bytes().splitlines()]
    assert len(keys) == len(set(keys)) == 500
    assert replies.read_bytes() == undisturbed
    assert judge_suite.main(**unit, store=str(tmp_path / "store"), replies=str(replies)) == 0


def test_a_second_writer_waits_and_then_finds_the_replies(tmp_path):
    first = Store.of_model(tmp_path, "suite")
    found = []

    def second() -> None:
        store = Store.of_model(tmp_path, "suite")
        found.extend(store.replies)
        store.close()

    thread = threading.Thread(target=second, daemon=True)
    thread.start()
    thread.join(timeout=0.3)
    assert thread.is_alive() and not found, "two writers of one file at a time"
    first.add([("key", Completion("Verdict: A", 1, 1))])
    first.close()
    thread.join(timeout=10)
    assert found == ["key"]
