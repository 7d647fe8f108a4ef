"""Paths of a study, from patterns and from a job's wildcards."""

import pytest

from judgemerge.study import layout
from judgemerge.study.layout import ITEMS, REPLIES, Layout, of

PATHS = Layout("mine")


def test_a_pattern_takes_its_values_in_order():
    assert PATHS.path(REPLIES, "direct", "english") == "results/mine/replies/direct/english.jsonl"


def test_a_missing_value_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        PATHS.path(REPLIES, "direct")


def test_each_takes_names_and_tuples():
    assert PATHS.each(ITEMS, ["a", "b"]) == ["results/mine/items/a.jsonl", "results/mine/items/b.jsonl"]
    assert PATHS.each(REPLIES, [("j", "s")]) == ["results/mine/replies/j/s.jsonl"]


def test_inputs_follow_from_the_wildcards_of_a_job():
    benchmarks = {("j", "s"): ["a", "b"]}
    function = PATHS.inputs(ITEMS, lambda judge, suite: benchmarks[judge, suite], "judge", "suite")
    assert function({"suite": "s", "judge": "j"}) == PATHS.each(ITEMS, ["a", "b"])


def test_a_parameter_follows_from_the_wildcards_of_a_job():
    assert of(lambda benchmark: len(benchmark), "benchmark")({"benchmark": "abc"}) == 3


def test_no_two_patterns_are_the_same():
    patterns = [value for name, value in vars(layout).items() if name.isupper() and isinstance(value, str)]
    assert len(patterns) == len(set(patterns))


def test_a_raw_file_lies_among_the_results_or_where_its_path_says():
    assert Layout("demo").raw_files(["rows", "my/rows.jsonl"], {"rows": 1}) == [
        "results/demo/sources/rows",
        "my/rows.jsonl",
    ]
