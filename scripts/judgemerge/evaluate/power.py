"""What a comparison could have shown: the power of a t test, and the smallest difference that it detects.

Every comparison of a table has such a number beside its interval. "No difference was shown" means little where none
below ten points could have been.
"""

import math
from functools import lru_cache

import numpy as np
from scipy import optimize, stats

from judgemerge.evaluate.bootstrap import Clusters, DifferenceTest, jackknife_variance, t_quantile

POWER = 0.8  # with which differences are called detectable in tables


def power_of(distance: float, effective: float, confidence: float) -> float:
    """Return how often a two-sided t test finds a difference of so many standard errors.

    The test has effective − 1 degrees of freedom, at least 1 (as in `bootstrap.t_quantile`). The power is that of
    `statsmodels.stats.power.TTestPower`, whose solver gives up at two prompts and at a million of them.
    """
    bound = t_quantile(confidence, effective)
    if effective > 1e6:
        return float(stats.norm.sf(bound - distance) + stats.norm.cdf(-bound - distance))
    freedom = max(effective - 1, 1)
    wrong_side = stats.nct.cdf(-bound, freedom, distance)  # NaN where it is too small for scipy
    return float(stats.nct.sf(bound, freedom, distance) + np.nan_to_num(wrong_side))


@lru_cache(maxsize=4096)
def reach(power: float, confidence: float, effective: float) -> float:
    """Return how many standard errors a difference must be long to be found so often: 2.80 for .8, .95 and many."""
    bound = t_quantile(confidence, effective)
    spread = math.sqrt(1 + bound**2 / (2 * max(effective - 1, 1)))
    longest = bound + (abs(stats.norm.ppf(power)) + 1) * spread
    while power_of(longest, effective, confidence) < power:
        longest *= 1.5
    return float(optimize.brentq(lambda distance: power_of(distance, effective, confidence) - power, 0, longest))


def detectable(error: float, effective: float, confidence: float, power: float = POWER) -> float:
    """Return the smallest true difference that a comparison with this standard error would have shown so often.

    NaN where no spread was seen: then nothing is known of what it takes.
    """
    return error * reach(power, confidence, round(effective, 6)) if error > 1e-12 else math.nan


def detectable_by_interval(low: float, high: float, effective: float, confidence: float) -> float:
    """Return the same of a comparison with a t interval: the standard error is half of it over the t quantile."""
    return detectable((high - low) / 2 / t_quantile(confidence, effective), effective, confidence)


def detectable_by_test(test: DifferenceTest, confidence: float) -> float:
    """Return the same of a paired test, with its degrees of freedom."""
    return detectable_by_interval(test.low, test.high, test.freedom + 1, confidence)


def detectable_mean(value: float, jackknife: np.ndarray, clusters: Clusters, confidence: float) -> float:
    """Return the same of a mean difference, from its value without each cluster, (n_clusters,)."""
    if clusters.n < 2 or not np.isfinite(value):
        return math.nan
    influence = clusters.influence(value, jackknife)
    spread = clusters.spread(influence)
    return detectable(math.sqrt(jackknife_variance(influence, spread)), spread.freedom + 1, confidence)
