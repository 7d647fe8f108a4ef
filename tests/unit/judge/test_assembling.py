"""The verdicts of juries and cascades on a suite, from files: what is fitted on what, and members that fail."""

import dataclasses

import pytest
from agreement_cases import both, pair

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import VerdictFile, write_verdicts
from judgemerge.judge import failures
from judgemerge.judge.assembling import suite_rows
from judgemerge.judge.development import fits, halves

JURY = {"kind": "jury", "members": ["a", "b"], "rule": "weighted", "development": []}


def item_set(name, start=0, n=40):
    items = [pair(start + number, "first", cluster=(start + number) // 2, benchmark=name) for number in range(n)]
    return [dataclasses.replace(item, turns=(f"question {item.cluster}",)) for item in items]


@pytest.fixture
def material(tmp_path):
    """Return items of two sets, and the verdicts of two judges on both: a is always right, b never."""
    item_sets = {"bench": item_set("bench"), "other": item_set("other", 100)}
    files = {}
    for member, outcome in (("a", "first"), ("b", "second")):
        said = {name: both(items, [outcome] * 40, [outcome] * 40) for name, items in item_sets.items()}
        write_verdicts(tmp_path / f"{member}.jsonl", said)
        files |= {(member, name): VerdictFile(tmp_path / f"{member}.jsonl", name) for name in item_sets}
    return item_sets, files


def test_the_right_judge_outvotes_the_wrong_one_on_both_halves(material):
    rows, records = suite_rows(JURY, {"bench": []}, *material, seed=1)
    assert len(rows) == 80 and {row["outcome"] for row in rows} == {"first"}
    assert [one["judges"] for one in records["bench"]] == [20, 20]
    assert all(one["weights"]["a"] > 2 and one["weights"]["b"] == 0 for one in records["bench"])


def test_weights_may_come_from_another_set(material):
    _, records = suite_rows(JURY | {"development": ["other"]}, {"bench": ["other"]}, *material, seed=1)
    assert [(one["fitted_on"], one["judges"]) for one in records["bench"]] == [("other", 40)]


def test_a_cascade_comes_from_the_same_files(material):
    cascade = {"kind": "cascade", "members": ["b", "a"], "target": 0.8, "confidence": 0.9, "development": ["other"]}
    rows, records = suite_rows(cascade, {"bench": ["other"]}, *material, seed=1)
    assert {row["raw"] for row in rows} == {"a"} and {row["outcome"] for row in rows} == {"first"}
    assert records["bench"][0]["thresholds"] == {"b": None, "a": 1.0}


def test_without_a_member_there_is_no_jury_and_it_says_who(material, tmp_path):
    item_sets, files = material
    failures.mark([tmp_path / "gone.jsonl"], "no weights")
    files["b", "bench"] = VerdictFile(tmp_path / "gone.jsonl", "bench")
    rows, records = suite_rows(JURY, {"bench": [], "other": []}, item_sets, files, seed=1)
    assert rows[0] == failures.row("bench", "member b: no weights") and "bench" not in records
    assert len(rows) == 81 and len(records["other"]) == 2  # the other benchmark is judged


def test_a_development_set_with_a_prompt_that_is_judged_is_refused():
    items = item_set("bench")
    with pytest.raises(
        JudgemergeError, match="development set 'part' has 5 of the prompts of 'bench', which is judged"
    ):
        fits(items, {"part": item_set("part", 30, 20)}, seed=1)


def test_halves_divide_whole_prompts():
    first, second = halves(item_set("bench"), seed=1)
    assert not {item.cluster for item in first} & {item.cluster for item in second}
    assert len(first) == len(second) == 20 and first != halves(item_set("bench"), seed=2)[0]
