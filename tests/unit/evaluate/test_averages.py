"""Means over benchmarks and categories: plain means, their intervals, and what is said of a judge that lacks a part."""

import numpy as np
import pandas as pd
import pytest
from rule_scripts import rule_script

from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.averages import average_table
from judgemerge.evaluate.score import COLUMNS
from judgemerge.settings.section import plain
from judgemerge.study.load import load_study

collect_scores = rule_script("evaluate/collect_scores")

STUDY = {
    "study": "means",
    "suites": {"two": {"benchmarks": ["demo_pairwise", "demo_pointwise", "pandalm"]}},
    "judges": ["longer", "random"],
    "downloads": True,
}


def scored(benchmark, values, judge="one", metric="accuracy", n=10, **more):
    value, low, high = values
    row = {"judge": judge, "benchmark": benchmark, "protocol": "pairwise", "metric": metric, "value": value}
    return row | {"ci_low": low, "ci_high": high, "n": n, "errors": 1, "rules": "house", "note": ""} | more


def test_the_mean_over_benchmarks_has_the_interval_of_independent_parts():
    scores = {
        "a": pd.DataFrame([scored("a", (0.8, 0.7, 0.9)), scored("a", (0.5, 0.4, 0.6), "two")]),
        "b": pd.DataFrame([scored("b", (0.6, 0.5, 0.7), n=30), scored("b", (np.nan,) * 3, "two")]),
    }
    table = average_table({"both": {"benchmarks": ["a", "b"]}}, scores, {})
    assert tuple(table.columns) == COLUMNS
    one, two = (table[table["judge"] == judge].iloc[0] for judge in ("one", "two"))
    half = np.sqrt(2 * 0.1**2) / 2
    assert (one["value"], one["ci_low"], one["ci_high"]) == pytest.approx((0.7, 0.7 - half, 0.7 + half))
    assert (one["n"], one["errors"], one["rules"], one["note"]) == (40, 2, "house", "mean of 2: a, b")
    assert np.isnan(two["value"]) and two["note"] == "no value on b"


def test_categories_can_be_put_together():
    groups = [("law", 0.2), ("physics", 0.6), ("code", 0.9)]
    rows = [scored("x", (value, value - 0.1, value + 0.1), group=group) for group, value in groups]
    categories = {"x": pd.DataFrame(rows).drop(columns=["protocol", "rules"])}
    scores = {"x": pd.DataFrame([scored("x", (0.5, 0.4, 0.6))])}
    kinds = {"exams": ["law", "physics"], "code": ["code"]}
    averages = {
        "all": {"categories_of": "x", "categories": []},
        "some": {"categories_of": "x", "categories": ["law", "code"]},
        "kinds": {"categories_of": "x", "categories": kinds},
    }
    values = average_table(averages, scores, categories).set_index("benchmark")["value"]
    assert values.to_dict() == pytest.approx({"all": 1.7 / 3, "some": 0.55, "kinds": 0.65})


@pytest.mark.parametrize(
    ("entry", "reason"),
    [
        ({"x": {"benchmarks": ["demo_pairwise", "demo_pointwise"]}}, "mixes benchmarks of pairs and of grades"),
        ({"x": {"benchmarks": ["demo_pairwise", "pandaml"]}}, "unknown benchmark 'pandaml'; did you mean 'pandalm'"),
        ({"pandalm": {"categories_of": "demo_pairwise"}}, "has the name of a benchmark; rename it"),
    ],
)
def test_averages_that_cannot_be_taken_are_refused(repository, entry, reason):
    with pytest.raises(JudgemergeError, match=reason):
        load_study({**STUDY, "averages": entry}, "means.yaml", repository / "config")


def test_averages_of_benchmarks_that_are_not_run_are_left_out(repository):
    suites = {"two": STUDY["suites"]["two"] | {"benchmarks": ["demo_pairwise"]}}
    suites["real"] = {"optional": True, "benchmarks": ["pandalm"]}
    averages = {"x": {"benchmarks": ["demo_pairwise", "pandalm"]}, "y": {"categories_of": "demo_pairwise"}}
    study = load_study(
        {**STUDY, "suites": suites, "averages": averages, "downloads": False}, "means.yaml", repository / "config"
    )
    assert plain(study.averages) == {"y": {"categories_of": "demo_pairwise", "categories": []}}


def test_judges_are_named_by_their_labels_and_never_two_alike(repository):
    labels = {"longer": "The longer one", "random": "The longer one"}
    study = load_study({**STUDY, "display": {"labels": labels}}, "means.yaml", repository / "config")
    assert study.labels == {"longer": "The longer one (longer)", "random": "The longer one (random)"}
    with pytest.raises(JudgemergeError, match=r"display.judges names the unknown judge 'longr'; did you mean 'longer'"):
        load_study({**STUDY, "display": {"judges": ["longr"]}}, "means.yaml", repository / "config")


def test_every_row_names_the_prompt_that_its_judge_was_asked_with(tmp_path):
    rows = [scored("pairs", (0.8, 0.7, 0.9), judge) for judge in ("asked", "graded", "longer")]
    graded = scored("grades", (0.8, 0.7, 0.9), "asked", protocol="pointwise")
    pd.DataFrame([*rows, graded]).to_csv(tmp_path / "house.csv", index=False)
    prompts = {
        "asked": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"},
        "graded": {"pointwise": "grade"},
    }
    collect_scores.main([tmp_path / "house.csv"], tmp_path / "agreement.csv", prompts)
    table = pd.read_csv(tmp_path / "agreement.csv", keep_default_na=False)
    assert list(table)[-1] == "prompt"
    assert list(table["prompt"]) == ["brief_pairwise", "", "", "brief_pointwise"]


def test_a_cell_that_two_tables_hold_is_collected_once(tmp_path, capsys):
    house = pd.DataFrame([scored("a", (0.8, 0.7, 0.9), metric="kappa_first")])
    paper = pd.concat([house.assign(value=0.79), house.assign(rules="published")])
    for name, table in (("house", house), ("paper", paper)):
        table.to_csv(tmp_path / f"{name}.csv", index=False)
    collect_scores.main([tmp_path / "house.csv", tmp_path / "paper.csv"], tmp_path / "agreement.csv", {})
    table = pd.read_csv(tmp_path / "agreement.csv")
    assert table[["rules", "value"]].values.tolist() == [["house", 0.8], ["published", 0.8]]
    assert "1 cells are in two tables" in capsys.readouterr().err
