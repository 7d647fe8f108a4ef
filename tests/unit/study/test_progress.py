"""`make status`: which jobs are done, running, failed and left, and why some failed."""

import contextlib
import fcntl
import os
import time

import pytest

from judgemerge.core.logs import lock_of
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


def test_a_job_that_holds_its_lock_is_running(job, tmp_path):
    begun = job(log=7, timing=6)
    with open(lock_of(tmp_path / "log"), "ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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


@pytest.fixture
def running(tmp_path):
    """Return a function: a job that is at work, in whose log a text stands."""

    def begin(text, name="log", **fields):
        (tmp_path / name).write_text(text, encoding="utf-8")
        lock = os.open(lock_of(tmp_path / name), os.O_RDWR | os.O_CREAT)
        closing.callback(os.close, lock)
        fcntl.flock(lock, fcntl.LOCK_EX)
        return Job("train", name, True, True, name, None, **fields)

    with contextlib.ExitStack() as closing:
        yield begin


def test_running_jobs_say_how_far_they_are(running, tmp_path):
    judging = running("loading\n64 of 120 prompts, about 27 s left\n", "a")
    training = running("{'loss': '0.25', 'epoch': '1'}\r 30%|## | 30/94 [00:10<01:40, 3it/s]", "b")
    other = running("copying\n", "c")
    lines = progress.report("demo", [judging, training, other], True, tmp_path)
    assert "running train a: 64 of 120 prompts, about 27 s left" in lines
    assert "running train b: 30 of 94 steps, loss 0.25, about 2 min left" in lines
    assert lines[lines.index("running train c") + 1] == "  c: copying"
    assert "The rest takes about 2 min, one job after another." in lines


def test_a_job_that_has_said_nothing_for_long_is_told(running, tmp_path):
    silent = running("64 of 120 prompts, about 27 s left\n", "a")
    hour_ago = time.time() - 3600
    os.utime(tmp_path / "a", (hour_ago, hour_ago))
    (line,) = [line for line in progress.report("demo", [silent], True, tmp_path) if line.startswith("running")]
    assert line.endswith("(it said so 60 min ago)")


def test_the_rest_takes_what_jobs_of_the_same_rule_took(tmp_path):
    for name, seconds in (("a", 100), ("b", 200)):
        (tmp_path / name).write_text(f"s\th:m:s\n{seconds}\t0:00:01\n", encoding="utf-8")
    done = [Job("judge", name, False, False, None, name) for name in "ab"]
    left = [Job("judge", name, True, False, None, name) for name in "cd"]
    lines = progress.report("demo", [*done, *left, Job("merge", "x", True, False, None, None)], False, tmp_path)
    assert lines[-1] == (
        "The rest takes about 5 min, one job after another; besides, of rules that have finished no job yet: merge (1)."
    )
    assert not [line for line in progress.report("demo", done, False, tmp_path) if "The rest" in line]


def test_a_search_tells_its_trials(tmp_path):
    trials = [Job("train_trial", f"rank_{n}", n > 1, False, None, None, search="rank") for n in range(5)]
    lines = progress.report("demo", trials, False, tmp_path)
    assert "search rank: 5 trials, 2 done, 0 running, 0 failed, 3 left" in lines
