"""Probabilities of verdicts: shares, averages, expected grades, and how verdicts and their files carry them."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict, read_verdicts, verdict_rows, write_verdicts
from judgemerge.core.probabilities import expected_grade, grade_name, mean, normalised, of_compared_grades, renamed
from judgemerge.judge.pairs_from_grades import compare_grades
from judgemerge.judge.sampling import combine
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.parsing import parse, reply_settings
from judgemerge.prompting.prompts import load_template

PAIRS = ReplySettings("choice", first="A", second="B", tie="C")
GRADES = ReplySettings("choice_score", minimum=1, maximum=3)


def scored(*shares, tokens=1):
    return json.dumps({"logprobs": [math.log(share) * tokens for share in shares], "tokens": [tokens] * len(shares)})


def test_the_labels_share_what_the_model_gives_them():
    verdict = parse(scored(0.6, 0.15, 0.05), None, PAIRS, "1")
    assert verdict.probabilities == pytest.approx({"first": 0.75, "second": 0.1875, "tie": 0.0625})
    assert (verdict.outcome, verdict.confidence) == ("first", pytest.approx(0.75))


def test_probabilities_are_of_the_benchmarks_order():
    verdict = parse(scored(0.6, 0.15, 0.05), None, PAIRS, "1", "swapped")
    assert verdict.probabilities == pytest.approx({"second": 0.75, "first": 0.1875, "tie": 0.0625})
    assert (verdict.outcome, verdict.confidence) == ("second", pytest.approx(0.75))


def test_grades_are_named_as_they_are_written():
    verdict = parse(scored(0.1, 0.2, 0.5), None, GRADES, "1")
    assert verdict.probabilities == pytest.approx({"1": 0.125, "2": 0.25, "3": 0.625})
    assert (verdict.score, verdict.confidence) == (3.0, pytest.approx(0.625))
    assert expected_grade(verdict.probabilities) == pytest.approx(2.5)
    assert [grade_name(grade) for grade in (4.0, 2.5, -1, 10)] == ["4", "2.5", "-1", "10"]


def test_two_responses_share_by_the_odds_that_orpo_trains():
    verdict = parse(scored(0.5, 0.2, tokens=7), None, ReplySettings("likelihoods"), "1")
    first, second = 0.5 / 0.5, 0.2 / 0.8
    assert verdict.probabilities == pytest.approx({"first": first / (first + second), "second": 0.2})


@pytest.mark.parametrize(
    ("shares", "expected"), [((1, 0.5), (1, 0)), ((0.5, 1), (0, 1)), ((1, 1), (0.5, 0.5)), ((0.3, 0.3), (0.5, 0.5))]
)
def test_a_response_without_doubt_has_infinite_odds(shares, expected):
    verdict = parse(scored(*shares), None, ReplySettings("likelihoods"), "1")
    assert tuple(verdict.probabilities.values()) == pytest.approx(expected)


@given(st.lists(st.floats(-1e4, 0), min_size=2, max_size=6))
def test_shares_sum_to_one_and_keep_the_order(logs):
    shares = normalised([str(place) for place in range(len(logs))], logs)
    assert sum(shares.values()) == pytest.approx(1)
    assert list(shares.values())[logs.index(max(logs))] == max(shares.values())


def test_errors_and_written_replies_have_none():
    written = ReplySettings("verdict_line", first="A", second="B", tie="C")
    for verdict in (
        parse("Verdict: A", None, written),
        parse(scored(0.4, 0.4, 0.2), None, PAIRS),
        parse("", None, PAIRS),
    ):
        assert verdict.probabilities is None
        assert verdict.confidence is None


def test_files_have_them_only_where_they_are_known(tmp_path):
    verdicts = [
        Verdict("1", "original", "first", probabilities={"first": 0.8}),
        Verdict("2", "original", "tie"),
    ]
    assert [row.get("probabilities") for row in verdict_rows(verdicts)] == [{"first": 0.8}, None]
    assert "probabilities" not in list(verdict_rows(verdicts))[1]
    write_verdicts(tmp_path / "suite.jsonl", {"pairs": verdicts})
    read = list(read_verdicts(tmp_path / "suite.jsonl", "pairs"))
    assert [one.probabilities for one in read] == [{"first": 0.8}, None]
    assert [one.confidence for one in read] == [0.8, None]
    assert len(set(read)) == 2


def test_the_average_is_of_what_both_orders_know():
    assert mean([{"first": 0.8, "tie": 0.1}, {"first": 0.5, "tie": 0.3}]) == {"first": 0.65, "tie": 0.2}
    assert mean([{"first": 0.8}, {"first": 0.5, "tie": 0.3}]) == {"first": 0.65}
    assert mean([{"first": 0.8}, {"second": 0.5}]) is None
    assert mean([{"first": 0.8}, None]) is None
    assert mean([]) is None
    assert renamed(None, {}) is None


def test_two_grades_make_the_probabilities_of_a_pair():
    first, second = {"1": 0.5, "2": 0.5}, {"1": 0.25, "2": 0.75}
    assert of_compared_grades(first, second) == {"first": 0.125, "second": 0.375, "tie": 0.5}
    assert of_compared_grades(first, None) is None
    sides = [
        Verdict("7/first", "original", "score", score=2, probabilities=first),
        Verdict("7/second", "original", "score", score=2, probabilities=second),
    ]
    assert [one.confidence for one in compare_grades(sides)] == [0.5, 0.5]
    unread = [sides[0], Verdict("7/second", "original", "error", reason="no_score")]
    assert [one.probabilities for one in compare_grades(unread)] == [None, None]


def test_runs_are_averaged_like_their_grades():
    runs = {
        1: [Verdict("7", "original", "score", score=1, probabilities={"1": 0.6, "2": 0.4})],
        2: [Verdict("7", "original", "score", score=2, probabilities={"1": 0.2, "2": 0.8})],
    }
    (verdict,) = combine(runs)
    assert (verdict.score, verdict.probabilities, verdict.confidence) == (1.5, {"1": 0.4, "2": 0.6}, None)


def test_the_expected_grade_counts_where_the_prompt_says_so(repository):
    expected = load_template(repository / "config" / "prompts" / "brief_pointwise_expected.yaml")
    likeliest = load_template(repository / "config" / "prompts" / "brief_pointwise_choice.yaml")
    assert expected.user == likeliest.user
    reply = scored(*[0.05] * 6, 0.2, 0.1, 0.2, 0.2)
    assert parse(reply, None, likeliest.reply).reason == "no_score"
    verdict = parse(reply, None, expected.reply)
    assert verdict.score == pytest.approx(0.05 * 21 + 0.2 * 7 + 0.8 + 0.2 * 9 + 2)
    assert (verdict.outcome, verdict.confidence) == ("score", None)
    assert sum(verdict.probabilities.values()) == pytest.approx(1)
    assert parse("nothing scored", None, expected.reply).reason == "no_score"


def test_another_word_for_the_grade_is_refused():
    raw = {"format": "choice_score", "minimum": 1, "maximum": 3, "grade": "mean"}
    with pytest.raises(JudgemergeError, match="mine: reply.grade is 'mean'; write likeliest or expected"):
        reply_settings(raw, "pointwise", "mine", "choices")
    with pytest.raises(JudgemergeError, match="mine: reply.grade is unknown"):
        reply_settings({**raw, "format": "score_line"}, "pointwise", "mine")
