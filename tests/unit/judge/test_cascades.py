"""Cascades: who answers, who abstains, and whether the promise is kept."""

import dataclasses
import math

import numpy as np
import pytest
from agreement_cases import both, pair, said
from scipy import stats

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict
from judgemerge.judge import cascades
from judgemerge.judge.cascades import ABSTAINED, NEVER, Opinion, Promise, fixed_sequence, opinion
from judgemerge.judge.development import by_item, one_per_prompt


def likely(item, outcome, probability, order="original"):
    return dataclasses.replace(said(item, outcome, order), probabilities={outcome: probability})


ITEM = pair(1, "first")


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([likely(ITEM, "first", 0.9)], Opinion("first", 0.9)),
        ([likely(ITEM, "first", 0.9), likely(ITEM, "first", 0.7, "swapped")], Opinion("first", 0.8)),
        ([likely(ITEM, "first", 0.9), likely(ITEM, "second", 0.9, "swapped")], Opinion("tie", 0.0)),
        (both([ITEM], ["second"], ["second"]), Opinion("second", 1.0)),
        (both([ITEM], ["second"], ["first"]), Opinion("tie", 0.0)),
        (both([ITEM], ["second"], ["error"]), Opinion("error", 0.0)),
    ],
)
def test_how_sure_a_judge_is(verdicts, expected):
    orders = [one.order for one in verdicts]
    assert opinion({one.order: one for one in verdicts}, orders) == pytest.approx(expected)


def test_one_order_without_probabilities_says_nothing_of_how_sure():
    assert math.isnan(opinion({"original": said(ITEM, "first")}, ["original"]).sure)
    items = [pair(number, "first") for number in range(60)]
    verdicts = {name: [said(item, "first") for item in items] for name in "ab"}
    with pytest.raises(JudgemergeError, match="'a' gives no probabilities and was asked in one order"):
        cascades.verdicts_of(["a", "b"], Promise(0.8, 0.9), items, verdicts, {}, {}, 1)


def test_the_first_judge_that_is_sure_answers_and_the_last_abstains():
    items = [pair(number, "first") for number in range(3)]
    verdicts = {
        "cheap": [likely(item, "first", p) for item, p in zip(items, (0.9, 0.6, 0.6), strict=True)],
        "dear": [likely(item, "second", p) for item, p in zip(items, (0.9, 0.95, 0.7), strict=True)],
    }
    answers, thresholds = by_item(verdicts), {"cheap": 0.8, "dear": 0.9}
    who = [cascades.answering(item.id, answers, ["original"], thresholds) for item in items]
    assert who == ["cheap", "dear", None]
    found = [one for item in items for one in cascades._answer(item, answers, ["original"], thresholds)]
    assert [(one.outcome, one.raw, one.reason) for one in found] == [
        ("first", "cheap", None),
        ("second", "dear", None),
        ("error", None, ABSTAINED),
    ]


def test_an_unreadable_reply_goes_on_to_the_next_judge():
    answers = by_item({"cheap": [said(ITEM, "error")], "dear": [likely(ITEM, "first", 0.6)]})
    assert cascades.answering(ITEM.id, answers, ["original"], {"cheap": 0.0, "dear": 0.5}) == "dear"


def test_a_threshold_is_kept_as_long_as_the_exact_test_rejects():
    sure = np.linspace(1, 0.5, 100)
    right = np.arange(100) < 60  # the surest 60 are right, the others wrong
    threshold = fixed_sequence(sure, right, 0.2, 0.05)
    n = (sure >= threshold).sum()
    assert stats.binom.cdf(n - 60, n, 0.2) <= 0.05 < stats.binom.cdf(n + 5 - 60, n + 5, 0.2)


def test_a_judge_that_is_not_good_enough_where_it_is_surest_never_answers():
    sure, right = np.linspace(1, 0.5, 100), np.tile([True, False], 50)
    assert fixed_sequence(sure, right, 0.2, 0.1) == NEVER
    assert fixed_sequence([1.0] * 10, [True] * 10, 0.2, 0.1) == NEVER  # too few to know


def test_one_item_of_each_prompt_is_counted():
    items = [pair(number, "first", cluster=number // 3) for number in range(30)]
    drawn = one_per_prompt(items, 1)
    assert len(drawn) == 10 and len({item.cluster for item in drawn}) == 10
    assert drawn != one_per_prompt(items, 2)


def population(n, rng):
    """Return pairs, and two judges whose probabilities say too much: right less often than they are sure."""
    items = [pair(number, "first") for number in range(n)]
    verdicts = {}
    for name, skill in (("cheap", 0.8), ("dear", 0.95)):
        sure = rng.uniform(0.5, 1, n)
        right = rng.random(n) < 0.5 + (sure - 0.5) * skill
        verdicts[name] = [
            likely(item, "first" if ok else "second", p) for item, ok, p in zip(items, right, sure, strict=True)
        ]
    return items, verdicts


def test_the_promise_is_kept_over_development_sets():
    """Agreement on what is answered is below the target in at most 10 % of development sets.

    Of 50 sets 5 are expected at most; 11 are nearly three standard errors above.
    """
    rng = np.random.default_rng(11)
    items, verdicts = population(1500, rng)
    answers, promise = by_item(verdicts), Promise(0.8, 0.9)
    n_broken = n_answering = 0
    for _ in range(50):
        development, known = population(300, rng)
        thresholds = cascades.fitted_thresholds(["cheap", "dear"], promise, {"d": development}, {"d": known}, 1)
        chosen = [(item, cascades.answering(item.id, answers, ["original"], thresholds)) for item in items]
        right = [answers[who][item.id]["original"].outcome == "first" for item, who in chosen if who]
        n_broken += bool(right) and np.mean(right) < 0.8
        n_answering += bool(right)
    assert n_broken <= 11 and n_answering > 25


def test_halves_judge_each_other_and_every_item_has_a_verdict():
    rng = np.random.default_rng(5)
    items, verdicts = population(400, rng)
    found, record = cascades.verdicts_of(["cheap", "dear"], Promise(0.75, 0.9), items, verdicts, {}, {}, 1)
    assert [one.item for one in found] == [item.id for item in items]
    assert [one["judges"] for one in record] == [200, 200]
    assert {one.raw for one in found} >= {"cheap", None}
    assert all(isinstance(one, Verdict) for one in found)
