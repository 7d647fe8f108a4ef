"""Confusion tables of published protocols against scikit-learn."""

import numpy as np
import pytest
from agreement_cases import random_pairwise, said
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from judgemerge.evaluate.published._cells import class_metrics, confusion_table, weighted_metrics
from judgemerge.evaluate.verdict_arrays import TIE, benchmark_arrays, judge_arrays


@pytest.mark.parametrize("seed", range(60))
def test_class_and_weighted_scores_equal_sklearn(seed):
    items, original, _ = random_pairwise(seed)
    verdicts = [said(item, outcome) for item, outcome in zip(items, original, strict=True)]
    benchmark = benchmark_arrays(items)
    truth, outcome = benchmark.truth, judge_arrays(benchmark, "judge", verdicts).codes[:, 0]
    table = confusion_table(truth, outcome)
    np.testing.assert_array_equal(table, confusion_matrix(truth, outcome, labels=range(4))[:3])
    scores = precision_recall_fscore_support(truth, outcome, labels=[0, 1, 2], zero_division=0)
    weighted = precision_recall_fscore_support(truth, outcome, average="weighted", zero_division=0)
    for name, each, mean in zip(("precision", "recall", "f1"), scores, weighted, strict=False):
        for k in range(3):
            assert class_metrics(table, k)[name] == pytest.approx(each[k])
        assert weighted_metrics(table)[name] == pytest.approx(mean)


def test_scores_of_a_class_over_resamples_are_those_of_each_table():
    tables = np.arange(36).reshape(3, 4, 3) ** 2
    together = class_metrics(tables, TIE)["f1"]
    assert together.tolist() == [float(class_metrics(tables[..., one], TIE)["f1"]) for one in range(3)]
