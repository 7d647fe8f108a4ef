"""What a metric declares decides where it appears."""

import numpy as np
import pytest
from agreement_cases import pair, point, said

from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.counts import Outcomes, divide
from judgemerge.evaluate.metrics import METRICS, Metric, declared_metrics, metrics_for, read_declarations
from judgemerge.evaluate.score import score_benchmark
from judgemerge.settings.report import Statistics

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


WRONG = {
    'metric("m", protocol="pairwise", orders="original")': (
        "metric 'm' has the unknown orders 'original'; known: both, first, recorded, swapped"
    ),
    'metric("m", protocol="pairwis")': "metric 'm' has the unknown protocol 'pairwis'; did you mean 'pairwise'?",
    'metric("m")': "metric 'm' has the unknown protocol 'None'; known: pairwise, pointwise",
    'metric("m", "pairwise", uses=("serch",))': (
        "metric 'm' has uses=('serch',), with the unknown name 'serch'; did you mean 'search'?"
    ),
    'metric("m", "pairwise", uses=("search"))': (
        "metric 'm' has uses='search', which is no tuple of names; write for example ('search',)"
    ),
    'metric("m", "pointwise", needs=("scale",))': (
        "metric 'm' has needs=('scale',), with the unknown name 'scale'; did you mean 'one_scale'?"
    ),
    'metric("m", "pairwise", needs=("items",))': "metric 'm' has needs, which no pairwise metric has; leave it out",
    'metric("m", "pointwise", orders="both")': "metric 'm' has orders, which no pointwise metric has; leave it out",
    'metric("m", "pairwise", use=("search",))': "metric 'm' has the unknown argument 'use'; did you mean 'uses'?",
    'metric("m", "pairwise", proportion="yes")': "metric 'm' has proportion='yes'; give True or False",
    'metric("m", "pairwise", undefined=None)': "metric 'm' has undefined=None; give a text",
    'metric("m", "pairwise", undefined="")': "metric 'm' has undefined=''; give a text",
    'metric("", "pairwise")': "a metric is declared with the name ''; give a text as first argument",
}


@pytest.mark.parametrize(("declaration", "sentence"), WRONG.items())
def test_a_wrong_declaration_is_refused_where_it_stands(tmp_path, declaration, sentence):
    path = tmp_path / "own.py"
    path.write_text(f"from judgemerge.evaluate.metrics import metric\n\n\n@{declaration}\ndef m(outcomes): ...\n")
    where = f"{path}:4: "
    with pytest.raises(JudgemergeError) as read:
        list(read_declarations(path))
    with pytest.raises(JudgemergeError) as run:
        exec(compile(path.read_text(), path, "exec"), {})
    assert str(read.value) == str(run.value) == where + sentence


@pytest.mark.parametrize(
    ("declaration", "sentence"),
    [
        ('metric("m", "pairwise", uses=USES)', "metric 'm' has uses=USES, which is no literal; write the value itself"),
        ("metric(NAME, PAIRS)", "metric NAME has name=NAME, which is no literal"),
        ('metric("m", **COMMON)', "metric 'm' has **COMMON, which is no literal"),
        ('metric("m", "pairwise", "both")', "metric 'm' has 3 arguments by place; name all after the second"),
        ("metric(", "this is no Python: "),
    ],
)
def test_what_a_plan_cannot_read_is_refused(tmp_path, declaration, sentence):
    path = tmp_path / "own.py"
    path.write_text(f"{declaration}\n")
    with pytest.raises(JudgemergeError) as error:
        list(read_declarations(path))
    assert str(error.value).startswith(f"{path}:1: {sentence}")


def test_a_protocol_may_stand_at_its_place(tmp_path):
    path = tmp_path / "own.py"
    path.write_text('@metric("m", "pointwise", uses=("search",))\ndef m(grades): ...\n')
    assert list(read_declarations(path)) == [(f"{path}:1", "m", {"protocol": "pointwise", "uses": ("search",)})]


@pytest.mark.parametrize("protocol", METRICS)
def test_a_plan_reads_the_metrics_that_the_modules_add(protocol):
    declarations = declared_metrics(protocol)
    assert declarations.keys() == METRICS[protocol].keys()
    for name, arguments in declarations.items():
        assert all(getattr(METRICS[protocol][name], argument) == value for argument, value in arguments.items())


def no_share(counts):
    """A share of nothing."""
    return divide(counts.n_items, counts.n_items * 0)


NOTES = {
    "pairs in both orders": ("pairwise", {}, ("original", "swapped"), "its denominator is zero"),
    "pairs in one order": ("pairwise", {"orders": "recorded"}, ("original",), "its denominator is zero"),
    "pairs, in words of its own": ("pairwise", {"undefined": "nobody won"}, ("original", "swapped"), "nobody won"),
    "pairs in an order that is missing": ("pairwise", {}, ("swapped",), "only the swapped order was recorded"),
    "grades": ("pointwise", {}, ("original",), "its denominator is zero"),
    "grades that a judge gives alike": (
        "pointwise",
        {"correlation": True},
        ("original",),
        "the judge's scores are constant",
    ),
}


@pytest.mark.parametrize("case", NOTES)
def test_an_undefined_value_says_why(monkeypatch, case):
    protocol, declared, orders, note = NOTES[case]
    len(METRICS[protocol])  # imports the modules
    monkeypatch.setitem(METRICS[protocol]._parts, "own", Metric("own", no_share, protocol, **declared))
    pairs = protocol == "pairwise"
    items = [pair(i, "first") if pairs else point(i, i % 3 + 1) for i in range(6)]
    verdicts = [said(item, "first" if pairs else 2, order) for item in items for order in orders]
    table = score_benchmark(items, {"judge": verdicts}, Statistics(resamples=20)).set_index("metric")
    assert table.loc["own", "note"] == note
    if pairs and len(orders) == 2:
        assert table.loc["kappa", "note"] == "truth and verdicts are one constant class"
