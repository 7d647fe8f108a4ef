"""How alike the errors of judges are, and how many independent judges they are worth.

A jury gains by errors that cancel. Errors that fall on the same items do not: k judges whose errors have the mean
pairwise correlation ρ are worth k / (1 + (k − 1) ρ) independent ones (Kish 1965, the design effect of equal clusters).
"""

import itertools
from collections.abc import Sequence

import numpy as np

from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Sample, estimate
from judgemerge.evaluate.verdict_arrays import BenchmarkArrays, JudgeArrays

_COUNTED = 6  # per pair of judges: items, sums, sums of squares, sum of products
CONSTANT = "a member is wrong everywhere or nowhere: no correlation"


def errors_of(benchmark: BenchmarkArrays, judge: JudgeArrays) -> np.ndarray:
    """Return the error of a judge on each item, (n_items,).

    Of pairs the share of the orders it was asked in whose verdict is not the truth, unreadable ones included; of grades
    the grade minus the truth, NaN where it could not be read.
    """
    if benchmark.protocol == "pointwise":
        return judge.scores - benchmark.truth
    asked = np.array(judge.recorded)
    if not asked.any():
        return np.full(benchmark.n_items, np.nan)
    return (judge.codes != benchmark.truth[:, None])[:, asked].mean(axis=1)


def error_correlation(sample: Sample, errors: Sequence[np.ndarray]) -> Estimate:
    """Return the mean over all pairs of judges of the correlation of their errors, (n_items,) each, with its interval.

    A pair of judges is compared on the items where both have an error.
    """
    pairs = list(itertools.combinations(errors, 2))
    if not pairs:
        return UNDEFINED
    counts = [count for a, b in pairs for count in _pair_counts(sample, a, b)]
    return estimate(sample, np.stack(counts), _mean_correlation)


def _pair_counts(sample: Sample, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    both = ~np.isnan(a) & ~np.isnan(b)
    a, b = np.where(both, a, 0.0), np.where(both, b, 0.0)
    return sample.count(both.astype(float), a, b, a * a, b * b, a * b)


def _mean_correlation(sums: np.ndarray) -> np.ndarray:
    """Return the mean correlation of each column; NaN where one of the pairs has none."""
    correlations = []
    for start in range(0, len(sums), _COUNTED):
        n, a, b, squares_a, squares_b, products = sums[start : start + _COUNTED]
        covariance = n * products - a * b
        spread = np.clip(n * squares_a - a * a, 0, None) * np.clip(n * squares_b - b * b, 0, None)
        correlations.append(np.where(spread > 1e-9, divide(covariance, np.sqrt(spread)), np.nan))
    return np.mean(correlations, axis=0)


def effective_votes(correlation: Estimate, n_judges: int) -> Estimate:
    """Return the number of independent judges with the same variance of their mean; falls as the correlation rises."""
    value, high, low = (_kish(end, n_judges) for end in (correlation.value, correlation.low, correlation.high))
    return Estimate(value, low, high)


def _kish(correlation: float, n_judges: int) -> float:
    denominator = 1 + (n_judges - 1) * correlation
    return n_judges / denominator if denominator > 0 else np.nan
