"""Which comparisons are shown first, by hand-made rows."""

import numpy as np
import pandas as pd
import pytest

from judgemerge.report.tables.comparisons import against, best_judge, headline_rows


def comparisons(*rows, benchmark="bench"):
    """Rows of comparisons.csv from (judge_a, judge_b, metric, difference) and, if need be, the test."""
    records = []
    for judge_a, judge_b, metric, difference, *test in rows:
        spread = {"difference": difference, "ci_low": difference - 0.1, "ci_high": difference + 0.2, "p": 0.01}
        spread |= {"detectable": 0.2}
        records.append(
            {"judge_a": judge_a, "judge_b": judge_b, "benchmark": benchmark, "metric": metric, **spread}
            | {"p_holm": 0.03, "test": test[0] if test else "bootstrap", "n": 50, "note": ""}
        )
    return pd.DataFrame(records)


def test_accuracy_goes_first_when_all_judges_have_it():
    table = comparisons(
        ("a", "b", "accuracy", 0.1), ("a", "b", "accuracy_first", 0.2), ("a", "b", "accuracy_first", 0.3, "McNemar")
    )
    assert list(headline_rows(table)["difference"]) == [0.1]


def test_judges_of_one_order_are_compared_in_that_order():
    table = comparisons(
        ("a", "b", "accuracy", np.nan), ("a", "b", "accuracy_first", 0.2), ("a", "b", "accuracy_first", 0.3, "McNemar")
    )
    assert list(headline_rows(table)["difference"]) == [0.2]


def test_grades_that_no_judge_has_still_have_their_rows():
    assert list(headline_rows(comparisons(("a", "b", "spearman", np.nan)))["metric"]) == ["spearman"]


def test_turning_a_pair_round_mirrors_difference_and_interval():
    table = comparisons(("a", "b", "accuracy", 0.1), ("c", "a", "accuracy", 0.3))
    turned = against(table, "a")
    assert turned.loc["c", ["difference", "ci_low", "ci_high"]].tolist() == pytest.approx([0.3, 0.2, 0.5])
    assert turned.loc["b", ["difference", "ci_low", "ci_high"]].tolist() == pytest.approx([-0.1, -0.3, 0.0])


@pytest.mark.parametrize(
    ("rows", "best"),
    [
        ([("a", "b", "accuracy", 0.1), ("a", "c", "accuracy", -0.2), ("b", "c", "accuracy", -0.3)], "c"),
        ([("a", "b", "accuracy", 0.0)], "a"),
        ([("a", "b", "accuracy", -0.1), ("a", "c", "accuracy", np.nan), ("b", "c", "accuracy", np.nan)], "b"),
        ([("a", "b", "accuracy", np.nan)], None),
    ],
)
def test_the_best_judge_is_ahead_of_all_it_can_be_compared_to(rows, best):
    assert best_judge(comparisons(*rows)) == best


def test_no_rows_have_no_headline():
    empty = comparisons(("a", "b", "kappa", 0.1)).iloc[:0]
    assert len(headline_rows(empty)) == 0
    assert best_judge(empty) is None
