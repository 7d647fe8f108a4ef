"""Paired comparisons: differences, McNemar, Holm, and what is undefined."""

import itertools

import numpy as np
import pytest
from agreement_cases import both, pair, point, random_pairwise, said
from scipy import stats
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests

from judgemerge.evaluate.bootstrap import Clusters, Replicated, difference_test
from judgemerge.evaluate.comparisons import (
    BOOTSTRAP_TEST,
    CLUSTERED_MCNEMAR_TEST,
    MCNEMAR_TEST,
    Comparison,
    compare_benchmark,
    mcnemar,
)
from judgemerge.evaluate.score import score_benchmark
from judgemerge.settings.report import Statistics


def judges(items, n_judges, seed=0):
    rng = np.random.default_rng(seed)
    return {f"judge{k}": both(items, *(_answers(items, 0.5 + 0.1 * k, rng) for _ in range(2))) for k in range(n_judges)}


def _answers(items, ability, rng):
    return [
        item.truth if rng.random() < ability else str(rng.choice(["first", "second", "tie", "error"])) for item in items
    ]


@pytest.fixture(scope="module")
def items():
    rng = np.random.default_rng(4)
    return [pair(i, str(rng.choice(["first", "second", "tie"])), cluster=i // 2) for i in range(80)]


def test_table_has_every_pair_metric_and_test(items):
    table = compare_benchmark(items, judges(items, 4), Statistics(resamples=200))
    assert list(table.columns) == list(Comparison._fields)
    assert len(table) == 6 * (6 + 1)
    assert (table["n"] == 80).all()
    assert set(table["test"]) == {BOOTSTRAP_TEST, CLUSTERED_MCNEMAR_TEST}


def test_differences_are_those_of_the_scores_and_change_sign_with_the_order(items):
    verdicts = judges(items, 2)
    value = score_benchmark(items, verdicts, Statistics(resamples=50)).set_index(["judge", "metric"])["value"]
    one = compare_benchmark(items, verdicts, Statistics(resamples=300)).set_index(["metric", "test"])
    other = compare_benchmark(items, dict(reversed(verdicts.items())), Statistics(resamples=300)).set_index(
        ["metric", "test"]
    )
    for metric, test in one.index:
        expected = value["judge0", metric] - value["judge1", metric]
        assert one.loc[(metric, test), "difference"] == pytest.approx(expected, abs=1e-11)
        assert other.loc[(metric, test), "difference"] == pytest.approx(-expected, abs=1e-11)
        assert other.loc[(metric, test), "ci_low"] == pytest.approx(-one.loc[(metric, test), "ci_high"], abs=1e-11)
        assert other.loc[(metric, test), "p"] == pytest.approx(one.loc[(metric, test), "p"], abs=1e-11)


def test_interval_and_p_agree_about_zero(items):
    table = compare_benchmark(items, judges(items, 5), Statistics(resamples=500))
    table = table[table["test"] == BOOTSTRAP_TEST]
    outside = (table["ci_low"] > 0) | (table["ci_high"] < 0)
    assert (outside == (table["p"] < 0.05)).all()
    assert outside.any() and not outside.all()


def test_accuracy_test_is_close_to_the_paired_t_test_without_clusters():
    items = [pair(i, "first" if i % 2 else "second") for i in range(150)]
    verdicts = judges(items, 2, seed=3)
    row = compare_benchmark(items, verdicts, Statistics(resamples=20_000)).set_index("metric").loc["accuracy"]
    right = [
        np.array([v.outcome == items[k % 150].truth for k, v in enumerate(said_by)]).reshape(2, 150).mean(axis=0)
        for said_by in verdicts.values()
    ]
    assert row["p"] == pytest.approx(stats.ttest_rel(*right).pvalue, rel=0.1)


@pytest.mark.parametrize("seed", range(50))
def test_mcnemar_equals_statsmodels(seed):
    only_a, only_b = np.random.default_rng(seed).integers(0, 30, 2)
    expected = statsmodels_mcnemar([[5, only_a], [only_b, 7]], exact=True).pvalue
    assert mcnemar(gains(only_a, only_b)) == pytest.approx(expected if only_a + only_b else 1.0)


def gains(only_a, only_b):
    return np.repeat([1, -1, 0], [only_a, only_b, 5])


@pytest.mark.parametrize("seed", range(10))
def test_mcnemar_of_clusters_counts_all_signs(seed):
    gained = np.random.default_rng(seed).integers(-4, 5, 11)
    sums = [abs(int(np.dot(signs, gained))) for signs in itertools.product((-1, 1), repeat=11)]
    assert mcnemar(gained) == pytest.approx(np.mean([total >= abs(gained.sum()) for total in sums]))


def test_mcnemar_minds_that_items_share_prompts():
    rng = np.random.default_rng(1)
    alarms = {"clusters": 0, "items": 0}
    for _ in range(400):
        of_prompts = rng.choice([-1, 1], 25)  # five items of a prompt all go the same way
        alarms["clusters"] += mcnemar(5 * of_prompts) <= 0.05
        alarms["items"] += mcnemar(np.repeat(of_prompts, 5)) <= 0.05
    assert alarms["clusters"] <= 0.05 * 400 < 0.25 * 400 < alarms["items"]


def test_mcnemar_row_of_clustered_items_is_the_test_of_prompts():
    items = [pair(i, "first", cluster=i // 5) for i in range(20)]
    a, b = both(items, ["first"] * 20, ["first"] * 20), both(items, ["second"] * 20, ["first"] * 20)
    table = compare_benchmark(items, {"a": a, "b": b}, Statistics(resamples=100)).set_index("test")
    assert MCNEMAR_TEST not in table.index
    row = table.loc[CLUSTERED_MCNEMAR_TEST]
    assert (row["p"], row["note"]) == (2 / 2**4, "")  # four prompts, not twenty items


def test_one_cluster_has_no_test():
    items = [pair(i, "first", cluster=0) for i in range(20)]
    a, b = both(items, ["first"] * 20, ["first"] * 20), both(items, ["second"] * 20, ["first"] * 20)
    table = compare_benchmark(items, {"a": a, "b": b}, Statistics(resamples=100))
    of_accuracy = table[table["metric"].str.startswith("accuracy")]
    assert of_accuracy["p"].isna().all() and set(of_accuracy["note"]) == {"one cluster: no test"}


def test_mcnemar_row_counts_right_in_the_original_order():
    items = [pair(i, "first") for i in range(10)]
    a = both(items, ["first"] * 9 + ["error"], ["second"] * 10)
    b = both(items, ["second"] * 8 + ["first"] * 2, ["first"] * 10)
    row = compare_benchmark(items, {"a": a, "b": b}, Statistics(resamples=100)).set_index("test").loc[MCNEMAR_TEST]
    assert row["p"] == pytest.approx(mcnemar(gains(8, 1)))
    assert row["difference"] == pytest.approx(0.7)
    assert row["note"] == ""


def test_holm_runs_over_the_pairs_of_one_metric(items):
    table = compare_benchmark(items, judges(items, 4), Statistics(resamples=300))
    for _, family in table.groupby(["metric", "test"]):
        assert len(family) == 6
        np.testing.assert_allclose(family["p_holm"], multipletests(family["p"], method="holm")[1])


def test_every_comparison_says_what_it_could_have_shown(items):
    """From the interval itself: half of it is t standard errors, what is detectable with power .8 about 0.84 more."""
    table = compare_benchmark(items, judges(items, 3), Statistics(resamples=500))
    degrees = 40 - 1  # 80 items on 40 prompts of two
    error = (table.ci_high - table.ci_low) / 2 / stats.t.ppf(0.975, degrees)
    np.testing.assert_allclose(table.detectable, error * 2.8732, rtol=1e-3)
    bound = stats.t.ppf(0.975, degrees)
    assert stats.nct.sf(bound, degrees, 2.8732) == pytest.approx(0.8, abs=1e-4)
    few = compare_benchmark(items[:10], judges(items[:10], 2), Statistics(resamples=500))
    assert (few.detectable.dropna() > table.detectable.max()).all()


def test_identical_judges_do_not_differ(items):
    verdicts = judges(items, 1)["judge0"]
    table = compare_benchmark(items, {"a": verdicts, "b": verdicts}, Statistics(resamples=100))
    assert (table["difference"] == 0).all()
    assert (table["p"] == 1).all()
    assert table["detectable"].isna().all()


def test_one_recorded_order_leaves_only_the_original_order(items):
    verdicts = {"a": judges(items, 1)["judge0"], "b": [said(item, "first") for item in items]}
    table = compare_benchmark(items, verdicts, Statistics(resamples=100)).set_index("metric")
    assert len(table.loc["accuracy_first"]) == 2
    assert table.loc["accuracy_first", "p"].notna().all()
    rest = table.drop(index="accuracy_first")
    assert rest[["difference", "p", "p_holm"]].isna().all(axis=None)
    assert set(rest["note"]) == {"undefined for at least one of the judges"}


def test_pointwise_comparison():
    rng = np.random.default_rng(0)
    items = [point(i, float(i % 7)) for i in range(100)]
    good = [said(item, item.truth + rng.normal(0, 0.5)) for item in items]
    bad = [said(item, item.truth + rng.normal(0, 5)) for item in items]
    table = compare_benchmark(items, {"good": good, "bad": bad}, Statistics(resamples=400)).set_index("metric")
    assert table.loc["spearman", "difference"] > 0 > table.loc["mae", "difference"]
    assert (table["p"] < 0.001).all()


def test_one_judge_makes_an_empty_table_and_seed_decides():
    items, original, swapped = random_pairwise(2)
    verdicts = both(items, original, swapped)
    assert compare_benchmark(items, {"a": verdicts}, Statistics(resamples=10)).empty
    two = {"a": verdicts, "b": both(items, swapped, ["tie"] * len(items))}
    assert (
        compare_benchmark(items, two, Statistics(resamples=90, seed=1)).to_csv()
        == compare_benchmark(items, two, Statistics(resamples=90, seed=1)).to_csv()
    )


@pytest.mark.parametrize(("a", "b"), [(0.9, 0.8), (0.5, 0.5), (-0.3, 0.4)])
def test_correlations_are_compared_on_the_z_scale(a, b):
    rng = np.random.default_rng(0)
    resampled = [np.tanh(np.arctanh(r) + rng.normal(0, 0.1, 5000)) for r in (a, b)]
    sides = [Replicated(r, drawn, np.full(50, r)) for r, drawn in zip((a, b), resampled, strict=True)]
    low, high, p, _ = difference_test(*sides, Clusters(np.ones(50)), 0.95, correlation=True)
    gap, error = np.arctanh(a) - np.arctanh(b), 0.1 * np.sqrt(2) * np.sqrt(50 / 49)
    assert p == pytest.approx(2 * stats.t.sf(abs(gap) / error, 49), rel=0.25, abs=1e-9)
    assert low <= a - b <= high
    assert (low > 0 or high < 0) == (p < 0.05)


def test_a_perfect_correlation_falls_back_to_the_plain_scale():
    rng = np.random.default_rng(0)
    perfect = Replicated(1.0, np.ones(500), np.ones(50))
    other = Replicated(0.5, rng.normal(0.5, 0.1, 500), np.full(50, 0.5))
    low, high, p, _ = difference_test(perfect, other, Clusters(np.ones(50)), 0.95, correlation=True)
    assert 0 < low < 0.5 < high
    assert p < 0.001


# ---- many judges ----


def test_of_many_judges_the_best_and_what_is_asked_are_compared_and_corrected_as_if_all_were(items):
    rng = np.random.default_rng(1)
    answers = {f"judge{k}": [_answers(items, 0.2 + 0.04 * k, rng) for _ in range(2)] for k in range(15)}
    verdicts = {judge: both(items, *orders) for judge, orders in answers.items()}
    every = compare_benchmark(items, verdicts, Statistics(resamples=200), ["accuracy"])
    few = compare_benchmark(items, verdicts, Statistics(resamples=200), ["accuracy"], asked=[("judge0", "judge1")])
    whole = every[every.test == BOOTSTRAP_TEST].set_index(["judge_a", "judge_b"])
    part = few[few.test == BOOTSTRAP_TEST].set_index(["judge_a", "judge_b"])
    scores = score_benchmark(items, verdicts, Statistics(resamples=50))
    order = scores[scores.metric == "accuracy"].sort_values("value", ascending=False).judge.to_list()
    expected = {frozenset(pair) for pair in [*itertools.combinations(order[:12], 2), ("judge0", "judge1")]}
    expected |= {frozenset((order[0], other)) for other in order[1:]}
    assert set(map(frozenset, part.index)) == expected and len(part) == len(expected) < len(whole) == 105
    same = ["difference", "ci_low", "ci_high", "p"]
    assert part[same].equals(whole.loc[part.index, same])
    assert (part.p_holm >= whole.loc[part.index].p_holm).all() and (part.p_holm.min() == part.p.min() * 105)


def test_the_lowest_error_is_the_best_where_less_is_better():
    items = [point(i, float(i % 5)) for i in range(40)]
    verdicts = {
        f"judge{k}": [said(item, item.truth + k * (-1) ** i / 10) for i, item in enumerate(items)] for k in range(14)
    }
    table = compare_benchmark(items, verdicts, Statistics(resamples=100), ["mae"], asked=[])
    assert set(table[table.judge_b == "judge13"].judge_a) == {"judge0"}
