"""What the rules of quantizations ask of a study: parents, and which judges are compared on which benchmark."""

import pytest

from judgemerge.quantize.plan import QuantizationPlan
from judgemerge.study.load import load_study

SETTINGS = {
    "study": "small",
    "models": {"one": {"path": "one"}, "two": {"path": "two"}},
    "quantizations": {"one_q4": {"model": "one", "type": "Q4_K"}, "two_q8": {"model": "two", "type": "Q8_0"}},
    "suites": {"pairs": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["two", "one_q4", "one", "longer"],
    "judging": {"prompts": {"pairwise": "brief_pairwise"}},
}


@pytest.fixture(scope="module")
def plan(repository):
    return lambda **changes: QuantizationPlan(load_study({**SETTINGS, **changes}, "study.yaml", repository / "config"))


def test_a_quantization_is_compared_with_what_it_is_made_from(plan):
    small = plan()
    assert small.parents == {"one": "one", "one_q4": "one"}
    assert small.units == [{"benchmark": "demo_pairwise", "suite": "pairs", "judges": ["one", "one_q4"]}]
    assert small.verdicts == [("one", "demo_pairwise"), ("one_q4", "demo_pairwise")]
    assert small.timings == [("one", "pairs"), ("one_q4", "pairs")]
    assert (small.parent("two_q8"), small.type("one_q4")) == ("two", "Q4_K_M")


def test_nothing_is_compared_where_no_quantization_judges(plan):
    assert plan(judges=["one", "two"]).units == []


def test_the_served_window_holds_the_longest_prompt_and_reply(plan):
    narrow = plan(judging={**SETTINGS["judging"], "max_prompt_tokens": 1000})
    wide = plan(judging={**SETTINGS["judging"], "max_prompt_tokens": 1500})
    assert wide.context("one_q4") == narrow.context("one_q4") + 500 > 1500
