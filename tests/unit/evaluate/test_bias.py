"""Bias tables: position, length, groups, self-preference – by hand, against statsmodels, and at the edges."""

import numpy as np
import pytest
import statsmodels.api as sm
from agreement_cases import both, pair, point, said

from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate import bias
from judgemerge.evaluate.score import score_benchmark
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=200)


def rows(table):
    return table.set_index("metric")


def texts(first, second):
    return {"responses": (("x" * first,), ("x" * second,))}


def test_a_judge_without_any_verdict_has_not_one_order():
    items = [pair(0, "first"), pair(1, "second")]
    assert set(bias.position_bias(items, {"j": []}, FEW)["note"]) == {"no verdict was recorded"}
    assert set(bias.position_bias(items, {"j": [said(items[0], "first")]}, FEW)["note"]) == {
        "only one order was recorded"
    }
    textless = [pair(0, "first", responses=())]
    assert set(bias.position_bias(textless, {"j": []}, FEW)["note"]) == {"no item has its texts"}


def test_length_says_nothing_where_no_item_has_its_texts():
    items = [pair(0, "first", responses=()), pair(1, "second", responses=())]
    verdicts = {"j": [said(items[0], "first"), said(items[1], "first")], "silent": []}
    table = bias.length_bias(items, verdicts, FEW)
    assert set(table["note"]) == {"no item has its texts"}
    assert table["value"].isna().all() and (table["n"] == 0).all()
    with_texts = [pair(i, "first", **texts(3, 1)) for i in range(3)]
    measured = bias.length_bias(with_texts, {"j": [said(item, "first") for item in with_texts]}, FEW)
    assert set(measured["metric"]) == set(table["metric"])


def test_position_bias_by_hand():
    items = [pair(i, "first") for i in range(8)]
    # by item: first place twice ×3, second place twice ×1, consistent ×2, tie and first, error and second
    original = ["first", "first", "first", "second", "first", "second", "tie", "error"]
    swapped = ["second", "second", "second", "first", "first", "second", "first", "second"]
    table = rows(bias.position_bias(items, {"j": both(items, original, swapped)}, FEW))
    # decisive: 6 + 8 verdicts; shown first wins: original 4 ("first"), swapped 5 ("second")
    assert table.loc["first_shown_excess", "value"] == pytest.approx(9 / 14 - 0.5)
    assert table.loc["first_shown_excess", "n"] == 14
    assert table.loc["position_only", "value"] == pytest.approx(4 / 7)
    assert table.loc["position_only", "n"] == 7
    assert table.loc["first_of_position_only", "value"] == pytest.approx(3 / 4)
    assert table.loc["first_of_position_only", "n"] == 4
    assert table.loc["consistency", "value"] == pytest.approx(2 / 8)
    assert (table["errors"] == 1).all()
    assert (table["ci_low"] < table["value"]).all() and (table["value"] < table["ci_high"]).all()


def test_a_judge_that_always_says_the_first_shown_is_all_position():
    items = [pair(i, "first") for i in range(30)]
    table = rows(bias.position_bias(items, {"j": both(items, ["first"] * 30, ["second"] * 30)}, FEW))
    assert table.loc["first_shown_excess", "value"] == 0.5
    assert table.loc["position_only", "value"] == 1
    assert table.loc["consistency", "value"] == 0


def test_position_bias_of_a_consistent_judge_is_zero_whatever_the_truth():
    items = [pair(i, "first") for i in range(30)]
    table = rows(bias.position_bias(items, {"j": both(items, ["first"] * 30, ["first"] * 30)}, FEW))
    assert table.loc["first_shown_excess", "value"] == 0
    assert table.loc["first_of_position_only", "note"] == "nothing to count"


def test_position_needs_both_orders_and_a_pairwise_benchmark():
    items = [pair(i, "first") for i in range(3)]
    table = bias.position_bias(items, {"j": [said(item, "first") for item in items]}, FEW)
    assert table["value"].isna().all()
    assert set(table["note"]) == {bias.ONE_ORDER}
    with pytest.raises(JudgemergeError, match="pairwise"):
        bias.position_bias([point(0, 1.0)], {}, FEW)


def test_length_bias_by_hand():
    shapes = [(9, 5), (9, 5), (5, 9), (5, 9), (5, 5), (9, 5)]
    truth = ["first", "first", "first", "second", "first", "tie"]
    items = [pair(i, t, **texts(*shape)) for i, (t, shape) in enumerate(zip(truth, shapes, strict=True))]
    verdicts = both(
        items, ["first", "error", "second", "second", "first", "first"], ["first", "first"] + ["second"] * 4
    )
    table = rows(bias.length_bias(items, {"j": verdicts}, FEW))
    # longer is better on items 0, 1, 3; shorter on item 2; item 4 has equal lengths, item 5 is a tie
    assert table.loc["accuracy_longer_better", ["value", "n"]].tolist() == pytest.approx([5 / 6, 6])
    assert table.loc["accuracy_shorter_better", ["value", "n"]].tolist() == [0, 2]
    assert table.loc["accuracy_gap", "value"] == pytest.approx(5 / 6)
    assert table.loc["longer_better", ["value", "n"]].tolist() == pytest.approx([6 / 8, 8])
    assert table.loc["longer_chosen", ["value", "n"]].tolist() == pytest.approx([8 / 9, 9])
    assert (table["errors"] == 1).all()


def swayed(seed, pull, n_items=150):
    """A judge whose choice depends on truth and, with `pull`, on length; three items share a cluster."""
    rng = np.random.default_rng(seed)
    items, answers = [], [[], []]
    for i in range(n_items):
        shape = rng.integers(20, 400, 2)
        truth = str(rng.choice(["first", "second", "tie"], p=[0.45, 0.45, 0.1]))
        items.append(pair(i, truth, cluster=i // 3, **texts(*shape)))
        quality = {"first": 1, "second": -1, "tie": 0}[truth]
        logit = quality + pull * np.log2((shape[0] + 1) / (shape[1] + 1))
        for order in range(2):
            answers[order].append("first" if rng.random() < 1 / (1 + np.exp(-logit)) else "second")
    return items, both(items, *answers)


def test_length_coefficient_finds_the_pull_and_equals_statsmodels():
    items, verdicts = swayed(1, pull=0.8, n_items=600)
    table = rows(bias.length_bias(items, {"j": verdicts}, FEW))
    given = table.loc["length_coefficient_given_truth"]
    assert given["ci_low"] < 0.8 < given["ci_high"]
    assert given["ci_low"] > 0
    ratio = [np.log2((len(i.responses[0][0]) + 1) / (len(i.responses[1][0]) + 1)) for i in items] * 2
    truth = [{"first": 1, "second": -1, "tie": 0}[i.truth] for i in items] * 2
    choice = [float(v.outcome == "first") for v in verdicts]
    design = sm.add_constant(np.column_stack([ratio, truth]))
    groups = np.array([int(i.cluster[1:]) for i in items] * 2)
    fit = sm.Logit(choice, design).fit(disp=0, cov_type="cluster", cov_kwds={"groups": groups}, use_t=True)
    assert given["value"] == pytest.approx(fit.params[1], abs=1e-6)
    assert [given["ci_low"], given["ci_high"]] == pytest.approx(fit.conf_int()[1], abs=1e-6)


def test_length_coefficient_of_an_indifferent_judge_covers_zero():
    hits = 0
    for seed in range(20):
        items, verdicts = swayed(seed, pull=0)
        row = rows(bias.length_bias(items, {"j": verdicts}, Statistics(resamples=10))).loc[
            "length_coefficient_given_truth"
        ]
        hits += row["ci_low"] <= 0 <= row["ci_high"]
    assert hits >= 17


def test_separation_is_named_and_not_estimated():
    items, _ = swayed(2, pull=0)
    longer = ["first" if len(i.responses[0][0]) > len(i.responses[1][0]) else "second" for i in items]
    table = rows(bias.length_bias(items, {"j": both(items, longer, longer)}, FEW))
    assert np.isnan(table.loc["length_coefficient", "value"])
    assert table.loc["length_coefficient", "note"] == "length separates the choices"
    perfect = [item.truth for item in items]
    table = rows(bias.length_bias(items, {"j": both(items, perfect, perfect)}, FEW))
    assert np.isfinite(table.loc["length_coefficient", "value"])
    assert table.loc["length_coefficient_given_truth", "note"] == "length and truth separate the choices"
    table = rows(bias.length_bias(items, {"j": both(items, ["first"] * 150, ["first"] * 150)}, FEW))
    assert table.loc["length_coefficient", "note"] == "the choice is always the same"


@pytest.mark.parametrize("seed", range(50))
def test_separation_in_one_dimension_is_a_gap_between_the_choices(seed):
    rng = np.random.default_rng(seed)
    x = rng.integers(0, 6, 8).astype(float)
    choice = np.where(rng.random(8) < 0.3, rng.random(8) < 0.5, x > 2)
    if len(set(choice)) < 2 or np.ptp(x) == 0:
        pytest.skip("one class")
    apart = x[choice].min() >= x[~choice].max() or x[choice].max() <= x[~choice].min()
    assert bias.is_separated(choice, np.column_stack([x, np.ones(8)])) == apart


def test_breakdown_equals_scores_of_the_parts():
    rng = np.random.default_rng(0)
    items = [
        pair(i, "first", category="code" if i < 10 else "chat", extra={"complexity": "High" if i % 2 else "Low"})
        for i in range(30)
    ]
    verdicts = both(items, *(rng.choice(["first", "second"], 30).tolist() for _ in range(2)))
    table = bias.breakdown(items, {"j": verdicts}, "category", FEW, metrics=["accuracy", "kappa"])
    assert table["group"].tolist() == ["chat", "chat", "code", "code"]
    code = score_benchmark(
        items[:10], {"j": [v for v in verdicts if v.item in {i.id for i in items[:10]}]}, Statistics(resamples=200)
    )
    expected = code.set_index("metric").loc["accuracy"]
    got = table[(table["group"] == "code") & (table["metric"] == "accuracy")].iloc[0]
    assert (got["value"], got["ci_low"], got["n"]) == (expected["value"], expected["ci_low"], 10)
    assert set(bias.breakdown(items, {"j": verdicts}, "complexity", FEW)["group"]) == {"High", "Low"}
    with pytest.raises(JudgemergeError, match="known: category, complexity"):
        bias.breakdown(items, {"j": verdicts}, "colour", FEW)


def test_self_preference_by_hand():
    mine, other = ("me", "them"), ("them", "us")
    items = [
        pair(0, "first", models=mine),
        pair(1, "second", models=mine),
        pair(2, "tie", models=("them", "me")),
        pair(3, "first", models=other),
        pair(4, "first", models=("me", "me")),
        pair(5, "first"),
    ]
    verdicts = both(
        items, ["first", "first", "second", "first", "first", "first"], ["first", "error", "tie"] + ["first"] * 3
    )
    table = rows(bias.self_preference(items, {"j": verdicts, "k": verdicts}, {"j": ["me", "me-chat"]}, FEW))
    assert set(table["judge"]) == {"j"}
    assert table.loc["own_chosen", ["value", "n"]].tolist() == [pytest.approx(4.5 / 5), 5]
    assert table.loc["own_deserved", "value"] == pytest.approx((1 + 1 + 0 + 0.5 + 0.5) / 5)
    assert table.loc["own_excess", "value"] == pytest.approx(1.5 / 5)


def test_pointwise_self_preference():
    items = [point(i, 3.0, models=("me" if i % 2 else "them",)) for i in range(20)]
    verdicts = [said(item, 4.0 + (i % 4 == 1) if i % 2 else 2.5) for i, item in enumerate(items)]
    table = rows(bias.self_preference(items, {"j": verdicts}, {"j": ["me"]}, FEW))
    assert table.loc["own_excess", "value"] == pytest.approx(1.5 + 0.5)
    assert table.loc["own_excess", "n"] == 10


def test_judge_without_verdicts_gives_empty_cells():
    items = [pair(i, "first", models=("a", "b")) for i in range(3)]
    for table in (
        bias.position_bias(items, {"j": []}, FEW),
        bias.length_bias(items, {"j": []}, FEW).query("metric != 'longer_better'"),
        bias.self_preference(items, {"j": []}, {"j": ["a"]}, FEW),
    ):
        assert table["value"].isna().all()
        assert (table["note"] != "").all()


def test_tables_are_reproducible():
    items, verdicts = swayed(5, pull=0.5)
    for function in (bias.position_bias, bias.length_bias):
        assert function(items, {"j": verdicts}, FEW).to_csv() == function(items, {"j": verdicts}, FEW).to_csv()
