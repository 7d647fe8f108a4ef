"""The short torture: a small study killed four times. `make torture` does the long one."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.long
def test_a_study_that_is_killed_four_times_comes_out_the_same(repository, tmp_path):
    command = [sys.executable, str(repository / "benchmarks" / "torture.py"), "--folder", str(tmp_path / "torture")]
    command += ["--study", str(repository / "benchmarks" / "torture_short.yaml")]
    command += ["--write", str(tmp_path / "torture.md"), "--runs", "4", "--chains", "1", "--more", "0", "--seed", "3"]
    command += ["--kinds", "judge_suite", "score_benchmark", "parse_replies"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=1200)
    assert process.returncode == 0, process.stdout[-3000:] + process.stderr[-2000:]
    *moments, summary = [json.loads(line) for line in process.stdout.splitlines() if line.startswith("{")]
    assert summary["complaints"] == [], summary
    # A run may be over before the last moment comes: how many were killed depends on the machine.
    assert 2 <= len(moments) == summary["kills"] <= 4
    assert [moment for moment in moments if moment["kind"] == "judge_suite"]
    assert (tmp_path / "torture.md").read_text(encoding="utf-8").count("| same |") == len(moments)
