"""p-values of many tests at once, adjusted: the family's error rate (Holm), the rate of false discoveries (by)."""

import numpy as np
from scipy import stats


def holm(p: np.ndarray) -> np.ndarray:
    """Return adjusted p-values, (n,) → (n,): the k-th smallest times n + 1 − k, none below the one before, at most 1.

    Holds the chance of any false rejection under any dependence (Holm 1979). statsmodels' `multipletests` says the same
    (tested) and collects the garbage of the whole process at every call, which takes longer than all else here.
    """
    p = np.asarray(p, dtype=float)
    order = np.argsort(p)
    adjusted = np.empty_like(p)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return adjusted


def benjamini_yekutieli(p: np.ndarray) -> np.ndarray:
    """Return adjusted p-values, (…, n) → (…, n): the p of rank k times n (1 + ½ + … + 1/n) / k, none above the next.

    Holds the rate of false discoveries under any dependence (Benjamini and Yekutieli 2001, theorem 1.3).
    """
    return stats.false_discovery_control(np.asarray(p, dtype=float), axis=-1, method="by")
