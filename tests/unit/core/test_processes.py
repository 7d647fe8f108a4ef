import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

JOB = """
import sys
from judgemerge.core.processes import run_tool
run_tool([sys.executable, "-uc", sys.argv[1]], threads=1)
"""
ALONE = "import os, time; print(os.getpid()); time.sleep(60)"
# As torchrun starts its workers: in sessions of their own, which no signal to the tool reaches.
WITH_WORKER = (
    "import subprocess, sys, time;"
    f"subprocess.Popen([sys.executable, '-uc', {ALONE!r}], start_new_session=True); time.sleep(60)"
)


@pytest.mark.parametrize("tool", [ALONE, WITH_WORKER], ids=["alone", "with_worker"])
def test_a_job_that_is_ended_takes_its_tool_along(repository, tool):
    process = subprocess.Popen(
        [sys.executable, "-c", JOB, tool],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(repository / "scripts")},
    )
    pid = int(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    for _ in range(50):
        if not Path(f"/proc/{pid}").exists():
            return
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    pytest.fail("the tool, or what it has started, goes on without its job")
