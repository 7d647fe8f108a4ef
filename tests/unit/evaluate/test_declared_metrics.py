"""What a metric declares decides where it appears."""

import numpy as np
import pytest

from judgemerge.evaluate.counts import Outcomes
from judgemerge.evaluate.metrics import METRICS, Metric, metrics_for

RECORDED = {"both": (True, True), "original": (True, False), "swapped": (False, True), "none": (False, False)}


@pytest.mark.parametrize(
    ("orders", "recorded", "columns"),
    [
        ("both", "both", (0, 1)),
        ("both", "original", ()),
        ("first", "original", (0,)),
        ("first", "swapped", ()),
        ("swapped", "both", (1,)),
        ("recorded", "both", (0, 1)),
        ("recorded", "swapped", (1,)),
        ("recorded", "none", ()),
    ],
)
def test_a_metric_is_computed_from_the_orders_that_it_declares(orders, recorded, columns):
    assert Metric("m", len, "pairwise", orders=orders).defined_in(RECORDED[recorded]) == columns


@pytest.mark.parametrize(
    ("protocol", "use", "names"),
    [
        ("pairwise", "headline", ("accuracy", "accuracy_first")),
        ("pointwise", "headline", ("spearman",)),
        ("pairwise", "raters", ("accuracy", "macro_f1", "kappa")),
        ("pointwise", "comparisons", ("spearman", "mae")),
        ("pairwise", "card", ("accuracy", "accuracy_both", "consistency", "macro_f1", "kappa", "error_rate")),
        ("pointwise", "card", ("pearson", "spearman", "kendall", "mae", "error_rate")),
    ],
)
def test_metrics_over_both_orders_go_before_those_of_one(protocol, use, names):
    assert metrics_for(protocol, use) == names


@pytest.mark.parametrize("protocol", METRICS)
def test_every_metric_says_what_it_is(protocol):
    assert all(entry.description.endswith(".") for entry in METRICS[protocol].values())


def test_outcomes_of_both_orders_are_those_of_each_added():
    counts = np.arange(26.0)[:, None]
    first, second, both = (Outcomes(counts, orders) for orders in ((0,), (1,), (0, 1)))
    assert (both.table == first.table + second.table).all()
    assert both.n_items == both.n_verdicts / 2
    assert both.right == first.right + second.right
