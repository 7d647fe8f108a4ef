"""Where a job's messages go: everything into the log, one sentence to the terminal."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from judgemerge.core import locks, logs
from judgemerge.core.logs import logged

JOB = """
import os, sys, subprocess
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.logs import Progress, logged
from judgemerge.core.processes import run_tool

with logged("logs/job.log"):
    {body}
print("after", file=sys.stderr)
"""
TOOL = "import sys; print('to stdout'); print('to stderr', file=sys.stderr); sys.exit({code})"


@pytest.fixture
def job(tmp_path, repository):
    """Return a function that runs lines of code in `logged` and gives (exit code, standard error, log)."""

    def run(body):
        done = subprocess.run(
            [sys.executable, "-c", JOB.format(body=body)],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(repository / "scripts")},
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout == ""
        return done.returncode, done.stderr, (tmp_path / "logs" / "job.log").read_text(encoding="utf-8")

    return run


def test_an_error_of_ours_is_one_sentence_everywhere(job):
    assert job("raise JudgemergeError('study.yaml: ä is wrong; mend it')") == (
        1,
        "study.yaml: ä is wrong; mend it\n",
        "study.yaml: ä is wrong; mend it\n",
    )


def test_another_error_leaves_its_traceback_in_the_log(job):
    code, stderr, log = job("1 / 0")
    assert (code, stderr) == (1, "unexpected error, see logs/job.log\n")
    assert log.startswith("Traceback") and log.endswith("ZeroDivisionError: division by zero\n")


def test_messages_of_children_and_libraries_land_in_the_log(job):
    code, stderr, log = job(
        "print('ours', file=sys.stderr); os.write(2, b'a C library\\n'); os.system('echo child >&2')"
    )
    assert (code, stderr) == (0, "after\n")
    assert log.splitlines() == ["ours", "a C library", "child"]


def test_output_of_a_tool_lands_in_the_log(job):
    code, stderr, log = job(f"run_tool([sys.executable, '-c', {TOOL.format(code=0)!r}], threads=1)")
    assert (code, stderr) == (0, "after\n")
    assert sorted(log.splitlines()) == ["to stderr", "to stdout"]


def test_a_failing_tool_is_one_sentence_with_its_last_line(job):
    body = TOOL.format(code=3).replace("to stderr", "ValueError: no such file\\r10 %\\n")
    code, stderr, log = job(f"run_tool([sys.executable, '-u', '-c', {body!r}], threads=1)")
    name = os.path.basename(sys.executable)
    assert code == 1
    assert stderr == f"{name} ended with code 3: 10 %; the log holds the rest\n"
    assert "ValueError: no such file" in log and "Traceback" not in log


def test_a_missing_tool_is_named(job):
    code, stderr, _ = job("run_tool(['no-such-tool', 'x'], threads=1)")
    assert (code, stderr) == (
        1,
        "no-such-tool is not installed here; run `make venv`, or let Snakemake make it with --sdm conda\n",
    )


def test_a_tool_gets_its_threads_and_no_model_hub(job):
    child = "import os; print(os.environ['OMP_NUM_THREADS'], os.environ['HF_HUB_OFFLINE'], os.environ['MINE'])"
    assert job(f"run_tool([sys.executable, '-c', {child!r}], threads=3, MINE='yes')")[2] == "3 1 yes\n"


def test_a_second_run_appends_to_the_log(job):
    job("print('one', file=sys.stderr)")
    assert job("print('two', file=sys.stderr)")[2] == "one\ntwo\n"


def test_progress_goes_to_the_log_and_not_to_a_pipe(job):
    body = "show = Progress('prompts'); [show(done, 9) for done in range(10)]"
    assert job(body) == (0, "after\n", "0 of 9 prompts\n9 of 9 prompts\n")


@pytest.fixture
def start(tmp_path):
    """Return a function that starts a job which says when it begins and ends, and takes so many seconds.

    As Snakemake does, it removes the job's log before.
    """
    code = (
        "import os, sys, time; from judgemerge.core.logs import logged\n"
        "out = os.fdopen(os.dup(1), 'w', buffering=1)\n"
        "with logged(sys.argv[1]):\n"
        "    print('begins', time.monotonic(), file=out)\n"
        "    time.sleep(float(sys.argv[2])); print('ends', time.monotonic(), file=out)"
    )
    environment = os.environ | {"PYTHONPATH": str(Path(logs.__file__).parents[2])}

    def begin(seconds):
        (tmp_path / "job.log").unlink(missing_ok=True)
        command = [sys.executable, "-c", code, str(tmp_path / "job.log"), str(seconds)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    return begin


WAITING = "job.log: the same job of a run that was killed is still at work; waiting for it\n"


def test_the_same_job_of_a_killed_run_is_waited_for(start):
    """A job that outlived its Snakemake goes on; started again, the job waits until the first one is over."""
    first = start(2)
    assert first.stdout.readline().startswith("begins")
    second = start(0)
    ended = float(first.communicate(timeout=60)[0].split()[-1])
    output, messages = second.communicate(timeout=60)
    assert float(output.split()[1]) >= ended and messages.endswith(WAITING)
    assert start(0).communicate(timeout=60)[1] == ""  # nobody is at work


def test_of_those_that_wait_the_last_one_goes_on(start, tmp_path):
    """Two runs killed one after the other: what the second one started must not touch what the third one's has made."""
    first = start(4)
    assert first.stdout.readline().startswith("begins")
    second = start(0)
    assert second.stderr.readline().endswith(WAITING)
    third = start(0)
    assert third.stderr.readline().endswith(WAITING)
    assert logs.is_being_written(tmp_path / "job.log")
    assert [job.wait(timeout=60) for job in (first, second, third)] == [0, 1, 0]
    assert second.stdout.read() == "" and third.stdout.read().startswith("begins")
    assert second.stderr.read().endswith("job.log: the same job was started again since, and is left to that run\n")
    assert not logs.is_being_written(tmp_path / "job.log")


def test_a_folder_without_locks_takes_jobs_all_the_same(tmp_path, monkeypatch):
    def none(*_):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(locks.fcntl, "flock", none)
    with logged(tmp_path / "job.log"):
        os.write(1, b"work\n")
    assert (tmp_path / "job.log").read_text() == "work\n"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EROFS, errno.EACCES, errno.EFBIG])
def test_a_disk_that_takes_no_more_is_one_sentence(tmp_path, capfd, number):
    with pytest.raises(SystemExit), logged(tmp_path / "job.log"):
        raise OSError(number, os.strerror(number), "results/few/tables")
    (line,) = {line for line in capfd.readouterr().err.splitlines() if "start again" in line}
    assert line.startswith("results/few/tables: ") and line.endswith(", then start again: what is done is kept")


def test_standard_output_lands_in_the_log_too_also_that_of_children(job):
    code, stderr, log = job("print('ours'); subprocess.run(['echo', 'of a child'])")
    assert (code, stderr, sorted(log.splitlines())) == (0, "after\n", ["of a child", "ours"])


def test_what_children_write_goes_on_to_the_log_and_is_remembered(job):
    code, stderr, log = job(
        """heard = __import__("judgemerge.core.logs").core.logs.Overheard()
    with heard.of_children():
        child = subprocess.Popen("echo one; sleep 0.3; echo two >&2", shell=True)
        kept = sys.stderr
    print("between", file=sys.stderr, flush=True)
    child.wait()
    assert heard.last_lines() == ["one", "two"] == heard.last_lines()
    print("said later", file=kept)
    assert heard.last_lines()[-1] == 'said later'"""
    )
    assert (code, stderr) == (0, "after\n"), stderr + log
    assert sorted(log.splitlines()) == ["between", "one", "said later", "two"]
