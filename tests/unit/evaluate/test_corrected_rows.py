"""The rows of corrected_{name}.csv: whose numbers, from what, side by side."""

import numpy as np
import pytest

from judgemerge.core.items import SWAPPED, Item, Verdict
from judgemerge.evaluate.corrected_rows import benchmark_rows
from judgemerge.evaluate.labels import draw, strata_of

ESTIMATORS = ["judge alone", "labels alone", "corrected", "judge minus people"]


def pairs(n=300, seed=1):
    """Return pairs of three models, what people think of each, and the verdicts of two judges."""
    rng = np.random.default_rng(seed)
    names = [("m", "n"), ("n", "m"), ("m", "o")]
    items, truth, verdicts = [], {}, {"good": [], "poor": []}
    for number in range(n):
        models = names[number % 3]
        right = str(rng.choice(["first", "second", "tie"], p=[0.5, 0.3, 0.2]))
        items.append(
            Item(
                id=f"i{number:03}",
                benchmark="duel",
                protocol="pairwise",
                turns=("q",),
                responses=(("a",), ("b",)),
                truth=None,
                cluster=f"c{number // 2}",
                origin={},
                models=models,
                category="xy"[number % 2],
            )  # fmt: skip
        )
        truth[f"i{number:03}"] = right
        for judge, skill in (("good", 0.9), ("poor", 0.5)):
            for order in ("original", "swapped"):
                outcome = right if rng.random() < skill else str(rng.choice(["first", "second", "tie", "error"]))
                reason = "unparsed" if outcome == "error" else None
                verdicts[judge].append(Verdict(f"i{number:03}", order, outcome, reason=reason))
    return items, truth, verdicts


def of(rows, **conditions):
    return [row for row in rows if all(getattr(row, name) == value for name, value in conditions.items())]


def value(rows, **conditions):
    (row,) = of(rows, **conditions)
    return row.value


def test_everything_labelled_gives_what_people_say_whoever_judges():
    items, truth, verdicts = pairs()
    rows = benchmark_rows(
        items, {name: [vote] for name, vote in truth.items()}, None, verdicts, list(verdicts), [], 0.95
    )
    wins = {"first": 1.0, "second": 0.0, "tie": 0.5}
    by_hand = [
        wins[truth[item.id]] if item.models[0] == "m" else 1 - wins[truth[item.id]]
        for item in items
        if "m" in item.models
    ]
    for judge in verdicts:
        for estimator in ("labels alone", "corrected"):
            found = value(rows, judge=judge, metric="win_rate", subject="m", estimator=estimator)
            assert found == pytest.approx(np.mean(by_hand))
    right = [[one.outcome == truth[one.item] for one in verdicts[judge]] for judge in ("good", "poor")]
    assert value(rows, judge="good", metric="accuracy", estimator="corrected") == pytest.approx(np.mean(right[0]))
    apart = value(rows, judge="good", judge_b="poor", metric="accuracy_difference", estimator="corrected")
    assert apart == pytest.approx(np.mean(right[0]) - np.mean(right[1]))


def test_models_and_pairs_of_models_have_numbers_of_their_own():
    items, truth, verdicts = pairs()
    votes = {item.id: [truth[item.id]] for item in items[:150]}
    rows = benchmark_rows(items, votes, None, verdicts, list(verdicts), ["category"], 0.95)
    everything = of(rows, slice="", judge="good")
    assert [row.estimator for row in of(everything, metric="win_rate", subject="m")] == ESTIMATORS
    assert {row.subject for row in of(everything, metric="win_rate")} == {"m", "n", "o"}
    assert {row.subject for row in of(everything, metric="wins_minus_losses")} == {"m − n", "m − o"}
    assert {row.group for row in of(rows, slice="category")} == {"x", "y"}
    whole = of(everything, metric="accuracy", estimator="corrected")[0]
    parts = of(rows, slice="category", judge="good", metric="accuracy", estimator="corrected")
    assert whole.n == sum(row.n for row in parts) == 300
    assert whole.labels == sum(row.labels for row in parts) == 150
    assert whole.worth > 150


def test_wins_minus_losses_is_twice_the_win_rate_minus_one():
    items, truth, verdicts = pairs()
    items = [item for item in items if "o" not in item.models]
    votes = {item.id: [truth[item.id]] for item in items[:60]}
    rows = benchmark_rows(items, votes, None, verdicts, list(verdicts), [], 0.95)
    for estimator in ESTIMATORS[:3]:
        rate = of(rows, judge="poor", metric="win_rate", subject="m", estimator=estimator)[0]
        net = of(rows, judge="poor", metric="wins_minus_losses", estimator=estimator)[0]
        assert net.value == pytest.approx(2 * rate.value - 1)
        assert net.ci_low == pytest.approx(2 * rate.ci_low - 1, abs=0.02)


def test_the_judges_names_change_nothing():
    items, truth, verdicts = pairs()
    votes = {item.id: [truth[item.id]] for item in items[:100]}
    one = benchmark_rows(items, votes, None, verdicts, list(verdicts), [], 0.95)
    turned = {
        judge: [Verdict(v.item, v.order, SWAPPED[v.outcome], reason=v.reason) for v in some]
        for judge, some in verdicts.items()
    }
    from dataclasses import replace

    other = [replace(item, models=item.models[::-1]) for item in items]
    swapped = {name: [SWAPPED[vote[0]]] for name, vote in votes.items()}
    assert [row[:14] for row in benchmark_rows(other, swapped, None, turned, list(verdicts), [], 0.95)] == [
        row[:14] for row in one
    ]


def test_too_few_labels_leave_the_judge_alone_and_say_why():
    items, truth, verdicts = pairs()
    votes = {item.id: [truth[item.id]] for item in items[:10]}
    rows = of(benchmark_rows(items, votes, None, verdicts, ["good"], [], 0.95), judge="good", metric="accuracy")
    assert [row.estimator for row in rows] == ESTIMATORS[:3]
    assert np.isfinite(rows[0].value)
    assert np.isnan(rows[2].value)
    assert rows[2].note == "10 labels; at least 20 are needed"


def test_strata_of_a_draw_are_weighed():
    items, truth, verdicts = pairs()
    about = {"of": "duel", "metric": "pairs", "protocol": "pairwise", "by": "category"}
    drawn = draw(strata_of(items, "category"), 100, 1, **about)
    votes = {one.unit: [truth[one.unit]] for one in drawn.drawn}
    rows = benchmark_rows(items, votes, drawn, verdicts, list(verdicts), [], 0.95)
    parts = {name: [truth[unit] for unit in votes if drawn.strata[unit] == name] for name in "xy"}
    judge = {one.item: one for one in verdicts["good"] if one.order == "original"}
    assert set(judge) == set(truth)
    assert of(rows, judge="good", metric="accuracy", estimator="labels alone")[0].labels == 100
    assert all(len(some) == 50 for some in parts.values())


def graded(n=120, seed=2):
    rng = np.random.default_rng(seed)
    items, votes, scores = [], {}, []
    for number in range(n):
        quality = rng.normal(5, 1)
        for model, bonus in (("m", 0.0), ("n", 0.5)):
            name = f"g{number:03}{model}"
            items.append(
                Item(
                    id=name,
                    benchmark="grades",
                    protocol="pointwise",
                    turns=("q",),
                    responses=(("a",),),
                    truth=None,
                    cluster=f"c{number}",
                    origin={},
                    models=(model,),
                )  # fmt: skip
            )
            grade = quality + bonus + rng.normal(0, 0.5)
            if number < 60:
                votes[name] = [grade]
            scores.append(Verdict(name, "original", "score", score=grade + 1 + rng.normal(0, 0.5)))
    return items, votes, {"grader": scores}


def test_grades_of_two_models_are_compared_on_their_common_prompts():
    items, votes, verdicts = graded()
    rows = benchmark_rows(items, votes, None, verdicts, ["grader"], [], 0.95)
    assert {(row.metric, row.subject) for row in rows} == {
        ("mean_grade", "m"), ("mean_grade", "n"), ("mean_grade_difference", "m − n"),
    }  # fmt: skip
    gap = of(rows, metric="mean_grade_difference", estimator="labels alone")[0]
    by_hand = [votes[f"g{number:03}m"][0] - votes[f"g{number:03}n"][0] for number in range(60)]
    assert gap.value == pytest.approx(np.mean(by_hand))
    alone = of(rows, metric="mean_grade", subject="m", estimator="labels alone")[0]
    assert gap.ci_high - gap.ci_low < (alone.ci_high - alone.ci_low)  # the quality of a question is in both
    assert value(rows, metric="mean_grade", subject="m", estimator="judge minus people") == pytest.approx(1, abs=0.3)
    corrected = value(rows, metric="mean_grade", subject="m", estimator="corrected")
    assert abs(corrected - 5) < 0.3 < abs(value(rows, metric="mean_grade", subject="m", estimator="judge alone") - 5)


def test_differences_say_what_they_would_have_shown_and_numbers_do_not():
    items, truth, verdicts = pairs()
    votes = {item.id: [truth[item.id]] for item in items[:100]}
    rows = benchmark_rows(items, votes, None, verdicts, list(verdicts), [], 0.95)
    compared = [row for row in rows if row.metric in ("wins_minus_losses", "accuracy_difference")]
    shown = [row for row in compared if row.estimator in ("judge alone", "labels alone", "corrected")]
    assert len(shown) > 5 and all(row.detectable > (row.ci_high - row.ci_low) / 2 for row in shown)
    assert all(np.isnan(row.detectable) for row in rows if row not in shown)
    # Fewer labels show less.
    few = benchmark_rows(items, dict(list(votes.items())[:40]), None, verdicts, list(verdicts), [], 0.95)
    of_few = [row for row in few if row.metric == "accuracy_difference" and row.estimator == "labels alone"]
    of_many = [row for row in rows if row.metric == "accuracy_difference" and row.estimator == "labels alone"]
    assert all(one.detectable > other.detectable for one, other in zip(of_few, of_many, strict=True))
