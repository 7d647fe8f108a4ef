"""Scores per dimension: read from MELD's reply form, recomputed, compared with what the reply states."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.prompting.dimensions import Scores, derived_verdict, feedback, format_scores, read_scores, statements

POINTWISE = (
    "@@@Dimension Scores: {'Factual Accuracy': 9, 'User Need': 6, 'Clarity': 7, 'Overall Score': 7}"
    "###Overall Score: {8}&&&Detailed Evaluation Feedback: {Clear, but 'Depth': 3 is missing.}***"
)
PAIR = (
    "@@@{response A: Scores per dimension: ['Accuracy': 8, 'Depth': 6, 'Form': 4, 'Overall Score': 6]}"
    "@@@{response B: Scores per dimension: ['Accuracy': 5, 'Depth': 5, 'Form': 9, 'Overall Score': 6]}"
    "###Final Result: {A}&&&Detailed Evaluation Feedback: {A is more accurate.}***"
)


def test_a_grade_is_read_with_its_dimensions_and_not_with_what_the_feedback_quotes():
    (scores,) = read_scores(POINTWISE, "pointwise")
    assert scores == Scores({"Factual Accuracy": 9, "User Need": 6, "Clarity": 7}, 7)
    assert feedback(POINTWISE) == "Clear, but 'Depth': 3 is missing."


def test_overall_scores_by_hand():
    (scores,) = read_scores(POINTWISE, "pointwise")
    assert scores.recomputed("mean") == 7  # 22 / 3 = 7.33
    assert scores.recomputed("weighted") == 7  # (18 + 12 + 7) / 5 = 7.4
    assert Scores({"a": 7, "b": 8}, None).recomputed("mean") == 8  # 7.5: halves go up
    assert Scores({"a": 1, "b": 1, "c": 10}, None).recomputed("mean") == 4
    assert Scores({"a": 1, "b": 1, "c": 10}, None).recomputed("weighted") == 3  # (2 + 2 + 10) / 5 = 2.8
    assert Scores({}, 5).recomputed("mean") is None


def test_statements_of_a_grade():
    assert dict(statements("pointwise", POINTWISE, 8, "original")) == {
        "overall_score = overall in the list": False,
        "overall_score = mean of dimensions": False,
        "overall_score = weighted of dimensions": False,
    }
    assert (
        dict(statements("pointwise", "###Overall Score: {8}", 8, "original"))["overall_score = mean of dimensions"]
        is None
    )


def test_statements_of_a_pair():
    one, other = read_scores(PAIR, "pairwise")
    assert (one.recomputed("mean"), other.recomputed("mean")) == (6, 6)
    assert (one.recomputed("weighted"), other.recomputed("weighted")) == (6, 6)  # 32 / 5 = 6.4 and 29 / 5 = 5.8
    assert dict(statements("pairwise", PAIR, "first", "original")) == {
        "overall scores = mean of dimensions": True,
        "overall scores = weighted of dimensions": True,
        "verdict = better overall scores": False,  # 6 and 6 are a tie
        "verdict = better mean of dimensions": False,
        "verdict = better weighted of dimensions": False,
    }


def test_a_verdict_of_the_swapped_order_is_mapped_back():
    scores = [Scores({"a": 9}, 9), Scores({"a": 2}, 2)]
    assert derived_verdict(scores, "mean", "original") == "first"
    assert derived_verdict(scores, "mean", "swapped") == "second"
    assert derived_verdict(scores[:1], "mean", "original") is None


@given(
    st.dictionaries(st.text("abcdefgh XYZ", min_size=1, max_size=20).map(str.strip).filter(bool), st.integers(1, 10))
)
def test_what_is_written_is_read_again(dimensions):
    dimensions.pop("Overall Score", None)
    text = f"@@@Dimension Scores: {{{format_scores(dimensions, 4)}}}###Overall Score: {{4}}"
    assert read_scores(text, "pointwise") == [Scores({name: float(n) for name, n in dimensions.items()}, 4.0)]


@pytest.mark.parametrize("text", ["'" * 50_000, "'a': " * 50_000, "@@@" * 50_000, "'" + "a" * 200_000])
@pytest.mark.parametrize("protocol", ["pairwise", "pointwise"])
def test_long_nonsense_is_read_in_no_time(text, protocol):
    read_scores(text, protocol)
