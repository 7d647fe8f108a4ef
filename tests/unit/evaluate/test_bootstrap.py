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
