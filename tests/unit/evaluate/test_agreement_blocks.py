"""Building blocks of published protocols against scikit-learn."""

import numpy as np
import pytest
from agreement_cases import pair, random_pairwise, said
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from judgemerge.evaluate import blocks
from judgemerge.evaluate.arrays import CODES


@pytest.mark.parametrize("seed", range(60))
def test_class_and_weighted_scores_equal_sklearn(seed):
    items, original, _ = random_pairwise(seed)
    verdicts = [said(item, outcome) for item, outcome in zip(items, original, strict=True)]
    truth, outcome = blocks.codes(items, verdicts)
    table = blocks.confusion_table(truth, outcome)
    np.testing.assert_array_equal(table, confusion_matrix(truth, outcome, labels=range(4))[:3])
    scores = precision_recall_fscore_support(truth, outcome, labels=[0, 1, 2], zero_division=0)
    weighted = precision_recall_fscore_support(truth, outcome, average="weighted", zero_division=0)
    for name, each, mean in zip(("precision", "recall", "f1"), scores, weighted, strict=False):
        for k in range(3):
            assert blocks.class_metrics(table, k)[name] == pytest.approx(each[k])
        assert blocks.weighted_metrics(table)[name] == pytest.approx(mean)


def test_class_by_name_and_over_resamples():
    table = np.zeros((3, 4, 5)) + np.arange(12).reshape(3, 4, 1)
    by_name, by_code = blocks.class_metrics(table, "tie"), blocks.class_metrics(table, CODES["tie"])
    assert by_name["f1"].shape == (5,)
    np.testing.assert_array_equal(by_name["f1"], by_code["f1"])


def test_three_ways_to_treat_errors():
    items = [pair(i, t) for i, t in enumerate(["first", "tie", "second"])]
    verdicts = [said(item, outcome) for item, outcome in zip(items, ["first", "error", "error"], strict=True)]
    assert [x.tolist() for x in blocks.codes(items, verdicts)] == [[0, 2, 1], [0, 3, 3]]
    assert [x.tolist() for x in blocks.codes(items, verdicts, errors="tie")] == [[0, 2, 1], [0, 2, 2]]
    assert [x.tolist() for x in blocks.codes(items, verdicts, errors="drop")] == [[0], [0]]
    assert blocks.codes(items, verdicts, order="swapped")[1].tolist() == [3, 3, 3]
