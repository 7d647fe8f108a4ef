"""What the best trial's value is worth: without the optimism of choosing, and beside fixed recipes on test."""

import math

import numpy as np
import pandas as pd
import pytest

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.estimates import Estimate
from judgemerge.report.tables import search as search_page
from judgemerge.search.on_benchmarks import OnBenchmark, on_benchmark
from judgemerge.search.optimism import Optimism, optimism
from judgemerge.search.plan import SearchPlan
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import MergeSearch

SPACE = {"models.a.weight": {"low": 0.0, "high": 1.0}}
SETTINGS = Statistics(resamples=400, seed=7)


def pairs(n_pairs, name="d"):
    texts = {"responses": (("Because.",), ("No.",)), "truth": "first", "origin": {"source": "made", "row": 0}}
    return [
        Item(
            id=f"p{number}",
            benchmark=name,
            protocol="pairwise",
            turns=(f"Why {number}?",),
            cluster=str(number),
            **texts,
        )
        for number in range(n_pairs)
    ]


def verdicts_of(right):
    """Return both orders' verdicts of a judge that is right where `right` says so."""
    return [
        Verdict(f"p{number}", order, "first" if good else "second", None, None)
        for number, good in enumerate(right)
        for order in ("original", "swapped")
    ]


def search_with(**changes):
    return MergeSearch.of({"merge": "m", "space": SPACE, "development": "d", "rounds": 1, "width": 9} | changes)


def of_trials(rights, best=0):
    """Return the optimism of trials that are right where told; the row of the best one is the first."""
    items, share = pairs(len(rights[0])), float(np.mean(rights[best]))
    row = {"trial": best, "value": share, "ci_low": share - 0.1, "ci_high": share + 0.1, "n": len(items), "errors": 0}
    verdicts = {"d": {number: verdicts_of(right) for number, right in enumerate(rights)}}
    return optimism(search_with(), row, {"d": items}, verdicts, SETTINGS)


def test_the_best_of_many_equal_trials_is_luck():
    draw = np.random.default_rng(1)
    rights = draw.random((20, 60)) < 0.6
    best = int(np.argmax(rights.mean(axis=1)))
    row = of_trials(rights, best)
    assert row.value > 0.65 and 0.03 < row.optimism < 0.25
    assert abs(row.corrected - 0.6) < abs(row.value - 0.6), "nearer to what every trial is worth"
    assert row.corrected == pytest.approx(row.value - row.optimism)
    assert row.corrected_high - row.corrected_low == pytest.approx(0.2)
    assert row.optimism_low < row.optimism < row.optimism_high and (row.trials, row.n) == (20, 60)


def test_a_trial_that_is_best_on_every_prompt_is_not_flattered():
    draw = np.random.default_rng(2)
    worse = draw.random((5, 60)) < 0.3
    better = draw.random(60) < 0.9
    row = of_trials([better, *worse])
    assert abs(row.optimism) < 0.02 and row.chosen_again == 1


def test_one_trial_and_losses_have_no_optimism():
    assert of_trials([[True, False] * 10]).note == "fewer than two complete trials: nothing was chosen"
    loss = search_with().plain() | {"metric": "evaluation_loss"}
    row = {"trial": 0, "value": 1.2, "ci_low": math.nan, "ci_high": math.nan, "n": 0, "errors": 0}
    assert (
        optimism(MergeSearch.of(loss), row, {}, {}, SETTINGS).note == "a loss of a training has no verdicts to resample"
    )


def test_the_winner_stands_beside_the_best_fixed_recipe_of_the_benchmark():
    draw = np.random.default_rng(3)
    items, share = pairs(80, "held"), {"winner": 0.9, "linear": 0.5, "ties": 0.55}
    verdicts = {judge: verdicts_of(draw.random(80) < right) for judge, right in share.items()}
    row = on_benchmark(items, verdicts, "winner", SETTINGS, ("accuracy", Estimate(0.95, 0.9, 0.98)))
    rights = {judge: np.mean([one.outcome == "first" for one in some]) for judge, some in verdicts.items()}
    best = max(("linear", "ties"), key=rights.get)
    assert (row.fixed, row.verdict, row.metric, row.n) == (best, "better", "accuracy", 80)
    assert row.difference == pytest.approx(rights["winner"] - rights[best]) and row.difference_low > 0
    assert row.gap == pytest.approx(0.95 - row.value)
    assert row.gap_low == pytest.approx(row.gap - math.hypot(0.05, row.ci_high - row.value))
    worse = on_benchmark(items, verdicts, "linear", SETTINGS)
    assert (worse.fixed, worse.verdict) == ("winner", "worse") and math.isnan(worse.gap)
    alone = on_benchmark(items, {"winner": verdicts["winner"]}, "winner", SETTINGS)
    assert alone.fixed == "" and alone.note == "no fixed recipe of the same parents is judged here"


def test_the_page_says_what_choosing_added_and_what_is_left_on_test():
    flattery = pd.DataFrame([of_trials(np.random.default_rng(4).random((4, 40)) < 0.6)])
    row = OnBenchmark(
        "held", "best", "accuracy", 0.7, 0.6, 0.8, "ties", 0.65, 0.05, -0.02, 0.1, 0.1, "no difference shown", n=9
    )
    sections = dict(search_page.results(flattery, pd.DataFrame([row])))
    assert "resamples of them, the best of 4 trials" in sections["What choosing added"]
    assert (
        "better on 0 of 1 benchmarks and worse on 0" in sections["On benchmarks"]
        and "ties" in sections["On benchmarks"]
    )
    nothing = pd.DataFrame([Optimism(0, "accuracy", 0.5, note="fewer than two complete trials: nothing was chosen")])
    sections = dict(search_page.results(nothing, pd.DataFrame([], columns=OnBenchmark._fields)))
    assert "Not computed: fewer than two" in sections["What choosing added"]
    assert "not among the judges" in sections["On benchmarks"]


def test_a_search_is_tested_against_merges_of_its_parents_and_knows_its_held_out_half():
    from test_search_plan import study

    plan = SearchPlan(study("unified", scale=None))
    assert plan.held_out("soup") == {"hhh_held_out": "hhh_development"}
    judges = {judge for judge, _ in plan.tested_pairs("soup")}
    assert judges == {"soup_best", "soup"} and "hhh_held_out" in plan.tested_benchmarks("soup")
    assert len(plan.tested_units("soup")) == len(plan.tested_pairs("soup"))
    orpo = SearchPlan(study("orpo"))
    assert {judge for judge, _ in orpo.tested_pairs("settings")} <= {"settings_best", "orpo_final"}
