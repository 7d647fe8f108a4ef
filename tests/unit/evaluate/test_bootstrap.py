"""Intervals: the matrix form equals a loop over resamples, is reproducible, and behaves at the edges."""

import random

import numpy as np
import pandas as pd
import pytest
from agreement_cases import both, pair, point, random_pairwise, random_pointwise, said
from scipy import stats
from sklearn.metrics import cohen_kappa_score, f1_score, precision_score, recall_score

from judgemerge.evaluate import bootstrap
from judgemerge.evaluate.score import benchmark_statistics, score_benchmark
from judgemerge.evaluate.verdict_arrays import benchmark_arrays
from judgemerge.settings.report import Statistics

N_RESAMPLES = 200
NARROW = "{n} clusters that say as much as {effective:.1f} equal ones: the interval may be too narrow"


def repeated(items, seed):
    """Return for each resample the item positions, drawn with the package's own weights."""
    arrays = benchmark_arrays(items)
    rng = bootstrap.generator(seed, arrays.benchmark)
    weights = bootstrap.resampling_weights(arrays.n_clusters, N_RESAMPLES, rng)
    assert (weights.sum(axis=1) == arrays.n_clusters).all()
    return [np.repeat(np.arange(arrays.n_items), row[arrays.cluster].astype(int)) for row in weights]


def resamples(items, verdicts, seed):
    settings = Statistics(resamples=N_RESAMPLES, seed=seed)
    return benchmark_statistics(items, {"judge": verdicts}, settings).judges["judge"].resampled


def slow_kappa(truth, outcome):
    return cohen_kappa_score(truth, outcome) if len({*truth, *outcome}) > 1 else np.nan


@pytest.mark.parametrize("seed", range(12))
def test_pairwise_resamples_equal_a_loop_with_sklearn(seed):
    items, original, swapped = random_pairwise(seed)
    fast = resamples(items, both(items, original, swapped), seed)
    truth, original, swapped = (np.array(x) for x in ([i.truth for i in items], original, swapped))
    for b, rows in enumerate(repeated(items, seed)):
        t, o, s = truth[rows], original[rows], swapped[rows]
        t2, both_orders = np.concatenate([t, t]), np.concatenate([o, s])
        macro = {"labels": np.unique(t), "average": "macro", "zero_division": 0}
        expected = {
            "accuracy": ((t == o).mean() + (t == s).mean()) / 2,
            "accuracy_both": ((t == o) & (t == s)).mean(),
            "consistency": ((o == s) & (o != "error")).mean(),
            "macro_f1": f1_score(t2, both_orders, **macro),
            "macro_precision": precision_score(t2, both_orders, **macro),
            "macro_recall": recall_score(t2, both_orders, **macro),
            "kappa": slow_kappa(t2, both_orders),
        }
        for metric, value in expected.items():
            assert fast[metric][b] == pytest.approx(value, abs=1e-10, nan_ok=True), metric


@pytest.mark.parametrize("seed", range(1, 13))
def test_pointwise_resamples_equal_a_loop_with_scipy(seed):
    items, outcomes = random_pointwise(seed)
    verdicts = [said(item, o) for item, o in zip(items, outcomes, strict=True)]
    fast = resamples(items, verdicts, seed)
    truth = np.array([item.truth for item in items])
    score = np.array([np.nan if o == "error" else o for o in outcomes])
    for b, rows in enumerate(repeated(items, seed)):
        t, s = truth[rows], score[rows]
        assert fast["error_rate"][b] == pytest.approx(np.isnan(s).mean())
        t, s = t[~np.isnan(s)], s[~np.isnan(s)]
        constant = len(set(t)) < 2 or len(set(s)) < 2
        expected = {
            "pearson": np.nan if constant else stats.pearsonr(t, s)[0],
            "spearman": np.nan if constant else stats.spearmanr(t, s)[0],
            "kendall": np.nan if constant else stats.kendalltau(t, s)[0],
            "mae": np.abs(t - s).mean() if len(t) else np.nan,
        }
        for metric, value in expected.items():
            assert fast[metric][b] == pytest.approx(value, abs=1e-9, nan_ok=True), metric


@pytest.mark.parametrize("seed", range(5))
def test_bca_equals_scipy_when_every_item_is_its_own_cluster(seed):
    """SciPy's BCa on the same resamples; only the widening for few clusters is undone here."""
    rng = np.random.default_rng(seed)
    sample = rng.exponential(size=40)
    resampled = np.array([sample[rng.integers(0, 40, 40)].mean() for _ in range(4000)])
    jackknife = (sample.sum() - sample) / 39
    normal = 1 - 2 * stats.t.sf(stats.norm.ppf(0.975) * np.sqrt(39 / 40), 39)
    got = bootstrap.bca_interval(
        sample.mean(), resampled, jackknife, bootstrap.Clusters(np.ones(40)), confidence=normal
    )
    previous = stats.bootstrap((sample,), np.mean, n_resamples=100, method="BCa", rng=0)
    expected = stats.bootstrap(
        (sample,), np.mean, n_resamples=0, bootstrap_result=_with(previous, resampled), method="BCa"
    ).confidence_interval
    assert got == pytest.approx((expected.low, expected.high), abs=1e-9)


def _with(result, distribution):
    result.bootstrap_distribution = distribution
    return result


def test_wilson_equals_statsmodels_for_independent_items():
    from statsmodels.stats.proportion import proportion_confint

    for right, n in ((3, 30), (29, 30), (250, 400)):
        hits = np.arange(n) < right
        jackknife = (right - hits) / (n - 1)
        # The jackknife variance is p(1 − p)/(n − 1): Wilson's sample size is n − 1; t replaces the normal quantile.
        alpha = 2 * stats.norm.sf(stats.t.ppf(0.975, n - 1))
        low, high = bootstrap.proportion_interval(right / n, jackknife, bootstrap.Clusters(np.ones(n)), 0.95)
        expected = proportion_confint(right / n * (n - 1), n - 1, alpha=alpha, method="wilson")
        assert (low, high) == pytest.approx(expected, abs=1e-12)


UNEQUAL = np.array([3, 1, 4, 20, 2, 2, 5])


@pytest.mark.parametrize("number", range(0, 21, 4))
def test_spread_equals_the_moments_of_the_quadratic_form(number):
    """E[rᵀr] and Var[rᵀr] of r = S − h ΣS by matrices; S has the variances of a model with this correlation."""
    clusters, size = bootstrap.Clusters(UNEQUAL), len(UNEQUAL)
    variances = UNEQUAL * (1 + (UNEQUAL - 1) * bootstrap.ALIKE[number])
    centring = np.eye(size) - np.outer(clusters.shares, np.ones(size))
    form = np.sqrt(np.outer(variances, variances)) * (centring.T @ centring)
    expected = variances.sum() / np.trace(form), np.trace(form) ** 2 / np.trace(form @ form)
    assert clusters._spreads[number] == pytest.approx(expected)


def test_equal_clusters_have_the_usual_degrees_of_freedom():
    clusters = bootstrap.Clusters(np.full(9, 4))
    assert clusters.spread(np.random.default_rng(0).normal(size=9)) == pytest.approx((9 / 8, 8))


def test_clusters_without_items_change_nothing():
    influence = np.random.default_rng(2).normal(size=7)
    with_empty = bootstrap.Clusters(np.append(UNEQUAL, 0)).spread(np.append(influence, 0.0))
    assert with_empty == pytest.approx(bootstrap.Clusters(UNEQUAL).spread(influence))
    alone = bootstrap.Clusters(np.array([4, 0]))
    assert np.isnan(bootstrap.proportion_interval(0.5, np.array([np.nan, 0.5]), alone, 0.95)).all()


def test_clusters_whose_items_go_together_have_fewer_degrees_of_freedom():
    clusters = bootstrap.Clusters(np.repeat([2, 17], [38, 2]))
    independent, together = (clusters.spread(clusters.sizes**power) for power in (0.5, 1.0))
    assert together.freedom < 4 < 12 < independent.freedom < 39
    assert together.inflation > independent.inflation > 40 / 39


def test_shares_are_covered_when_two_large_prompts_are_all_right_or_all_wrong():
    sizes, rng, held = np.repeat([1, 16], [38, 2]), np.random.default_rng(3), []
    clusters = bootstrap.Clusters(sizes)
    for _ in range(1000):
        right = sizes * (rng.random(40) < 0.6)
        jackknife = (right.sum() - right) / (sizes.sum() - sizes)
        low, high = bootstrap.proportion_interval(right.sum() / sizes.sum(), jackknife, clusters, 0.95)
        held.append(low <= 0.6 <= high)
    assert 0.94 < np.mean(held) < 0.965  # 0.932 with degrees of freedom from the effective number of clusters


def test_fisher_interval_is_close_to_the_textbook_and_undefined_at_the_ends():
    x, noise = np.random.default_rng(5).normal(size=(2, 2000))
    y = 0.6 * x + 0.8 * noise
    value = np.corrcoef(x, y)[0, 1]
    without = np.array([np.corrcoef(np.delete(x, i), np.delete(y, i))[0, 1] for i in range(2000)])
    clusters = bootstrap.Clusters(np.ones(2000))
    expected = np.tanh(np.arctanh(value) + np.array([-1, 1]) * 1.96 / np.sqrt(1997))
    assert bootstrap.fisher_interval(value, without, clusters, 0.95) == pytest.approx(expected, abs=0.002)
    for number in (1.0, -1.0, 0.5):
        assert np.isnan(bootstrap.fisher_interval(number, np.full(2000, number), clusters, 0.95)).all()


@pytest.mark.parametrize(
    ("n_clusters", "of_kappa", "of_accuracy"), [(20, "", ""), (19, NARROW, ""), (9, NARROW, NARROW)]
)
def test_few_clusters_are_counted_and_noted_where_an_interval_may_be_too_narrow(n_clusters, of_kappa, of_accuracy):
    items = [pair(i, "first" if i % 3 else "tie", cluster=i // 2) for i in range(2 * n_clusters)]
    outcomes = [item.truth if i % 4 else "second" for i, item in enumerate(items)]
    verdicts = {"j": both(items, outcomes, outcomes)}
    table = score_benchmark(items, verdicts, Statistics(resamples=100)).set_index("metric")
    assert (table["clusters"] == n_clusters).all()
    assert table.loc["kappa", "note"] == of_kappa.format(n=n_clusters, effective=n_clusters)
    assert table.loc["accuracy", "note"] == of_accuracy.format(n=n_clusters, effective=n_clusters)


def test_one_giant_prompt_among_many_is_noted():
    items = [pair(i, "first" if i % 3 else "tie", cluster=max(i - 30, 0)) for i in range(70)]
    outcomes = [item.truth if i % 4 else "second" for i, item in enumerate(items)]
    table = score_benchmark(items, {"j": both(items, outcomes, outcomes)}, Statistics(resamples=100))
    expected = NARROW.format(n=40, effective=4.9)
    assert (table["clusters"] == 40).all()
    assert set(table.set_index("metric").loc[["accuracy", "kappa"], "note"]) == {expected}


def test_same_seed_gives_the_same_bytes_and_another_seed_does_not():
    items, original, swapped = random_pairwise(3)
    verdicts = both(items, original, swapped)
    one, again, other = (
        score_benchmark(items, {"j": verdicts}, Statistics(resamples=500, seed=seed)).to_csv() for seed in (7, 7, 8)
    )
    assert one == again
    assert one != other


@pytest.mark.parametrize("case", [random_pairwise, random_pointwise])
def test_order_of_items_verdicts_and_judges_does_not_matter(case):
    items, *outcomes = case(5)
    if len(outcomes) == 2:
        verdicts = both(items, *outcomes)
    else:
        verdicts = [said(item, o) for item, o in zip(items, outcomes[0], strict=True)]
    table = score_benchmark(items, {"a": verdicts, "b": verdicts[: len(verdicts) // 2]}, Statistics(resamples=100))
    shuffled, mixed = list(items), list(verdicts)
    random.Random(1).shuffle(shuffled)
    random.Random(2).shuffle(mixed)
    again = score_benchmark(shuffled, {"b": verdicts[: len(verdicts) // 2], "a": mixed}, Statistics(resamples=100))
    by = ["judge", "metric"]
    pd.testing.assert_frame_equal(
        table.sort_values(by, ignore_index=True), again.sort_values(by, ignore_index=True), check_exact=True
    )


def test_interval_of_a_perfect_proportion_is_not_empty():
    items = [pair(i, "first" if i % 2 else "second", cluster=i // 4) for i in range(40)]
    truths = [item.truth for item in items]
    table = score_benchmark(items, {"j": both(items, truths, truths)}, Statistics(resamples=200)).set_index("metric")
    assert table.loc["accuracy", "ci_high"] == 1
    assert 0.5 < table.loc["accuracy", "ci_low"] < 0.8  # ten clusters all right: hardly more than ten observations
    assert table.loc["error_rate", "ci_low"] == 0
    assert np.isnan(table.loc["kappa", "ci_low"])
    assert table.loc["kappa", "note"] == "the same in every resample: no interval"


def test_one_cluster_has_no_interval():
    items = [pair(i, "first", cluster=0) for i in range(5)]
    table = score_benchmark(items, {"j": both(items, ["first"] * 5, ["tie"] * 5)}, Statistics(resamples=50)).set_index(
        "metric"
    )
    assert table.loc["accuracy", "value"] == 0.5
    assert np.isnan(table.loc["accuracy", "ci_low"])
    assert table.loc["accuracy", "note"] == "one cluster: no interval"


def test_clustered_items_have_wider_intervals_than_independent_ones():
    truth = ["first", "second"] * 50
    outcome = [t if i % 20 < 14 else "tie" for i, t in enumerate(truth)]
    widths = []
    for size in (1, 10):
        items = [pair(i, t, cluster=i // size) for i, t in enumerate(truth)]
        row = (
            score_benchmark(items, {"j": both(items, outcome, outcome)}, Statistics(resamples=500))
            .set_index("metric")
            .loc["accuracy"]
        )
        widths.append(row["ci_high"] - row["ci_low"])
    assert widths[1] > 1.2 * widths[0]


def test_interval_holds_the_value_and_lies_in_range():
    for seed in range(20):
        items, original, swapped = random_pairwise(seed)
        table = score_benchmark(items, {"j": both(items, original, swapped)}, Statistics(resamples=200)).dropna(
            subset=["ci_low"]
        )
        assert (table["ci_low"] <= table["ci_high"]).all()
        rates = table[~table["metric"].str.startswith(("macro", "kappa"))]
        assert ((rates["ci_low"] <= rates["value"]) & (rates["value"] <= rates["ci_high"])).all()
        assert table["ci_low"].ge(-1).all() and table["ci_high"].le(1).all()


def test_counts_too_large_for_float32_are_summed_in_float64():
    counts = np.array([[2**24, 1]], dtype=float)
    assert bootstrap.weighted_sums(counts, np.ones((1, 2), dtype=np.float32))[0, 0] == 2**24 + 1


def test_many_distinct_scores_take_the_same_path():
    rng = np.random.default_rng(0)
    items = [point(i, float(t)) for i, t in enumerate(rng.normal(size=300))]
    verdicts = [said(item, item.truth + e) for item, e in zip(items, rng.normal(size=300), strict=True)]
    table = score_benchmark(items, {"j": verdicts}, Statistics(resamples=300)).set_index("metric")
    assert table.loc["spearman", "ci_low"] < table.loc["spearman", "value"] < table.loc["spearman", "ci_high"]
    assert table.loc["kappa_quadratic", "note"] == "truth or scores are not whole numbers"
