"""Replies that are drawn: keys of their own, bounded redraws that are counted, runs, and the mean of grades."""

import dataclasses

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict
from judgemerge.judge import judging, sampling
from judgemerge.judge.backends import Backend, Completion, GenerationParameters
from judgemerge.judge.sampling import by_run, combine
from judgemerge.judge.store import Store
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.prompts import Template

GRADE = Template(
    name="grade",
    protocol="pointwise",
    user="{prompt} {response}",
    reply=ReplySettings("score_line", minimum=1, maximum=5),
    target="Score: {score}",
    max_new_tokens=4,
)
COMPARE = dataclasses.replace(
    GRADE,
    name="compare",
    protocol="pairwise",
    user="{prompt} {response_a} {response_b}",
    reply=ReplySettings("verdict_line", first="A", second="B"),
)
TEMPLATES = {"pointwise": GRADE, "pairwise": COMPARE}


def item(name, protocol="pointwise"):
    responses = (("one",),) if protocol == "pointwise" else (("one",), ("two",))
    truth = 3.0 if protocol == "pointwise" else "first"
    return Item(name, protocol, protocol, (name,), responses, truth, name, {"source": "made", "row": 0})


class Scripted(Backend):
    """A backend that answers from a list per prompt: one reply per call, the last one for ever."""

    digest_settings = "scripted"
    abilities = ("sampling",)

    def __init__(self, replies):
        self.replies, self.calls = {name: list(said) for name, said in replies.items()}, []

    def render(self, messages):
        return messages[-1]["content"]

    def counts(self, texts):
        return [1] * len(texts)

    def complete(self, texts, parameters, skip=(), seeds=()):
        self.calls.append((len(texts), parameters))
        for index, text in enumerate(texts):
            if index not in skip:
                said = self.replies[text.split()[0]]
                yield [(index, Completion(said.pop(0) if len(said) > 1 else said[0], 1, 1))]


def judge(tmp_path, backend, items, **settings):
    how = sampling.from_settings(temperature=1.0, **settings)
    with Store.of_model(tmp_path / "store", "suite") as store:
        requests = judging.plan(items, TEMPLATES, backend, 100)
        return list(sampling.replies(requests, items, TEMPLATES, backend, store, how))


def test_an_unread_reply_is_drawn_again_and_counted(tmp_path):
    backend = Scripted({"good": ["Score: 2"], "late": ["Hm.", "Well.", "Score: 4"], "never": ["No."]})
    rows = judge(tmp_path, backend, [item("good"), item("late"), item("never")], retries=3)
    assert [(row.item, row.reply, row.draws) for row in rows] == [
        ("good", "Score: 2", 1),
        ("late", "Score: 4", 3),
        ("never", "No.", 4),
    ]
    assert [number for number, _ in backend.calls] == [3, 2, 2, 1]


def test_without_retries_nothing_is_drawn_again(tmp_path):
    rows = judge(tmp_path, Scripted({"late": ["Hm.", "Score: 4"]}), [item("late")])
    assert [(row.reply, row.draws, row.run) for row in rows] == [("Hm.", 1, 1)]


def test_runs_are_of_grades_alone_and_have_keys_and_seeds_of_their_own(tmp_path):
    items = [item("grade"), item("pair", "pairwise")]
    backend = Scripted({"grade": ["Score: 1", "Score: 2", "Score: 4"], "pair": ["Verdict: A"]})
    rows = judge(tmp_path, backend, items, runs=3)
    assert [(row.item, row.order, row.run) for row in rows] == [
        ("grade", "original", 1),
        ("pair", "original", 1),
        ("pair", "swapped", 1),
        ("grade", "original", 2),
        ("grade", "original", 3),
    ]
    assert len({row.prompt for row in rows}) == 5
    assert len({parameters.seed for _, parameters in backend.calls}) == 3
    verdicts = list(combine(by_run((row for row in rows if row.item == "grade"), GRADE.reply)))
    assert verdicts == [Verdict("grade", "original", "score", score=pytest.approx(7 / 3), published=1.0)]


def test_a_second_time_nothing_is_asked(tmp_path):
    items = [item("late"), item("good")]
    first = judge(tmp_path, Scripted({"late": ["Hm.", "Score: 4"], "good": ["Score: 1"]}), items, runs=2, retries=1)
    silent = Scripted({})
    assert judge(tmp_path, silent, items, runs=2, retries=1) == first
    assert silent.calls == []


def test_a_mean_leaves_out_runs_that_were_not_read():
    runs = {
        1: [Verdict("a", "original", "error", reason="no_score"), Verdict("b", "original", "error", reason="empty")],
        2: [Verdict("a", "original", "score", score=2.0), Verdict("b", "original", "error", reason="no_score")],
        3: [Verdict("a", "original", "score", score=5.0), Verdict("b", "original", "error", reason="no_score")],
    }
    assert list(combine(runs)) == [
        Verdict("a", "original", "score", score=3.5, published="error"),
        Verdict("b", "original", "error", reason="empty"),
    ]


def test_a_backend_that_cannot_draw_is_refused(tmp_path):
    backend = Scripted({"x": ["Score: 1"]})
    backend.abilities = ()
    with pytest.raises(JudgemergeError, match="decodes greedily"):
        judge(tmp_path, backend, [item("x")])


def test_transformers_draws_the_same_twice_and_another_reply_with_another_seed(tiny_models):
    import torch

    from judgemerge.judge.backends.transformers import Transformers

    backend = Transformers(tiny_models["base"], "float32", 512, 1)
    before = torch.random.get_rng_state()

    def drawn(seed):
        parameters = GenerationParameters(6, temperature=1.0, top_p=0.9, repetition_penalty=1.03, seed=seed)
        batches = backend.complete(["a b c", "d e"], parameters)
        return {index: completion.text for batch in batches for index, completion in batch}

    assert drawn(1) == drawn(1)
    assert drawn(1) != drawn(2)
    assert torch.equal(torch.random.get_rng_state(), before), "the global generator is left as it was"
