"""A Snakemake that was killed leaves jobs behind; started again, nothing is made by two of them at once."""

import os
import signal
import subprocess
import sys
import time

import pytest

pytestmark = pytest.mark.slow

RULES = """
rule make:
    output: "made.txt"
    log: "logs/make.log"
    script: "make.py"
"""
SCRIPT = """
import time
from pathlib import Path
from judgemerge.core.logs import logged

with logged(snakemake.log[0]):
    part = Path("made.part")
    part.mkdir()  # which another one at work would have made
    with open("history.txt", "a") as history:
        print("begins", file=history, flush=True)
        time.sleep(4)
        part.rmdir()
        Path(snakemake.output[0]).write_text("made")
        print("ends", file=history)
"""


def test_a_job_that_outlived_its_snakemake_is_waited_for(tmp_path, repository):
    (tmp_path / "Snakefile").write_text(RULES)
    (tmp_path / "make.py").write_text(SCRIPT)
    history = tmp_path / "history.txt"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "--rerun-incomplete", "--nolock"]
    how = {"cwd": tmp_path, "env": os.environ | {"PYTHONPATH": str(repository / "scripts")}}
    first = subprocess.Popen(command, **how, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    end = time.monotonic() + 60
    while not (history.exists() and history.read_text()):
        assert first.poll() is None and time.monotonic() < end
        time.sleep(0.1)
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    second = subprocess.run(command, **how, capture_output=True, text=True, timeout=120)
    assert second.returncode == 0, second.stderr
    assert "logs/make.log: the same job of a run that was killed is still at work; waiting for it" in second.stderr
    assert history.read_text().split() == ["begins", "ends"] * 2 and (tmp_path / "made.txt").read_text() == "made"
