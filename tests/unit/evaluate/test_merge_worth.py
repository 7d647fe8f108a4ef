"""The rows of merge_or_jury.csv: merges, parents, juries of parents, joint training, and what they cost."""

import math

import numpy as np
import pytest
from agreement_cases import both, pair

from judgemerge.evaluate import merge_worth
from judgemerge.evaluate.merge_worth import JURY, MEAN, WEIGHTED, Family
from judgemerge.settings.report import Statistics

SETTINGS = Statistics(resamples=300)
OTHER = {"first": "second", "second": "first"}
TOKENS = {"a": 10.0, "b": 20.0, "merged": 12.0, "joint": 15.0}


def cases(**skills):
    rng = np.random.default_rng(7)
    items = [pair(number, str(rng.choice(["first", "second"]))) for number in range(100)]
    verdicts = {}
    for name, skill in skills.items():
        answers = [item.truth if rng.random() < skill else OTHER[item.truth] for item in items]
        verdicts[name] = both(items, answers, answers)
    return items, verdicts


def family(**changes):
    given = {"parents": ["a", "b"], "merges": ["merged"], "joint": [], "no_joint": "nobody", "untaught": []}
    return Family(**{**given, "tokens": TOKENS, **changes})


def rows_of(items, verdicts, entry):
    rows = list(merge_worth.benchmark_rows(items, verdicts, [entry], SETTINGS, 42))
    return {(row.judge, row.metric): row for row in rows}


def test_all_contenders_stand_beside_each_other_with_their_costs():
    items, verdicts = cases(a=0.95, b=0.6, merged=0.85, joint=0.9)
    rows = rows_of(items, verdicts, family(joint=["joint"], no_joint="", untaught=["b"]))
    value = {judge: row.value for (judge, metric), row in rows.items() if metric == "accuracy"}
    assert value.keys() == {"a", "b", MEAN, JURY, WEIGHTED, "joint", "merged"}
    assert value[MEAN] == pytest.approx((value["a"] + value["b"]) / 2)
    assert value[WEIGHTED] == value["a"]  # of two, the one with the greater weight decides
    assert value[JURY] < value["a"]  # two who disagree are a tie
    models = {judge: row.models for (judge, metric), row in rows.items() if metric == "accuracy"}
    assert models == {"a": 1, "b": 1, MEAN: 1, JURY: 2, WEIGHTED: 2, "joint": 1, "merged": 1}
    assert rows[JURY, "accuracy"].tokens == 30 and rows[MEAN, "accuracy"].tokens == 15
    assert rows["b", "accuracy"].note == "not trained on pairwise items"
    assert rows[JURY, "accuracy"].note == "b: not trained on pairwise items"


def test_a_merge_is_paired_with_each_of_them():
    items, verdicts = cases(a=0.95, b=0.6, merged=0.85, joint=0.9)
    rows = rows_of(items, verdicts, family(joint=["joint"], no_joint=""))
    for name, judge in (("best parent", "a"), (JURY, JURY), (WEIGHTED, WEIGHTED), ("joint", "joint")):
        row = rows["merged", f"minus[{name}]"]
        assert row.value == pytest.approx(rows["merged", "accuracy"].value - rows[judge, "accuracy"].value)
        assert row.ci_low <= row.value <= row.ci_high
    assert rows["merged", "minus[best parent]"].note == "a, the best of the parents on these items"


def test_what_is_not_there_says_why():
    items, verdicts = cases(a=0.9, merged=0.8)
    rows = rows_of(items, verdicts, family())
    assert rows["b", "accuracy"].note == "no verdicts on this benchmark"
    assert rows[JURY, "accuracy"].note == "b has no verdicts here" and math.isnan(rows[JURY, "accuracy"].value)
    assert rows["joint training", "accuracy"].note == "nobody"
    assert ("merged", "minus[best parent]") in rows and ("merged", f"minus[{JURY}]") not in rows


def test_one_parent_is_no_jury():
    items, verdicts = cases(a=0.9, merged=0.8)
    rows = rows_of(items, verdicts, family(parents=["a"]))
    assert rows[JURY, "accuracy"].note == "one parent is no jury" and (MEAN, "accuracy") not in rows
    assert merge_worth.table_of(list(rows.values())).models.dtype == "Int64"
