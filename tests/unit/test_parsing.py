"""Replies → verdicts, by golden cases (tests/data/parsing/): what cannot be read is an error, never a guess."""

import json
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.errors import JudgemergeError
from judgemerge.items import Verdict
from judgemerge.parsing import FORMATS, check_format, parse

PAIRS = {"format": "verdict_line", "first": "A", "second": "B", "tie": "tie"}
GRADES = {"format": "score_line", "minimum": 1, "maximum": 10}
SETTINGS = {
    "verdict_line": PAIRS,
    "double_brackets": {**PAIRS, "format": "double_brackets"},
    "final_verdict": {**PAIRS, "format": "final_verdict", "tie": "C"},
    "final_result": {**PAIRS, "format": "final_result"},
    "score_line": GRADES,
    "choice": {**PAIRS, "format": "choice"},
    "choice_score": {**GRADES, "format": "choice_score"},
    "likelihoods": {"format": "likelihoods"},
    "overall_score": {**GRADES, "format": "overall_score"},
    "rating_brackets": {**GRADES, "format": "rating_brackets"},
    "final_decision": {"format": "final_decision", "first": "Response 1", "second": "Response 2", "tie": "Tie"},
    "first_line": {"format": "first_line", "first": 1, "second": 2, "tie": "Tie"},
    "integer": {**GRADES, "format": "integer"},
    "result_label": {"format": "result_label", "first": "A", "second": "B"},
    "result_score": {"format": "result_score", "minimum": 1, "maximum": 5},
    "score_tag": {"format": "score_tag", "minimum": 0, "maximum": 1},
}


@pytest.mark.parametrize("name", FORMATS)
def test_golden_replies(data, name):
    golden = json.loads((data / "parsing" / f"{name}.json").read_text(encoding="utf-8"))
    assert len(golden["cases"]) >= 15
    found = {}
    for case in golden["cases"]:
        verdict = parse(case["reply"], None, golden["settings"], "item", "original", case.get("finish_reason"))
        value = verdict.outcome if verdict.score is None else verdict.score
        found[_key(case)] = f"error: {verdict.reason}" if verdict.reason else value
    assert found == {_key(case): case["gives"] for case in golden["cases"]}


def _key(case):
    return case["reply"], case.get("finish_reason")


TAKEN_BACK = ("On reflection", "All in all", "No, wait", "</think>")  # the first verdict was whole, and then changed


@pytest.mark.parametrize("name", [name for name, entry in FORMATS.items() if entry.mode == "generate"])
def test_a_reply_that_is_cut_anywhere_is_read_as_the_whole_one_or_not_at_all(data, name):
    golden = json.loads((data / "parsing" / f"{name}.json").read_text(encoding="utf-8"))
    for case in golden["cases"]:
        reply = case["reply"]
        if str(case["gives"]).startswith("error") or any(words in reply for words in TAKEN_BACK):
            continue
        for end in range(len(reply)):
            verdict = parse(reply[:end], None, golden["settings"], "item", "original", "length")
            value = verdict.outcome if verdict.score is None else verdict.score
            assert value in ("error", case["gives"]), (reply, reply[:end])
            assert verdict.cut and (verdict.reason is None or verdict.reason in ("cut", "contradictory"))


LONG = [
    "\n" * 200_000,
    "*\n" * 100_000,
    " " * 200_000,
    "[[" * 100_000,
    "[[" + " " * 200_000,
    "verdict" + ":" * 200_000,
    "verdict: A" + "*" * 200_000 + "x",
    "verdict: " * 20_000,
    "verdict: " + "A" * 200_000 + "!x",
    "score" + ":" * 200_000,
    "score: 7" + " " * 200_000 + "x",
    "score: " + "1" * 200_000 + "x",
    "[[" + "1" * 200_000,
    "final decision is " * 20_000,
    "final decision is" + "*" * 200_000 + "x",
    "*" * 200_000 + "1 x",
    "1" * 200_000,
    "1" + "*" * 200_000 + "x",
    "<score>" + " " * 200_000,
    "<score> " * 40_000,
    "</feedback>" * 40_000,
]


@pytest.mark.parametrize("name", FORMATS)
def test_long_replies_are_read_in_no_time(name):
    def give_up(*_):
        raise TimeoutError(f"{name} is still reading {reply[:20]!r}…")

    before = signal.signal(signal.SIGALRM, give_up)
    try:
        for reply in LONG:
            signal.alarm(5)
            assert parse(reply, None, SETTINGS[name], "item", "original").outcome == "error"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@given(st.text(), st.sampled_from(sorted(FORMATS)), st.sampled_from(["original", "swapped"]))
def test_any_reply_gives_a_verdict_or_a_reason(reply, name, order):
    verdict = parse(reply, None, SETTINGS[name], "item", order)
    assert (verdict.outcome == "error") == (verdict.reason is not None)
    assert (verdict.outcome == "score") == (verdict.score is not None)


def test_swapped_order_is_mapped_back():
    outcomes = {
        reply: [parse(f"Verdict: {reply}", None, PAIRS, "i", order).outcome for order in ("original", "swapped")]
        for reply in ("A", "B", "tie")
    }
    assert outcomes == {"A": ["first", "second"], "B": ["second", "first"], "tie": ["tie", "tie"]}


def test_a_missing_reply_keeps_its_reason():
    assert parse(None, "prompt_too_long", PAIRS, "i", "swapped") == Verdict(
        "i", "swapped", "error", reason="prompt_too_long"
    )
    assert parse(None, None, GRADES, "i", "original").reason == "no_reply"


def test_a_prompt_without_ties_knows_no_tie():
    settings = {key: value for key, value in PAIRS.items() if key != "tie"}
    assert parse("Verdict: tie", None, settings, "i", "original").reason == "no_verdict"


BAD_SETTINGS = {
    "unknown format": ({"format": "verdict_lin"}, "'verdict_lin' is unknown; did you mean 'verdict_line'?"),
    "no format": ({"first": "A"}, "reply.format 'None' is unknown"),
    "other protocol": (GRADES, "reply.format 'score_line' is pointwise, but the prompt is pairwise"),
    "missing label": ({"format": "verdict_line", "first": "A"}, "reply.second is missing; format 'verdict_line' needs"),
    "unknown key": ({**PAIRS, "ties": "tie"}, "reply.ties is unknown; did you mean 'tie'?"),
}


@pytest.mark.parametrize(("settings", "sentence"), BAD_SETTINGS.values(), ids=BAD_SETTINGS)
def test_bad_reply_settings_are_named(settings, sentence):
    with pytest.raises(JudgemergeError) as caught:
        check_format(settings, "pairwise", "prompts/mine.yaml")
    assert str(caught.value).startswith("prompts/mine.yaml: ")
    assert sentence in str(caught.value)
