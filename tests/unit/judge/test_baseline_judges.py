"""The prompts of the baseline judges: published form, our words, and each reads the answer that it asks for."""

import json

import pytest

from judgemerge.core.items import SWAPPED, Item
from judgemerge.prompting import prompts
from judgemerge.prompting.parsing import parse
from judgemerge.prompting.prompts import load_template

# Prompt, its limit of new tokens as MELD's inference script has it, and what a good reply looks like.
PAIRWISE = {
    "llama3_pairwise": (256, {"first": "A is right. [[A]]", "second": "[[B]]", "tie": "Both fail.\n[[C]]"}),
    "autoj_pairwise": (
        1024,
        {
            "first": "Critique.\nSo, the final decision is Response 1.",
            "second": "So, the final decision is Response 2. It is complete.",
            "tie": "So, the final decision is Tie.",
        },
    ),
    "pandalm_pairwise": (512, {"first": "1\n\n### Reason: 2 is wrong", "second": "2\n### Reason: ok", "tie": "Tie"}),
}
POINTWISE = {"llama3_pointwise": (256, "7"), "autoj_pointwise": (1024, "Critique.\n\nRating: [[7]]")}


@pytest.fixture
def template(repository):
    return lambda name: load_template(repository / "config" / "prompts" / f"{name}.yaml")


def item(protocol, truth):
    answers = ("left answer",), ("right answer",)
    responses = answers if protocol == "pairwise" else answers[:1]
    return Item("i", "b", protocol, ("the question",), responses, truth, "c", {})


@pytest.mark.parametrize(("name", "expected"), PAIRWISE.items(), ids=PAIRWISE)
def test_a_pair_is_shown_and_read_in_both_orders(template, name, expected):
    found, (limit, replies) = template(name), expected
    assert found.max_new_tokens == limit
    shown = [prompts.render(found, item("pairwise", "tie"), order)[-1]["content"] for order in ("original", "swapped")]
    assert [text.index("left answer") < text.index("right answer") for text in shown] == [True, False]
    assert all(text.index("the question") < text.index("left answer") for text in shown[:1])
    for outcome, text in replies.items():
        assert parse(text, None, found.reply, "i", "original").outcome == outcome
        assert parse(text, None, found.reply, "i", "swapped").outcome == SWAPPED[outcome]
        own = prompts.target(found, item("pairwise", outcome), "original")
        assert parse(own, None, found.reply, "i", "original").outcome == outcome


@pytest.mark.parametrize(("name", "expected"), POINTWISE.items(), ids=POINTWISE)
def test_a_single_answer_is_shown_and_read(template, name, expected):
    found, (limit, text) = template(name), expected
    assert found.max_new_tokens == limit
    content = prompts.render(found, item("pointwise", 7), "original")[-1]["content"]
    assert content.index("the question") < content.index("left answer")
    assert parse(text, None, found.reply, "i", "original").score == 7
    assert parse(prompts.target(found, item("pointwise", 7), "original"), None, found.reply, "i", "original").score == 7


def test_real_replies_of_autoj_to_pairs(template, mirror):
    """All 206 of MELD's length-bias file; how a plain reading of the sentence decides is written out here."""
    (path,) = mirror.glob("Bound2-2/MELD-Eval/*/data/**/*ength*ias*.json")
    rows = [row for row in json.loads(path.read_text(encoding="utf-8")) if row.get("autoj_response")]
    assert len(rows) == 206
    settings = template("autoj_pairwise").reply
    found = [parse(row["autoj_response"], None, settings, "i", "original").outcome for row in rows]
    expected = []
    for row in rows:
        decision = row["autoj_response"].split("final decision is")[-1].strip().lower()
        labels = {"response 1": "first", "response 2": "second", "tie": "tie"}
        expected.append(next((outcome for label, outcome in labels.items() if decision.startswith(label)), "error"))
    assert found == expected
    assert found.count("error") <= 2


def test_real_ratings_as_autoj_was_trained_on(template, mirror):
    (path,) = mirror.glob("GAIR-NLP/auto-j/*/data/training/single_traindata.jsonl")
    settings = template("autoj_pointwise").reply
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    found = [parse(row["target_output"], None, settings, "i", "original") for row in rows]
    assert len(found) > 900
    assert sum(verdict.outcome == "score" for verdict in found) == len(found)
