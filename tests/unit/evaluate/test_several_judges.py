"""Several judges of one file: agreement between them by hand, errors, contradictions, and the mean over pairs."""

import numpy as np
import pytest

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.several_judges import agreement_between, agreement_with_people
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=300)
TRUTHS = ["first", "first", "second", "second", "tie", "first"]


def pairs(truths=TRUTHS) -> list[Item]:
    return [
        Item(str(n), "b", "pairwise", ("q",), (("a",), ("b",)), truth, str(n), {}) for n, truth in enumerate(truths)
    ]


def says(outcomes: list[str], swapped: list[str] | None = None) -> list[Verdict]:
    both = (("original", outcomes), ("swapped", swapped or outcomes))
    return [Verdict(str(n), order, outcome) for order, said in both for n, outcome in enumerate(said)]


def test_agreement_and_kappa_by_hand():
    one = ["first", "first", "second", "second", "tie", "error"]
    other = ["first", "second", "second", "second", "tie", "first"]
    table = agreement_between(pairs(), {"one": says(one), "other": says(other)}, FEW).set_index("metric")
    # Five shared verdicts, four equal; by chance 2/5·1/5 + 2/5·3/5 + 1/5·1/5.
    chance = (2 * 1 + 2 * 3 + 1 * 1) / 25
    assert table.value["agreement"] == pytest.approx(0.8)
    assert table.value["kappa"] == pytest.approx((0.8 - chance) / (1 - chance))
    assert (table.n["agreement"], table.errors["agreement"], table.clusters["agreement"]) == (5, 1, 6)
    assert 0.2 < table.ci_low["agreement"] < 0.8 < table.ci_high["agreement"] < 1


def test_who_contradicts_himself_says_tie_and_people_are_not_asked():
    one, other = says(["first"] * 4, ["second"] * 4), says(["tie"] * 4)
    table = agreement_between(pairs([None] * 4), {"one": one, "other": other}, FEW)
    assert table.value[0] == 1 and table.n[0] == 4


def test_the_mean_over_pairs_of_judges():
    verdicts = {"a": says(TRUTHS), "b": says(TRUTHS), "c": says(["second"] * 6)}
    table = agreement_between(pairs(), verdicts, FEW)
    values = table[table.metric == "agreement"].set_index(["judge_a", "judge_b"]).value
    assert values["a", "b"] == 1 and values["a", "c"] == pytest.approx(2 / 6)
    assert values["mean", ""] == pytest.approx((1 + 2 / 6 + 2 / 6) / 3)
    mean = table[(table.judge_a == "mean") & (table.metric == "agreement")].iloc[0]
    assert mean.ci_low < mean.value < mean.ci_high and mean.note == "mean of 3 pairs of judges"


def test_grades_are_compared_by_correlation_and_distance():
    items = [Item(str(n), "b", "pointwise", ("q",), (("a",),), None, str(n), {}) for n in range(6)]
    scores = {"a": [1, 2, 3, 4, 5, None], "b": [2, 3, 4, 5, 6, 1], "c": [5, 4, 3, 2, 1, 1]}
    verdicts = {
        name: [
            Verdict(str(n), "original", "error" if score is None else "score", score) for n, score in enumerate(said)
        ]
        for name, said in scores.items()
    }
    table = agreement_between(items, verdicts, FEW).set_index(["judge_a", "judge_b", "metric"])
    assert table.value["a", "b", "pearson"] == pytest.approx(1) and table.value["a", "b", "mae"] == pytest.approx(1)
    assert table.value["a", "c", "spearman"] == pytest.approx(-1)
    assert (table.n["a", "c", "pearson"], table.errors["a", "c", "pearson"], table.n["b", "c", "pearson"]) == (5, 1, 6)


def test_two_judges_without_a_shared_verdict():
    table = agreement_between(pairs(), {"a": says(["error"] * 6), "b": says(TRUTHS)}, FEW)
    assert table.note[0] == "no shared verdict" and table.errors[0] == 6 and np.isnan(table.value[0])


def test_the_mean_over_judges_knows_who_has_no_value():
    right = says(TRUTHS)
    one_order = [verdict for verdict in right if verdict.order == "original"]
    table = agreement_with_people(pairs(), {"a": right, "b": one_order}, FEW)
    means = table[table.judge == "mean"].set_index("metric")
    assert means.value["accuracy_first"] == 1 and np.isnan(means.value["accuracy"])
    assert means.note["accuracy"] == "no value of b" and means.note["accuracy_first"].startswith("mean of 2 judges")
    assert agreement_with_people(pairs(), {"a": right}, FEW).judge.eq("a").all()
