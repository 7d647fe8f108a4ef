"""Replies → verdicts, by golden cases (tests/data/parsing/): what cannot be read is an error, never a guess."""

import json
import signal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict
from judgemerge.prompting.parsers import FORMATS, ReplySettings
from judgemerge.prompting.parsing import parse, reply_settings

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
    settings = ReplySettings(**golden["settings"])
    for case in golden["cases"]:
        verdict = parse(case["reply"], None, settings, "item", "original", case.get("finish_reason"))
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
            verdict = parse(reply[:end], None, ReplySettings(**golden["settings"]), "item", "original", "length")
            value = verdict.outcome if verdict.score is None else verdict.score
            assert value in ("error", case["gives"]), (reply, reply[:end])
            assert verdict.cut
            assert verdict.reason in (None, "cut", "contradictory", "unfinished_thought")


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
            assert parse(reply, None, ReplySettings(**SETTINGS[name]), "item", "original").outcome == "error"
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@given(st.text(), st.sampled_from(sorted(FORMATS)), st.sampled_from(["original", "swapped"]))
def test_any_reply_gives_a_verdict_or_a_reason(reply, name, order):
    verdict = parse(reply, None, ReplySettings(**SETTINGS[name]), "item", order)
    assert (verdict.outcome == "error") == (verdict.reason is not None)
    assert (verdict.outcome == "score") == (verdict.score is not None)


def test_swapped_order_is_mapped_back():
    outcomes = {
        reply: [
            parse(f"Verdict: {reply}", None, ReplySettings(**PAIRS), "i", order).outcome
            for order in ("original", "swapped")
        ]
        for reply in ("A", "B", "tie")
    }
    assert outcomes == {"A": ["first", "second"], "B": ["second", "first"], "tie": ["tie", "tie"]}


def test_a_missing_reply_keeps_its_reason():
    assert parse(None, "prompt_too_long", ReplySettings(**PAIRS), "i", "swapped") == Verdict(
        "i", "swapped", "error", reason="prompt_too_long"
    )
    assert parse(None, None, GRADES, "i", "original").reason == "no_reply"


def test_a_prompt_without_ties_knows_no_tie():
    settings = {key: value for key, value in PAIRS.items() if key != "tie"}
    assert parse("Verdict: tie", None, ReplySettings(**settings), "i", "original").reason == "no_verdict"


# Other labels and scales → replies and what they give.
OTHER_SETTINGS = [
    (
        {"format": "verdict_line", "first": "Model 1", "second": "Model 2"},
        {
            "Verdict: Model 1": "first",
            "Verdict: Model 12": "error",
            "Verdict: Model 1.5": "error",
            "Verdict: Model 1/2": "error",
            "Verdict: **Model 2**": "second",
            "Verdict: Model\xa01": "first",
            "Verdict: Model１": "error",
            "Verdict: Model-1": "error",
        },
    ),
    (
        {"format": "verdict_line", "first": "(a)", "second": "(b)"},
        {
            "Verdict: (a)": "first",
            "Verdict: a": "error",
            "Verdict: **(b)**": "second",
            "Verdict: (a) or (b)": "error",
            "Verdict: (a), (b)": "error",
        },
    ),
    (
        {"format": "verdict_line", "first": ">>", "second": "<<", "tie": "=="},
        {
            "Verdict: >>": "first",
            "Verdict: <<": "second",
            "Verdict: ==": "tie",
            "Verdict: >> <<": "error",
            "Verdict: <<>>": "error",
        },
    ),
    (
        {"format": "verdict_line", "first": ">", "second": "<", "tie": "="},
        {
            "Verdict: >": "first",
            "Verdict: >=": "error",
            "Verdict: <=>": "error",
            "Verdict: ->": "error",
            "Verdict: => A": "error",
            "Verdict: >>": "error",
            "Verdict: ≥": "error",
        },
    ),
    ({"format": "verdict_line", "first": ">", "second": ">>"}, {"Verdict: >>": "second"}),
    ({"format": "verdict_line", "first": "A>B", "second": "B>A"}, {"Verdict: A>>B": "error"}),
    (
        {"format": "verdict_line", "first": "A>B", "second": "B>A", "tie": "A=B"},
        {"Verdict: A>B": "first", "Verdict: A > B": "error", "Verdict: A>B>C": "error"},
    ),
    (
        {"format": "verdict_line", "first": "+", "second": "-", "tie": "0"},
        {
            "Verdict: +": "first",
            "Verdict: -": "second",
            "Verdict: 0": "tie",
            "Verdict: +-": "error",
            "Verdict: -0": "error",
            "Verdict: +/-": "error",
        },
    ),
    (
        {"format": "verdict_line", "first": 1, "second": -1},
        {"Verdict: 1": "first", "Verdict: -1": "second", "Verdict: –1": "error", "Verdict: −1": "second"},
    ),
    (
        {"format": "verdict_line", "first": 1, "second": 2},
        {
            "Verdict: 1.5": "error",
            "Verdict: 1/2": "error",
            "Verdict: 1 (2)": "error",
            "Verdict: $1": "error",
            "Verdict: #1": "error",
            "Verdict: 1%": "error",
            "Verdict: 1.": "first",
            "Verdict: .1": "error",
            "Verdict: 1,": "first",
            "Verdict: 1 - 2": "error",
            "Verdict: １": "first",
            "Verdict: ①": "error",
        },
    ),
    (
        {"format": "verdict_line", "first": "C", "second": "C++"},
        {"Verdict: C++": "second", "Verdict: C": "first", "Verdict: C+": "error"},
    ),
    ({"format": "verdict_line", "first": "A", "second": "A*"}, {"Verdict: *A*": "first"}),
    ({"format": "verdict_line", "first": "A", "second": "B"}, {"Verdict: _A_": "first"}),
    (
        {"format": "verdict_line", "first": "model_1", "second": "model_2"},
        {"Verdict: model_1": "first", "Verdict: model\\_1": "first"},
    ),
    ({"format": "verdict_line", "first": "yes", "second": "no"}, {"Verdict: yes, it is": "error"}),
    ({"format": "verdict_line", "first": "A", "second": "no"}, {"Verdict: no, A": "error"}),
    (
        {"format": "verdict_line", "first": "甲", "second": "乙", "tie": "平"},
        {"Verdict: 甲": "first", "Verdict: 甲优于乙": "error"},
    ),
    ({"format": "verdict_line", "first": "Antwort A", "second": "Antwort B"}, {"Verdict: Antwort A": "first"}),
    ({"format": "verdict_line", "first": "straße", "second": "weg"}, {"Verdict: STRASSE": "error"}),
    ({"format": "verdict_line", "first": "i", "second": "j"}, {"Verdict: İ": "error"}),
    ({"format": "verdict_line", "first": "s", "second": "j"}, {"Verdict: ſ": "error"}),
    ({"format": "verdict_line", "first": "k", "second": "j"}, {"Verdict: K": "first"}),
    (
        {"format": "score_line", "minimum": 0, "maximum": 2000},
        {"Score: 1,000": "error", "Score: 1.000": 1.0, "Score: 1 000": "error", "Score: 1_000": "error"},
    ),
    (
        {"format": "score_line", "minimum": -10, "maximum": 10},
        {
            "Score: −7": -7.0,
            "Score: –7": "error",
            "Score: - 7": "error",
            "Score: -7": -7.0,
            "Score: (-7)": -7.0,
            "Score: **-7**": -7.0,
            "Score: \\-7": -7.0,
            "Score: $-7$": -7.0,
            "Score: －7": -7.0,
            "Score:-7": -7.0,
            "Score:— 7": "error",
        },
    ),
    (
        {"format": "score_line", "minimum": 0, "maximum": 1},
        {
            "Score: 0.8": 0.8,
            "Score: .8": "error",
            "Score: 80%": "error",
            "Score: 0,8": "error",
            "Score: 0.8/1": 0.8,
            "Score: 0.8 / 1.0": 0.8,
            "Score: 1": 1.0,
            "Score: 1.0/1.0": 1.0,
            "Score: 8/10": "error",
            "Score: 1/10": "error",
        },
    ),
    ({"format": "score_line", "minimum": 0, "maximum": 10}, {"Score: 1/100": "error"}),
    ({"format": "score_line", "minimum": 0, "maximum": 100}, {"Score: 85/100": 85.0, "Score: 85%": "error"}),
    ({"format": "score_line", "minimum": 0, "maximum": 100000}, {"Score: 1/100000": 1.0}),
    (
        {"format": "score_line", "minimum": 0, "maximum": 1000000},
        {"Score: 5/1e+06": "error", "Score: 5/1000000": 5.0, "Score: 5/1,000,000": "error"},
    ),
    ({"format": "score_line", "minimum": 0, "maximum": 2.5}, {"Score: 5/2.5": "error", "Score: 1/2.5": 1.0}),
    (
        {"format": "integer", "minimum": -10, "maximum": 10},
        {"(-7)": -7.0, "−7": -7.0, "-7": -7.0, "– 7": "error", "\\-7": -7.0, "$-7$": -7.0},
    ),
]


@pytest.mark.parametrize(("settings", "replies"), OTHER_SETTINGS)
def test_other_labels_and_scales_are_read_as_they_stand_or_not_at_all(settings, replies):
    verdicts = {reply: parse(reply, None, ReplySettings(**settings), "i", "original") for reply in replies}
    found = {reply: one.outcome if one.score is None else one.score for reply, one in verdicts.items()}
    assert found == replies


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
        reply_settings(settings, "pairwise", "prompts/mine.yaml")
    assert str(caught.value).startswith("prompts/mine.yaml: ")
    assert sentence in str(caught.value)
