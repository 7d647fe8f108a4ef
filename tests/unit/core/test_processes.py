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
run_tool([sys.executable, "-uc", "import os, time; print(os.getpid()); time.sleep(60)"], threads=1)
"""


def test_a_job_that_is_ended_takes_its_tool_along(repository):
    process = subprocess.Popen(
        [sys.executable, "-c", JOB],
        stderr=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(repository / "scripts")},
    )
    tool = int(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 128 + signal.SIGTERM
    for _ in range(50):
        if not Path(f"/proc/{tool}").exists():
            return
        time.sleep(0.1)
    os.kill(tool, signal.SIGKILL)
    pytest.fail("the tool goes on without its job")
