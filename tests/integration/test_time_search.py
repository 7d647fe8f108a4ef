"""The measurement of merge searches, in small: both ways run, and what they write is compared."""

import json
import subprocess
import sys

import pytest

PAIRS = "import sys; sys.path.insert(0, sys.argv[1]); import time_search; time_search.write_pairs(*sys.argv[2:], 6)"


def run(*command: object) -> str:
    process = subprocess.run([sys.executable, *map(str, command)], capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    return process.stdout


@pytest.mark.slow
@pytest.mark.long
def test_trials_in_memory_and_as_jobs_are_timed_and_equal(repository, tmp_path):
    small = ["--models", "demo", "--methods", "linear", "--trials", "2", "--pairs", "4"]
    printed = run(repository / "benchmarks/time_search.py", "--folder", tmp_path, *small)
    (row,) = (line for line in printed.splitlines() if line.startswith("| demo, linear, 4 pairs |"))
    assert row.endswith("| values and verdicts equal |")
    each, in_memory = map(float, row.split(" | ")[1:3])
    assert each > in_memory > 0


@pytest.mark.slow
@pytest.mark.long
def test_real_pairs_are_half_of_llmbar_and_half_of_pandalm(repository, tmp_path, mirror):
    run("-c", PAIRS, repository / "benchmarks", tmp_path / "pairs.jsonl", mirror)
    items = [json.loads(line) for line in (tmp_path / "pairs.jsonl").read_text().splitlines()]
    assert [item["id"].split("/")[0] for item in items] == ["llmbar_natural"] * 3 + ["pandalm"] * 3
    assert all(len(item["responses"]) == 2 for item in items)
