"""The measurements of one GPU, in small: everything runs, on a CPU too, and then no figure is called a GPU's."""

import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.long
def test_judging_and_training_are_measured_and_a_cpu_is_called_one(repository, mirror):
    command = [sys.executable, str(repository / "benchmarks" / "time_gpu.py"), "--mirror", str(mirror)]
    command += ["--size", "tiny", "--pairs", "2", "--tokens", "3", "--runs", "1", "--examples", "8"]
    process = subprocess.run(
        [*command, "--only", "judging", "training"],
        capture_output=True,
        text=True,
        timeout=600,
        env={"CUDA_VISIBLE_DEVICES": "", "PATH": "/usr/bin:/bin"},
    )
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    assert process.stdout.startswith("**No GPU here")
    rows = [line.split(" | ") for line in process.stdout.splitlines() if line.startswith(("| one", "| judgemerge"))]
    assert [int(row[1]) for row in rows] == [1, 1, 3, 3]
    assert all(row[-1] == "4 of 4 |" for row in rows[::2])  # in bfloat16 ours may differ, by the processor
    assert all(float(row[2]) > 0 for row in rows)
    assert "| LoRA of rank 8" in process.stdout
