"""humans.csv and bias.csv of one benchmark: which rows there are, and the numbers that no other module computes."""

import numpy as np
import pytest
from agreement_cases import both, pair, point, said

from judgemerge.core.items import Verdict
from judgemerge.evaluate import tables
from judgemerge.evaluate.verdict_arrays import benchmark_arrays
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=100)
VOTES = [
    ("first", "first", "first"),
    ("first", "first", "second"),
    ("second", "second", "tie"),
    ("second", "tie", "first"),
]


def pairs(votes=VOTES, **more):
    annotators = ("ann", "bob", "cyd")
    return [pair(i, "first", votes=list(zip(annotators, row, strict=False)), **more) for i, row in enumerate(votes)]


def cell(table, **where):
    rows = table
    for column, value in where.items():
        rows = rows[rows[column] == value]
    assert len(rows) == 1, rows
    return rows.iloc[0]


def human_table(items, **outcomes):
    verdicts = {judge: both(items, said_first, said_first) for judge, said_first in outcomes.items()}
    return tables.human_table(items, verdicts, FEW)


def test_a_judge_takes_the_place_of_each_person_in_turn():
    items = pairs()
    table = human_table(items, judge=["first", "first", "second", "error"])
    assert tuple(table.columns) == tables.HUMAN_COLUMNS
    # Others' majorities, by person left out: 1 1 1 | tie tie 1 | tie tie 2 | tie tie tie (an even split is a tie).
    human = cell(table, rater="humans", against="others", metric="accuracy")
    judge = cell(table, rater="judge", against="others", metric="accuracy")
    assert (human["n"], judge["n"], judge["errors"]) == (12, 12, 3)
    assert judge["value"] == pytest.approx((3 + 1 + 1 + 0) / 12)
    assert human["value"] == pytest.approx((3 + 0 + 0 + 1) / 12)
    assert "7 of these votes meet an even split" in human["note"]
    clear = cell(table, rater="judge", against="others, splits left out", metric="accuracy")
    assert (clear["n"], clear["value"]) == (5, 1.0)
    assert cell(table, rater="humans", against="others, splits left out", metric="accuracy")["n"] == 5


def test_the_same_judge_and_person_have_the_same_number():
    items = pairs([("first", "first", vote) for vote in ("first", "second", "tie", "second", "first")])
    table = human_table(items, twin=[item.votes[2].vote for item in items])
    person = cell(table, rater="cyd", against="others", metric="accuracy")["value"]
    # The twin also stands in for ann and bob, who meet its own double; its share of cyd's comparisons is cyd's.
    twin = cell(table, rater="twin", against="others", metric="accuracy")["value"]
    assert (person, twin) == (pytest.approx(2 / 5), pytest.approx((2 + 2 + 2 + 1 + 1) / 15))


def test_every_kind_of_comparison_is_there():
    items = [pair(i, "first", votes=[("ann", "first"), ("bob", "first" if i % 2 else "second")]) for i in range(40)]
    table = human_table(items, judge=["first"] * 40, flips=["second"] * 40)
    keys = set(zip(table["kind"], table["against"], table["metric"], strict=True))
    for metric in ("votes", "annotators", "unanimous", "split", "truth_differs"):
        assert ("humans", "votes", metric) in keys
    for kind in ("humans", "annotator"):
        assert {(kind, against, "kappa") for against in ("majority", "others")} <= keys
    assert ("annotator", "bob", "kappa") in keys
    for kind in ("humans", "judge"):
        assert {(kind, setting, "accuracy") for setting in ("single votes", "single votes, ties left out")} <= keys
        assert (kind, "each other", "alpha") in keys
    assert ("judge", "each other", "alpha_change") in keys
    alone = cell(table, rater="humans", metric="alpha")["value"]
    added = cell(table, rater="judge", metric="alpha")["value"]
    change = cell(table, rater="judge", metric="alpha_change")
    assert change["value"] == pytest.approx(added - alone)
    assert change["ci_low"] < change["value"] < change["ci_high"]
    for row in table.itertuples():
        assert not np.isnan(row.value) or row.note, row
        assert not np.isnan(row.ci_low) or row.note or row.against == "votes", row


def test_items_with_one_vote_do_not_change_what_a_judge_adds():
    items = pairs()
    lonely = [pair(i, "first", votes=[("ann", "first")]) for i in range(10, 30)]
    few = human_table(items, judge=["first", "first", "second", "tie"])
    more = human_table(items + lonely, judge=["first", "first", "second", "tie"] + ["second"] * 20)
    for metric in ("alpha", "alpha_change"):
        same = [cell(table, rater="judge", metric=metric)["value"] for table in (few, more)]
        assert same[0] == pytest.approx(same[1])
    assert cell(more, rater="judge", against="single votes", metric="accuracy")["n"] == 12 + 20


def test_without_two_votes_on_an_item_only_the_reason_is_left():
    table = human_table([pair(0, "first", votes=[("ann", "first")]), pair(1, "tie")], judge=["first", "tie"])
    assert cell(table, metric="votes")["value"] == 1
    row = cell(table, metric="alpha")
    assert np.isnan(row["value"]) and row["note"] == tables.NO_PAIRS
    assert set(table["against"]) == {"votes", "each other"}


def test_grades_are_compared_with_the_mean_of_the_others():
    items = [point(i, float(i), votes=[("ann", float(i)), ("bob", i + 1.0), ("cyd", i + 2.0)]) for i in range(6)]
    verdicts = {"judge": [said(item, item.truth * 2) for item in items[:5]] + [said(items[5], "error")]}
    table = tables.human_table(items, verdicts, FEW)
    row = cell(table, rater="judge", against="others", metric="spearman")
    assert (row["n"], row["errors"]) == (18, 3)
    expected = np.corrcoef(*np.array([[rank, 2 * i] for i in range(5) for rank in (i + 1.5, i + 1, i + 0.5)]).T)[0, 1]
    assert cell(table, rater="judge", against="others", metric="pearson")["value"] == pytest.approx(expected)
    assert not table["against"].str.startswith("single").any()


def test_an_item_that_a_judge_was_not_asked_about_is_no_comparison():
    items = pairs()
    verdicts = {"part": both(items[:2], ["first", "first"], ["first", "first"]), "none": []}
    table = tables.human_table(items, verdicts, FEW)
    assert cell(table, rater="part", against="others", metric="accuracy")["n"] == 6
    row = cell(table, rater="none", against="others", metric="accuracy")
    assert (row["n"], row["note"]) == (0, "nothing to compare")


# ---- bias ----


def judged(items):
    return {"judge": both(items, ["first"] * len(items), ["second"] * len(items))}


def test_bias_has_position_length_own_writing_and_every_known_grouping():
    items = [
        pair(
            i,
            "first" if i % 2 else "second",
            category="code" if i < 6 else None,
            responses=(("a" * (i + 1),), ("b" * 5,)),
            models=("gpt", "other"),
            extra={"complexity": i % 3, "secret": i},
        )
        for i in range(12)
    ]
    table = tables.bias_table(items, judged(items), {"judge": ["gpt", "gpt-5"], "stranger": ["nobody"]}, FEW)
    assert tuple(table.columns) == tables.BIAS_COLUMNS
    assert list(table["aspect"].unique()) == ["position", "length", "self_preference", "category", "complexity"]
    assert cell(table, metric="first_shown_excess")["value"] == 0.5
    assert cell(table, metric="own_excess")["n"] == 24
    groups = table[table["aspect"].isin(["category", "complexity"])]
    assert set(groups["metric"]) == {"accuracy", "accuracy_first", "consistency"}
    assert set(groups["group"]) == {"code", "(none)", "0", "1", "2"}
    assert (table.loc[~table["aspect"].isin(["category", "complexity"]), "group"] == "").all()
    for row in table.itertuples():
        assert not np.isnan(row.value) or row.note, row


def test_grades_have_neither_position_nor_length():
    items = [point(i, float(i), extra={"scenario": "mail"}) for i in range(5)]
    verdicts = {"judge": [said(item, 5.0) for item in items]}
    table = tables.bias_table(items, verdicts, {}, FEW)
    assert set(table["aspect"]) == {"scenario"}
    row = cell(table, metric="spearman")
    assert np.isnan(row["value"]) and row["note"] == "the judge's scores are constant"


def test_nothing_known_about_the_items_is_an_empty_table():
    items = [point(i, float(i)) for i in range(3)]
    table = tables.bias_table(items, {"judge": [said(item, 1.0) for item in items]}, {}, FEW)
    assert tuple(table.columns) == tables.BIAS_COLUMNS and len(table) == 0


def test_a_judge_on_another_scale_has_no_difference_and_no_alpha():
    items = [point(i, float(i % 6), votes=[("ann", float(i % 6)), ("bob", float((i + i % 2) % 6))]) for i in range(24)]
    table = tables.human_table(items, {"long": [said(item, 300.0 * item.truth) for item in items]}, FEW)
    for against, metric in (("others", "mae"), ("each other", "alpha"), ("each other", "alpha_change")):
        row = cell(table, rater="long", against=against, metric=metric)
        assert np.isnan(row["value"]) and row["note"].startswith("not on one scale: people grade from 0 to 5"), metric
    assert np.isfinite(cell(table, rater="long", against="others", metric="spearman")["value"])
    assert (cell(table, rater="humans", against="mean", metric="mae")["value"] > 0) and "majority" not in set(
        table["against"]
    )


def test_items_without_votes_have_no_counts_of_votes():
    table = tables.human_table([pair(i, "first") for i in range(3)], {}, FEW)
    assert table[["against", "n", "note"]].values.tolist() == [["each other", 0, tables.NO_PAIRS]]


def test_the_change_of_alpha_has_an_interval_and_the_digits_of_the_others():
    items = pairs(VOTES * 5)
    verdicts = ["first", "tie", "second", "first"] * 5
    table = human_table(items, judge=verdicts)
    row = cell(table, rater="judge", metric="alpha_change")
    people, both_kinds = (cell(table, rater=who, metric="alpha")["value"] for who in ("humans", "judge"))
    assert row["value"] == pytest.approx(both_kinds - people)
    assert row["ci_low"] < row["value"] < row["ci_high"] and row["note"] == ""
    # The items are drawn for both at once: the change is surer than either.
    alone = cell(table, rater="judge", metric="alpha")
    assert row["ci_high"] - row["ci_low"] < alone["ci_high"] - alone["ci_low"]
    assert len(repr(float(row["value"]))) <= len("-0.") + 12


def test_a_judge_was_not_asked_about_texts_that_are_not_public():
    items = [pair(0, "first"), pair(1, "second", responses=())]
    benchmark = benchmark_arrays(items, judgeable_only=False)
    unasked = [Verdict(items[1].id, order, "error", reason="no_text") for order in ("original", "swapped")]
    assert tables.was_asked(benchmark, [said(items[0], "error"), *unasked]).tolist() == [True, False]
