"""Juries: what several judges say together, and what their votes weigh."""

import dataclasses
import math

import numpy as np
import pytest
from agreement_cases import both, pair, point, said

from judgemerge.core.items import Verdict
from judgemerge.judge import juries
from judgemerge.judge.development import halves
from judgemerge.judge.juries import NO_VOTE, Weights

ITEM = pair(1, "first")


def verdict(rule, *outcomes, weights=None):
    """Return the jury's verdict on one pair from what each member says in the original order."""
    verdicts = {f"judge{number}": [said(ITEM, outcome)] for number, outcome in enumerate(outcomes)}
    (found,) = juries.verdicts_of(rule, [ITEM], verdicts, weights or {})
    return found


@pytest.mark.parametrize(
    ("rule", "votes", "outcome"),
    [
        ("majority", ("first", "first", "second"), "first"),
        ("majority", ("first", "second"), "tie"),
        ("majority", ("first", "second", "tie"), "tie"),
        ("majority", ("first", "first", "second", "second"), "tie"),
        ("majority", ("first", "tie", "tie", "first", "first"), "first"),
        ("majority", ("first", "first", "tie", "second"), "tie"),  # half is no majority
        ("majority", ("first", "error", "error"), "first"),  # of those that could be read
        ("majority", ("second", "first", "error"), "tie"),
        ("mean", ("first", "tie", "tie"), "first"),
        ("mean", ("first", "second", "tie"), "tie"),
        ("mean", ("second", "second", "first", "tie"), "second"),
    ],
)
def test_votes_on_a_pair(rule, votes, outcome):
    assert verdict(rule, *votes).outcome == outcome


def test_a_jury_of_unreadable_members_is_an_error_with_a_code_of_its_own():
    assert verdict("majority", "error", "error") == Verdict(ITEM.id, "original", "error", reason=NO_VOTE)


def test_who_said_what_stands_beside_the_verdict():
    assert verdict("majority", "first", "error", "tie").raw == "judge0: first, judge1: error, judge2: tie"


def test_an_order_that_a_member_was_never_asked_in_is_not_recorded():
    verdicts = {"a": both([ITEM], ["first"], ["first"]), "b": [said(ITEM, "first")]}
    original, swapped = juries.verdicts_of("majority", [ITEM], verdicts, {})
    assert (original.outcome, swapped.reason) == ("first", "not_recorded")


def test_what_nobody_was_asked_about_stays_so():
    other = pair(2, "second")
    none = [Verdict(ITEM.id, "original", "error", reason="no_text")]
    verdicts = {name: none + [said(other, "first")] for name in "ab"}
    assert [one.reason for one in juries.verdicts_of("majority", [ITEM, other], verdicts, {})] == ["no_text", None]


def test_grades_are_averaged_over_those_that_could_be_read():
    item = point(1, 3.0)
    verdicts = {"a": [said(item, 4)], "b": [said(item, 1)], "c": [said(item, "error")]}
    assert [one.score for one in juries.verdicts_of("majority", [item], verdicts, {})] == [2.5]
    weights = {item.id: Weights({"a": 3.0, "b": 1.0, "c": 9.0})}
    assert [one.score for one in juries.verdicts_of("weighted", [item], verdicts, weights)] == [3.25]


def test_one_good_judge_outvotes_two_bad_ones():
    weights = {ITEM.id: Weights({"judge0": 2.0, "judge1": 0.5, "judge2": 0.9}, has_ties=False)}
    assert verdict("weighted", "second", "first", "first", weights=weights).outcome == "second"
    assert verdict("weighted", "tie", "first", "second", weights=weights).outcome == "second"
    assert verdict("weighted", "tie", "tie", "tie", weights=weights).outcome == "tie"


def test_weights_are_log_odds_of_the_development_accuracy():
    items = [pair(number, "first") for number in range(98)]
    right = [said(item, "first" if number < 80 else "second") for number, item in enumerate(items)]
    weights = juries.fitted_weights({"bench": items}, {"bench": {"good": right, "mute": [said(items[0], "error")]}})
    assert not weights.has_ties
    assert weights.by_member["good"] == pytest.approx(math.log(0.81 / 0.19))
    assert weights.by_member["mute"] == 0


def test_three_classes_have_their_own_odds_and_chance_weighs_nothing():
    truths = ["first", "second", "tie"] * 30
    items = [pair(number, truth) for number, truth in enumerate(truths)]
    constant = [said(item, "first") for item in items]
    weights = juries.fitted_weights({"bench": items}, {"bench": {"constant": constant}})
    assert weights.has_ties and weights.by_member["constant"] == pytest.approx(0)


def test_a_judge_that_is_worse_than_chance_has_no_vote():
    items = [pair(number, "first") for number in range(40)]
    weights = juries.fitted_weights({"bench": items}, {"bench": {"wrong": [said(item, "second") for item in items]}})
    assert weights.by_member["wrong"] == 0


def test_grades_weigh_by_their_squared_error():
    items = [point(number, float(number % 5)) for number in range(40)]
    verdicts = {
        "near": [said(item, item.truth + 1) for item in items],
        "far": [said(item, item.truth + 3) for item in items],
    }
    weights = juries.fitted_weights({"bench": items}, {"bench": verdicts}).by_member
    assert weights["near"] / weights["far"] == pytest.approx((9 * 40 + 2) / (40 + 2))


def test_no_verdict_is_decided_with_a_label_of_its_own_prompt():
    """Turning round the labels of one half changes no verdict on that half: its weights come from the other one."""
    rng = np.random.default_rng(3)
    items = [pair(number, str(rng.choice(["first", "second"])), cluster=number // 2) for number in range(80)]
    verdicts = {name: [said(item, str(rng.choice(["first", "second"]))) for item in items] for name in "abc"}
    mine, _ = halves(items, 1)
    other_way = {"first": "second", "second": "first"}
    turned = [pair(n, other_way[one.truth] if one in mine else one.truth, n // 2) for n, one in enumerate(items)]
    before, after = (
        {one.item: one.outcome for one in juries.verdicts_of("weighted", some, verdicts, weights)}
        for some in (items, turned)
        for weights, _ in [juries.weights_by_item(some, verdicts, {}, {}, 1)]
    )
    assert {one.id: before[one.id] for one in mine} == {one.id: after[one.id] for one in mine}
    assert before != after


def test_the_record_names_what_was_fitted_on_what():
    items = [pair(number, "first") for number in range(4)]
    verdicts = {name: [said(item, "first") for item in items] for name in "ab"}
    _, record = juries.weights_by_item(items, verdicts, {}, {}, 1)
    assert [(one["fitted_on"], one["judges"]) for one in record] == [
        ("second half of the prompts", 2),
        ("first half of the prompts", 2),
    ]
    others = [dataclasses.replace(item, turns=("another question",)) for item in items]
    _, record = juries.weights_by_item(items, verdicts, {"other": others}, {"other": verdicts}, 1)
    assert [(one["fitted_on"], one["judges"]) for one in record] == [("other", 4)]
