"""What the page says of judged records, and the files that are taken away: numbers by hand, errors, hostile texts."""

import csv
import io
import json

import pytest

from judgemerge.judge.streaming import Fault, OrderResult, Record, Result
from judgemerge.page import results
from judgemerge.page.results import Judged
from judgemerge.prompting.dimensions import Scores


def order(name, outcome, scores=(), score=None, reason=None, feedback="Fine."):
    return OrderResult(name, outcome, score, reason, list(scores), feedback, "reply", "stop", 3, 4)


def pair(first, second, *scores, overlaps=(), **record):
    orders = [order("original", first, scores[:2]), order("swapped", second, scores[2:])]
    return Judged(Record(1, json.dumps({"id": 1, **record})), Result("1", 1, "pairwise", orders), overlaps)


def grade(score, *scores, reason=None):
    orders = [order("original", "score" if score is not None else "error", scores, score, reason)]
    return Judged(Record(2, '{"id": 2}'), Result("2", 2, "pointwise", orders))


LOST = Judged(Record(9, "{"), Fault(9, None, "line 9: column 2 is not JSON"))
A, B = Scores({"Depth": 8, "Style": 6}, 7), Scores({"Depth": 2}, 3)


def test_the_scores_of_both_orders_are_averaged_and_the_overall_score_comes_last():
    one = pair("first", "first", A, B, Scores({"Depth": 4}, None), Scores({"Depth": 3, "Wit": 1}, 5))
    assert results.scores_of(one.result) == {
        "A": {"Depth": 6, "Style": 6, "Overall": 7},
        "B": {"Depth": 2.5, "Wit": 1, "Overall": 4},
    }
    assert results.scores_of(pair("first", "first", A, B, A).result) == {  # one alone could be anybody's
        "A": {"Depth": 8, "Style": 6, "Overall": 7},
        "B": {"Depth": 2, "Overall": 3},
    }
    assert results.scores_of(LOST.result) == {} == results.scores_of(pair("tie", "tie").result)


def test_shares_count_everything_with_intervals():
    judged = [pair("first", "first"), pair("first", "first"), pair("tie", "tie"), pair("first", "second"), LOST]
    judged += [pair("first", "error")]
    rows = results.shares(judged)
    assert [(row.what, row.n, row.of) for row in rows] == [
        ("A is better", 2, 6),
        ("equally good", 1, 6),
        ("changes with the order", 1, 6),
        ("no verdict", 1, 6),
        ("not read", 1, 6),
    ]
    assert (rows[0].low, rows[0].high) == pytest.approx((0.0968, 0.7000), abs=1e-4)  # Wilson (1927), 2 of 6
    grades = results.shares([grade(3), grade(4.5), grade(None, reason="cut")])
    assert [(row.what, row.n) for row in grades] == [("has a score", 2), ("no score", 1)]


def test_means_have_n_and_an_interval():
    rows = {
        (row.dimension, row.answer): row
        for row in results.means([pair("tie", "tie", A, B), pair("tie", "tie", B, A), LOST])
    }
    assert list(rows)[-1][0] == results.OVERALL
    depth = rows["Depth", "A"]
    assert (depth.score, depth.n) == (5, 2)
    assert (depth.low, depth.high) == pytest.approx((5 - 38.1186, 5 + 38.1186), abs=1e-3)  # t(1) = 12.7062, s/√n = 3
    assert rows["Style", "A"] == ("Style", "A", 6, 1, None, None)
    (overall,) = results.means([grade(3), grade(5), grade(None)])
    assert (overall.dimension, overall.score, overall.n) == ("Overall", 4, 2)


def test_the_json_is_the_list_as_it_came_with_one_key_more():
    overlap = [{"ROUGE-1": 1.0}, {"ROUGE-1": 0.5}]
    judged = [pair("first", "first", A, B, overlaps=overlap, question_body="q\ud800", label="A"), LOST]
    first, lost = json.loads(results.as_json(judged, {"model": "m", "prompt": "p"}))
    assert first["label"] == "A" and first["question_body"] == "q\ud800" and first["id"] == 1
    own = first["judgemerge"]
    assert (
        own["verdict"] == "first" and own["overlap"] == overlap and own["judged_with"] == {"model": "m", "prompt": "p"}
    )
    assert own["orders"][0]["scores"][0] == {"dimensions": {"Depth": 8, "Style": 6}, "overall": 7}
    assert lost == {
        "record": "{",
        "judgemerge": {**LOST.result._asdict(), "judged_with": {"model": "m", "prompt": "p"}},
    }


def test_the_csv_has_a_row_per_record_and_no_formula():
    hostile = pair("first", "first", Scores({"=1+1": 3}, None), Scores({"=1+1": 4}, None))
    hostile.result.orders[0] = hostile.result.orders[0]._replace(feedback='=HYPERLINK("http://x","y")')
    overlaps = [{"BLEU": 1.5}, {"BLEU": 2.5}]
    judged = [Judged(hostile.record, hostile.result, overlaps), LOST, grade(4, Scores({"Depth": 2}, 4))]
    rows = list(csv.DictReader(io.StringIO(results.as_csv(judged).decode())))
    assert [row["line"] for row in rows] == ["1", "9", "2"]
    assert rows[0]["'=1+1 A"] == "3.0" and rows[0]["BLEU B"] == "2.5" and rows[0]["verdict"] == "A is better"
    assert rows[0]["feedback, original order"] == '\'=HYPERLINK("http://x","y")'
    assert rows[1]["verdict"] == "not read" and "not JSON" in rows[1]["fault"]
    assert rows[2]["score"] == "4" and rows[2]["Depth"] == "2.0" and rows[2]["feedback"] == "Fine."
