"""Metrics against scikit-learn and SciPy on random cases, against hand counts, and by their properties."""

import tracemalloc

import numpy as np
import pytest
from agreement_cases import both, pair, point, random_pairwise, random_pointwise, said, values
from scipy import stats
from sklearn.metrics import cohen_kappa_score, precision_recall_fscore_support

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Verdict
from judgemerge.evaluate import kendall
from judgemerge.evaluate.counts import pointwise_metrics
from judgemerge.evaluate.score import score_benchmark
from judgemerge.evaluate.verdict_arrays import benchmark_arrays
from judgemerge.settings.report import Statistics

SWAP = {"first": "second", "second": "first", "tie": "tie", "error": "error"}


def scores(items, verdicts):
    return score_benchmark(items, {"judge": verdicts}, Statistics(resamples=20))


def slow_pairwise(truth, original, swapped):
    """The definitions, item by item, with scikit-learn for the pooled tables."""
    both_orders = list(zip(truth, original, swapped, strict=True))
    outcomes = [*original, *swapped]
    return {
        "accuracy_first": np.mean([t == o for t, o, _ in both_orders]),
        "accuracy_swapped": np.mean([t == s for t, _, s in both_orders]),
        "accuracy": np.mean([((t == o) + (t == s)) / 2 for t, o, s in both_orders]),
        "accuracy_both": np.mean([t == o == s for t, o, s in both_orders]),
        "consistency": np.mean([o == s != "error" for _, o, s in both_orders]),
        **slow_table([*truth, *truth], outcomes),
        **{f"{name}_first": value for name, value in slow_table(truth, original).items()},
        **{f"{name}_swapped": value for name, value in slow_table(truth, swapped).items()},
        "tie_rate": np.mean([o == "tie" for o in outcomes]),
        "error_rate": np.mean([o == "error" for o in outcomes]),
    }


def slow_table(truth, outcomes):
    precision, recall, f1, _ = precision_recall_fscore_support(
        truth, outcomes, labels=sorted(set(truth)), average="macro", zero_division=0
    )
    with np.errstate(invalid="ignore"):
        kappa = cohen_kappa_score(truth, outcomes) if len({*truth, *outcomes}) > 1 else np.nan
    return {"macro_precision": precision, "macro_recall": recall, "macro_f1": f1, "kappa": kappa}


@pytest.mark.parametrize("seed", range(80))
def test_pairwise_metrics_equal_sklearn(seed):
    items, original, swapped = random_pairwise(seed)
    got = values(scores(items, both(items, original, swapped)))
    expected = slow_pairwise([item.truth for item in items], original, swapped)
    assert got.keys() == expected.keys()
    for metric, value in expected.items():
        assert got[metric] == pytest.approx(value, abs=1e-11, nan_ok=True), metric


def slow_pointwise(truth, score):
    constant = len(set(truth)) < 2 or len(set(score)) < 2
    whole = all(float(x).is_integer() for x in [*truth, *score])
    labels = range(int(min([*truth, *score])), int(max([*truth, *score])) + 1)
    quadratic = np.nan
    if whole and len(labels) > 1:
        as_int = [int(t) for t in truth], [int(s) for s in score]
        quadratic = cohen_kappa_score(*as_int, labels=list(labels), weights="quadratic")
    return {
        "pearson": np.nan if constant else stats.pearsonr(truth, score)[0],
        "spearman": np.nan if constant else stats.spearmanr(truth, score)[0],
        "kendall": np.nan if constant else stats.kendalltau(truth, score)[0],
        "mae": np.mean(np.abs(np.subtract(truth, score))),
        "kappa_quadratic": quadratic,
    }


@pytest.mark.parametrize("seed", range(80))
def test_pointwise_metrics_equal_scipy(seed):
    items, outcomes = random_pointwise(seed)
    got = values(scores(items, [said(item, o) for item, o in zip(items, outcomes, strict=True)]))
    kept = [(item.truth, o) for item, o in zip(items, outcomes, strict=True) if o != "error"]
    expected = slow_pointwise(*zip(*kept, strict=True)) | {"error_rate": outcomes.count("error") / len(outcomes)}
    assert got.keys() == expected.keys()
    for metric, value in expected.items():
        assert got[metric] == pytest.approx(value, abs=1e-10, nan_ok=True), metric


@pytest.mark.parametrize(
    ("n_cells", "truth_levels", "score_levels"),
    [(0, 0, 0), (1, 0, 0), (40, 5, 5), (900, 0, 0), (900, 5, 0), (900, 0, 7), (3000, 4, 300)],
)
def test_kendall_by_blocks_counts_every_pair_once(n_cells, truth_levels, score_levels):
    rng = np.random.default_rng(n_cells)
    truth = rng.normal(size=n_cells)
    score = truth + rng.normal(size=n_cells)
    truth, score = (
        np.round(x * levels / 6) if levels else x for x, levels in ((truth, truth_levels), (score, score_levels))
    )
    weights = rng.integers(0, 4, size=(n_cells, 3)).astype(float)
    signs = np.sign(truth[:, None] - truth) * np.sign(score[:, None] - score)
    expected = (weights * (signs @ weights)).sum(axis=0)
    assert (kendall.PairSigns(truth, score).difference(weights) == expected).all()
    # Weights that single precision does not hold are summed in double precision.
    large = kendall.PairSigns(truth, score).difference(weights * 1e7)
    np.testing.assert_allclose(large, expected * 1e14, rtol=1e-12, atol=1e-3)


def test_kendall_of_a_large_set_needs_no_matrix_of_all_pairs():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=14_000)
    score = truth + rng.normal(size=14_000)
    tracemalloc.start()
    found = pointwise_metrics(truth, score, np.ones((14_000, 20)))["kendall"]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_allclose(found, stats.kendalltau(truth, score)[0], atol=1e-12)
    assert peak < 100e6  # 14,000² float64 are 1.6 GB


def test_hand_counted_pairwise():
    items = [pair(i, t) for i, t in enumerate(["first", "first", "second", "tie"])]
    verdicts = both(items, ["first", "second", "second", "error"], ["first", "first", "tie", "error"])
    got = values(scores(items, verdicts))
    assert got["accuracy_first"] == 0.5
    assert got["accuracy_swapped"] == 0.5
    assert got["accuracy"] == 0.5
    assert got["accuracy_both"] == 0.25
    assert got["consistency"] == 0.25  # the two errors on the last item do not agree with each other
    assert got["tie_rate"] == 1 / 8
    assert got["error_rate"] == 2 / 8
    assert got["macro_recall"] == pytest.approx((3 / 4 + 1 / 2 + 0) / 3)
    assert got["macro_precision"] == pytest.approx((1 + 1 / 2 + 0) / 3)
    chance = (4 * 3 + 2 * 2 + 2 * 1) / 64
    assert got["kappa"] == pytest.approx((4 / 8 - chance) / (1 - chance))


def test_perfect_judge_has_accuracy_and_kappa_one():
    items = [pair(i, t) for i, t in enumerate(["first", "second", "tie"] * 5)]
    got = values(scores(items, both(items, [i.truth for i in items], [i.truth for i in items])))
    ones = ("accuracy", "accuracy_both", "consistency", "macro_precision", "macro_recall", "macro_f1", "kappa")
    assert all(got[metric] == 1 for metric in ones)
    numbers = [point(i, float(i % 5)) for i in range(15)]
    got = values(scores(numbers, [said(item, item.truth) for item in numbers]))
    assert [got[m] for m in ("pearson", "spearman", "kendall", "kappa_quadratic", "mae")] == [1, 1, 1, 1, 0]


def test_constant_judge_has_kappa_zero_and_no_correlation():
    items = [pair(i, t) for i, t in enumerate(["first", "second", "tie"] * 5)]
    assert values(scores(items, both(items, ["first"] * 15, ["first"] * 15)))["kappa"] == 0
    numbers = [point(i, float(i % 5)) for i in range(15)]
    table = scores(numbers, [said(item, 3.0) for item in numbers]).set_index("metric")
    for metric in ("pearson", "spearman", "kendall"):
        assert np.isnan(table.loc[metric, "value"])
        assert table.loc[metric, "note"] == "the judge's scores are constant"
    assert table.loc["kappa_quadratic", "value"] == 0


@pytest.mark.parametrize("seed", range(10))
def test_renaming_first_and_second_everywhere_changes_nothing(seed):
    items, original, swapped = random_pairwise(seed)
    mirrored = [pair(i, SWAP[item.truth], cluster=item.cluster[1:]) for i, item in enumerate(items)]
    before = scores(items, both(items, original, swapped))
    after = scores(mirrored, both(mirrored, [SWAP[o] for o in original], [SWAP[s] for s in swapped]))
    # The clusters keep their names and the seed is the same, so even the intervals are those of before.
    np.testing.assert_allclose(
        before[["value", "ci_low", "ci_high"]], after[["value", "ci_low", "ci_high"]], atol=1e-11, equal_nan=True
    )


@pytest.mark.parametrize("seed", range(5))
def test_exchanging_the_orders_exchanges_their_metrics_only(seed):
    items, original, swapped = random_pairwise(seed)
    one = values(scores(items, both(items, original, swapped)))
    other = values(scores(items, both(items, swapped, original)))
    renamed = {"first": "swapped", "swapped": "first"}
    other = {
        "_".join([*name.split("_")[:-1], renamed.get(name.split("_")[-1], name.split("_")[-1])]): value
        for name, value in other.items()
    }
    assert one == pytest.approx(other, nan_ok=True)


@pytest.mark.parametrize("make", [pair, point])
def test_items_that_nobody_judged_are_not_scored_but_counted(make):
    items = [make(1, None), make(2, "tie" if make is pair else 3.0)]
    arrays = benchmark_arrays(items)
    assert arrays.n_without_truth == 1 and items[0].id in arrays.unjudgeable and items[1].id not in arrays.unjudgeable


def test_one_recorded_order_leaves_the_pooled_metrics_empty():
    items = [pair(i, t) for i, t in enumerate(["first", "second", "tie"])]
    table = scores(items, [said(item, "first") for item in items]).set_index("metric")
    assert table.loc["accuracy_first", "value"] == pytest.approx(1 / 3)
    # By hand: one of three classes is ever predicted, with precision 1/3, recall 1 and F1 1/2; chance agrees as often.
    assert table.loc["macro_f1_first", "value"] == pytest.approx(1 / 6)
    assert table.loc["macro_recall_first", "value"] == pytest.approx(1 / 3)
    assert table.loc["kappa_first", "value"] == 0
    assert table.loc["tie_rate", "value"] == 0
    for metric in (
        "accuracy_swapped",
        "kappa_swapped",
        "accuracy",
        "accuracy_both",
        "consistency",
        "macro_f1",
        "kappa",
    ):
        assert np.isnan(table.loc[metric, "value"])
        assert table.loc[metric, "note"] == "only the original order was recorded"
    assert (table["n"] == 3).all()
    assert (table["errors"] == 0).all()


PEOPLE = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0] * 3
SCALES = {  # what a judge says to each grade → whether mae is left out, and the note
    "the same scale": (lambda grade: grade + grade % 2, False, ""),
    "one third of the scale": (lambda grade: 3 + grade % 2, False, ""),
    "far off": (lambda grade: 6 + grade + grade % 2, False, ""),
    "0 to 1": (lambda grade: (grade - 1) / 6, True, "not on one scale: {people}from 0 to 0.8333"),
    "characters": (lambda grade: 200 * grade, True, "not on one scale: {people}from 200 to 1200"),
    "1 to 16": (lambda grade: 3 * grade - 2, False, "perhaps not on one scale: {people}from 1 to 16"),
}


@pytest.mark.parametrize("name", SCALES)
def test_the_absolute_error_over_two_scales_is_left_out(name):
    judge, left_out, note = SCALES[name]
    items = [point(i, grade) for i, grade in enumerate(PEOPLE)]
    table = scores(items, [said(item, float(judge(item.truth))) for item in items]).set_index("metric")
    assert np.isnan(table.loc["mae", "value"]) == left_out
    few = "18 clusters that say as much as 18.0 equal ones: the interval may be too narrow"
    assert table.loc["mae", "note"] == (note.format(people="people grade from 1 to 6, the judge ") or few)
    assert np.isfinite(table.loc["pearson", "value"])
    if left_out:
        assert np.isnan(table.loc["kappa_quadratic", "value"])


def test_missing_verdict_in_a_recorded_order_is_an_error():
    items = [pair(i, "first") for i in range(4)]
    table = scores(items, both(items, ["first"] * 4, ["first"] * 4)[:-1]).set_index("metric")
    assert table.loc["error_rate", "value"] == 1 / 8
    assert table.loc["accuracy", "errors"] == 1
    assert table.loc["accuracy_first", "errors"] == 0
    assert table.loc["accuracy", "value"] == 7 / 8


def test_not_recorded_everywhere_means_the_order_was_never_run():
    items = [pair(i, "first") for i in range(3)]
    verdicts = [said(item, "first") for item in items]
    verdicts += [Verdict(item.id, "swapped", "error", reason="not_recorded") for item in items]
    table = scores(items, verdicts).set_index("metric")
    assert np.isnan(table.loc["accuracy", "value"])
    assert table.loc["error_rate", "value"] == 0
    table = scores(items, []).set_index("metric")
    assert table["value"].isna().all()
    assert set(table["note"]) == {"no verdict was recorded"}


def test_items_without_texts_are_left_out_for_everyone():
    items = [pair(0, "first"), pair(1, "second"), pair(2, "first", responses=())]
    verdicts = both(items, ["first", "second", "second"], ["first", "second", "second"])
    table = scores(items, verdicts).set_index("metric")
    assert table.loc["accuracy", "n"] == 2
    assert table.loc["accuracy", "value"] == 1
    nothing = scores([pair(0, "first", responses=())], []).set_index("metric")
    assert set(nothing["note"]) == {"no item has its texts"}
    assert nothing["value"].isna().all()


def test_published_verdicts_on_a_set_without_any_text_count():
    items = [pair(0, "first", responses=()), pair(1, "second", responses=())]
    table = scores(items, [said(items[0], "first"), said(items[1], "first")]).set_index("metric")
    assert table.loc["accuracy_first", "value"] == 1 / 2
    unasked = [
        Verdict(item.id, order, "error", reason="no_text") for item in items for order in ("original", "swapped")
    ]
    assert set(scores(items, unasked)["note"]) == {"no item has its texts"}


def test_all_pointwise_verdicts_erroneous():
    items = [point(i, float(i)) for i in range(4)]
    table = scores(items, [said(item, "error") for item in items]).set_index("metric")
    assert table.loc["error_rate", "value"] == 1
    assert np.isnan(table.loc["spearman", "value"])
    assert table.loc["mae", "note"] == "every verdict is an error"


@pytest.mark.parametrize(
    ("verdicts", "words"),
    [
        (lambda item: [said(pair(9, "first"), "first")], "no such item"),
        (lambda item: [said(item, "first"), said(item, "first")], "two verdicts"),
        (lambda item: [said(item, 3.0)], "outcome is 'score'"),
    ],
)
def test_foreign_verdicts_are_refused(verdicts, words):
    item = pair(0, "first")
    with pytest.raises(JudgemergeError, match=words):
        scores([item], verdicts(item))


def test_bad_items_are_refused():
    with pytest.raises(JudgemergeError, match="no items"):
        scores([], [])
    with pytest.raises(JudgemergeError, match="several benchmarks"):
        scores([pair(0, "first"), pair(1, "first", benchmark="other")], [])
    with pytest.raises(JudgemergeError, match="twice"):
        scores([pair(0, "first"), pair(0, "first")], [])
