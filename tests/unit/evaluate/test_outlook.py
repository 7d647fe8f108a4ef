"""The plan of a benchmark: from verdicts where they are there, from counts where not, never from what nobody knows."""

import math

import numpy as np
import pytest
from agreement_cases import both, pair, point, said

from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.outlook import (
    USUAL,
    Targets,
    difference_variance,
    needs,
    of_counts,
    of_verdicts,
    page,
    pseudo_values,
)
from judgemerge.evaluate.planning import Spread
from judgemerge.settings.report import Statistics

CLASSES = ("first", "second", "tie")


def pairs(n=200, per_prompt=1, n_people=3, seed=1):
    """Return items with votes, and verdicts of two judges that are right in .8 and .7 of the cases."""
    rng = np.random.default_rng(seed)
    items = []
    for number in range(n):
        truth = str(rng.choice(CLASSES))
        votes = [(f"p{person}", truth if rng.random() < 0.8 else "tie") for person in range(n_people)]
        items.append(pair(number, truth, cluster=number // per_prompt, votes=votes))
    answers = {
        judge: [[item.truth if rng.random() < skill else "second" for item in items] for _ in range(2)]
        for judge, skill in (("good", 0.8), ("poor", 0.7), ("random", 0.4))
    }
    return items, {judge: both(items, *orders) for judge, orders in answers.items()}


def test_verdicts_say_how_far_judges_are_apart_and_baselines_do_not_count():
    items, verdicts = pairs()
    outlook = of_verdicts(items, verdicts, {"random"}, 0.1, "this study")
    assert (outlook.n_items, outlook.n_prompts) == (200, 200)
    assert len(outlook.spreads) == 1
    assert len(outlook.kappas) == len(outlook.correlations) == len(outlook.duels) == 2
    right = {
        judge: np.array([v.outcome == items[k % 200].truth for k, v in enumerate(some)]).reshape(2, 200).mean(axis=0)
        for judge, some in verdicts.items()
    }
    assert outlook.spreads[0] == Spread.of(right["good"] - right["poor"], np.arange(200))
    assert outlook.basis["spreads"] == "1 pair of judges of this study"
    everybody = of_verdicts(items, {"good": verdicts["good"], "random": verdicts["random"]}, {"random"}, 0.1, "it")
    assert len(everybody.spreads) == 1


@pytest.mark.parametrize("per_prompt", [1, 4])
def test_what_the_items_show_is_what_the_table_of_comparisons_says(per_prompt):
    items, verdicts = pairs(per_prompt=per_prompt)
    del verdicts["random"]
    row = compare_benchmark(items, verdicts, Statistics(resamples=4000), ["accuracy"]).iloc[0]
    reached = needs(of_verdicts(items, verdicts, (), 0.1, "it"), Targets())[0].reached
    # The table has the variance at the difference that was seen, the plan that at the one it speaks of.
    assert reached == pytest.approx(row.detectable, rel=0.1)


def test_grades_have_the_variance_of_their_correlations():
    rng = np.random.default_rng(5)
    truth = rng.normal(size=300)
    items = [point(number, float(value)) for number, value in enumerate(truth)]
    grades = {judge: truth + rng.normal(0, spread, 300) for judge, spread in (("a", 0.8), ("b", 1.2))}
    verdicts = {
        judge: [said(item, float(g)) for item, g in zip(items, some, strict=True)] for judge, some in grades.items()
    }
    row = compare_benchmark(items, verdicts, Statistics(resamples=4000), ["spearman"]).iloc[0]
    outlook = of_verdicts(items, verdicts, (), 0.1, "it")
    assert needs(outlook, Targets())[0].reached == pytest.approx(row.detectable, rel=0.15)
    assert outlook.kappas == of_counts("bench", "pointwise", 300, 300).kappas  # grades that are not whole numbers
    values = pseudo_values(truth, grades["a"])
    assert values.mean() == pytest.approx(np.corrcoef(np.argsort(np.argsort([truth, grades["a"]])))[0, 1], abs=0.01)


def test_nothing_judged_is_planned_from_counts():
    outlook = of_counts("set", "pairwise", 999, None, {"first": 422, "second": 472, "tie": 105}, 0.15)
    rows = {row.question: row for row in needs(outlook, Targets())}
    assert set(rows) == {
        "two judges", "kappa", "alternative annotator test", "win rate, labels alone", "win rate, corrected by a judge",
    }  # fmt: skip
    assert rows["two judges"].least < rows["two judges"].needed < rows["two judges"].most
    assert {row.basis for row in rows.values()} == {USUAL, ""}
    alone, helped = rows["win rate, labels alone"], rows["win rate, corrected by a judge"]
    assert alone.needed == pytest.approx(1.96**2 * (1 - 105 / 999) / 4 / 0.05**2, rel=0.02)
    assert alone.needed * 0.75 < helped.needed < alone.needed
    assert f"at least {math.ceil(alone.needed / 2)}" in helped.note


def test_a_size_that_nobody_knows_leaves_what_it_shows_open():
    rows = needs(of_counts("set", "pointwise", None), Targets())
    assert all(row.reached is None and row.needed for row in rows)
    assert "size unknown" in page(rows, Targets(), [of_counts("set", "pointwise", None)])


def test_people_who_are_ahead_of_every_judge_are_never_replaced():
    items, verdicts = pairs()
    poor = {judge: both(items, ["first"] * 200, ["first"] * 200) for judge in verdicts}
    outlook = of_verdicts(items, poor, (), 0.1, "this study")
    row = next(row for row in needs(outlook, Targets()) if "annotator" in row.question)
    assert row.needed is row.least is None
    assert row.note.startswith("3 of 3 judges never pass")
    assert "never labels each of 3 people" in page([row], Targets(), [outlook])


def test_items_without_verdicts_or_without_labels_are_planned_all_the_same():
    items, verdicts = pairs(per_prompt=4)
    outlook = of_verdicts(items, {}, (), 0.1, "this study")
    assert (outlook.n_prompts, outlook.spreads[0].per_prompt, outlook.basis["spreads"]) == (50, 4, USUAL)
    bare = [pair(number, None) for number in range(40)]
    assert of_verdicts(bare, {}, (), 0.1, "this study").n_items == 40
    one = of_verdicts(items, {"good": verdicts["good"]}, (), 0.1, "this study")
    assert (one.basis["spreads"], one.basis["kappas"]) == (USUAL, "1 judge of this study")


def test_judges_that_say_always_the_same_leave_what_is_usual():
    items, _ = pairs()
    constant = {judge: both(items, ["error"] * 200, ["error"] * 200) for judge in ("a", "b")}
    outlook = of_verdicts(items, constant, (), 0.1, "it")
    assert outlook.basis["correlations"] == USUAL
    assert needs(outlook, Targets())[0].needed > 10


def test_too_few_judged_items_are_said_to_be_too_few():
    rows = needs(of_counts("set", "pairwise", 60), Targets())
    assert rows[-2].note == "more labels than there are items"
    assert rows[-1].note.endswith("if many more than these 60 items are judged")


def test_correlations_of_two_judges_vary_as_simulated():
    rng = np.random.default_rng(7)
    matrix = np.array([[1, 0.5, 0.5], [0.5, 1, 0.7], [0.5, 0.7, 1]])
    grades = rng.standard_normal((4000, 200, 3)) @ np.linalg.cholesky(matrix).T
    ranks = np.argsort(np.argsort(grades, axis=1), axis=1).astype(float)
    z = (ranks - ranks.mean(axis=1, keepdims=True)) / ranks.std(axis=1, keepdims=True)
    gaps = (z[:, :, 0] * z[:, :, 1]).mean(axis=1) - (z[:, :, 0] * z[:, :, 2]).mean(axis=1)
    assert difference_variance(0.48, 0.68) == pytest.approx(gaps.var() * 200, rel=0.1)
