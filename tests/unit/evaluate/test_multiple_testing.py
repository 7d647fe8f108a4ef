"""Adjusted p-values: equal to statsmodels', by hand, and at the edges."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from judgemerge.evaluate.multiple_testing import benjamini_yekutieli, holm


@pytest.mark.parametrize("seed", range(10))
def test_both_are_statsmodels(seed):
    p = np.random.default_rng(seed).random(int(seed) + 1) ** 3
    p[: seed // 3] = p[0]  # ties
    rejected, adjusted, _, _ = multipletests(p, alpha=0.05, method="fdr_by")
    assert benjamini_yekutieli(p) == pytest.approx(adjusted)
    assert ((benjamini_yekutieli(p) <= 0.05) == rejected).all()
    assert (holm(p) == multipletests(p, method="holm")[1]).all()


def test_by_hand():
    """Three p-values: rank k times 3 (1 + ½ + ⅓) / k = 5.5 / k; for Holm times 3, 2, 1, never below the one before."""
    assert benjamini_yekutieli([0.02, 0.001, 0.5]) == pytest.approx([0.055, 0.0055, 5.5 * 0.5 / 3])
    assert holm([0.02, 0.001, 0.03]) == pytest.approx([0.04, 0.003, 0.04])
    assert holm([0.5, 0.6]) == pytest.approx([1, 1])


def test_nothing_to_adjust():
    assert holm([]).shape == (0,) and holm([0.2]) == pytest.approx([0.2])
