"""A benchmark that nobody has labelled is judged; every table of scores says that there is nothing to score."""

import json

import numpy as np
import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.data.benchmarks import load_items
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.score import score_benchmark
from judgemerge.evaluate.tables import bias_table, human_table
from judgemerge.judge.baselines import BASELINES
from judgemerge.settings.report import Statistics

FEW = Statistics(resamples=100)


def entry(protocol, **options):
    responses = ["a", "b"] if protocol == "pairwise" else ["a"]
    return {
        "loader": "jsonl", "protocol": protocol, "description": "d", "truth": "none", "sources": {"rows": "x"},
        "options": {"fields": {"prompt": "task", "responses": responses, "category": "topic"}, **options},
    }  # fmt: skip


@pytest.fixture
def rows(tmp_path):
    path = tmp_path / "rows.jsonl"
    lines = [{"task": f"t{n % 4}", "a": "x" * n, "b": "y" * 5, "topic": "ab"[n % 2]} for n in range(12)]
    path.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
    return {"rows": path}


def test_items_without_a_truth_stay_only_where_the_entry_says_so(rows):
    items, counts = load_items("duel", entry("pairwise", unlabelled=True), rows)
    assert len(items) == 12
    assert counts["without_truth"] == 12
    assert {item.truth for item in items} == {None}
    with pytest.raises(JudgemergeError, match="say `unlabelled: true` under options"):
        load_items("duel", entry("pairwise"), rows)


@pytest.mark.parametrize("protocol", ["pairwise", "pointwise"])
def test_tables_of_scores_say_that_there_is_nothing_to_score(rows, protocol):
    items, _ = load_items("duel", entry(protocol, unlabelled=True), rows)
    verdicts = {name: list(judge(items, 1)) for name, judge in BASELINES.items()}
    assert all(len(some) == (24 if protocol == "pairwise" else 12) for some in verdicts.values())
    scores = score_benchmark(items, verdicts, FEW)
    assert set(scores.note) == {"no item has a gold label"}
    assert np.isnan(scores.value).all()
    assert set(scores.n) == {0}
    for table in (
        compare_benchmark(items, verdicts, FEW),
        human_table(items, verdicts, FEW),
        bias_table(items, verdicts, {}, FEW),
    ):
        number = "difference" if "difference" in table else "value"
        assert not np.isfinite(table[number].astype(float)).any()


def test_a_part_with_votes_is_scored_and_the_rest_is_not(rows):
    lines = rows["rows"].read_text(encoding="utf-8").splitlines()
    voted = [json.dumps(json.loads(line) | {"who": "first" if n < 6 else None}) for n, line in enumerate(lines)]
    rows["rows"].write_text("\n".join(voted), encoding="utf-8")
    described = entry("pairwise", unlabelled=True)
    described["options"]["fields"]["votes"] = ["who"]
    items, counts = load_items("duel", described, rows)
    assert counts["without_truth"] == 6
    verdicts = {"longer": list(BASELINES["longer"](items, 1))}
    scores = score_benchmark(items, verdicts, FEW)
    assert set(scores.n) == {6}
