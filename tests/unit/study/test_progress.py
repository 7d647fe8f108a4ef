"""`make status`: which jobs are done, running, failed and left, and why some failed."""

import fcntl
import os

import pytest

from judgemerge.study import progress
from judgemerge.study.progress import Job


@pytest.fixture
def job(tmp_path):
    """Return a function: a job whose log and timing were written at these times, None for not at all."""

    def build(log=None, timing=None, text="", **fields):
        for name, when in (("log", log), ("timing", timing)):
            if when is not None:
                (tmp_path / name).write_text(text, encoding="utf-8")
                os.utime(tmp_path / name, (when, when))
        return Job(
            **{"rule": "train", "name": "a_b", "to_do": True, "begun": False, "log": "log", "timing": "timing"} | fields
        )

    return build


@pytest.mark.parametrize(
    ("fields", "locked", "state"),
    [
        ({"to_do": False}, False, "done"),
        ({}, True, "left"),
        ({"begun": True}, True, "running"),
        ({"begun": True}, False, "failed"),  # cut off by a kill
        ({"log": 5}, False, "failed"),
        ({"log": 5, "timing": 6}, False, "left"),  # succeeded once, and has to run again
        ({"log": 7, "timing": 6}, False, "failed"),  # succeeded once, then failed
    ],
)
def test_states(job, tmp_path, fields, locked, state):
    assert progress.state(job(**fields), locked, tmp_path) == state


def test_a_job_that_holds_its_log_is_running(job, tmp_path):
    begun = job(log=7, timing=6)
    with open(tmp_path / "log", "ab") as log:
        fcntl.flock(log, fcntl.LOCK_EX)
        assert progress.state(begun, True, tmp_path) == "running"
    assert progress.state(begun, True, tmp_path) == "failed"


@pytest.mark.parametrize(
    ("text", "line"),
    [("", ""), ("a\nb\n\n", "b"), ("10 %\r20 %\r", "20 %"), ("x" * 9000 + "\nlast", "last")],
)
def test_the_last_line_of_a_log(tmp_path, text, line):
    (tmp_path / "log").write_text(text, encoding="utf-8")
    assert progress.last_line(tmp_path / "log") == line
    assert progress.last_line(tmp_path / "absent") == ""


def test_the_report_names_failed_jobs_with_their_last_words(job, tmp_path):
    logs = tmp_path / ".snakemake" / "slurm_logs" / "rule_train" / "a_b"
    logs.mkdir(parents=True)
    (logs / "7.log").write_text("x\nslurmstepd: error: *** JOB 7 ON n CANCELLED AT 2026 DUE TO TIME LIMIT ***\n")
    failed = job(log=5, text="loading\nstep 3\n")
    other = Job("merge", "c", False, False, "merge.log", None)
    lines = progress.report("demo", [failed, other], False, tmp_path)
    assert lines[0] == "demo: 1 done, 0 running, 1 failed, 0 left"
    assert "failed train a_b" in lines
    assert "  log: step 3" in lines
    assert lines[-1].endswith("DUE TO TIME LIMIT ***") and "7.log" in lines[-1]
    assert "lock" in progress.report("demo", [other], True, tmp_path)[-1]
