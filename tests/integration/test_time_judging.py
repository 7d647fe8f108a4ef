"""The measurement of judging, in small: engines answer in processes of their own, and their replies are compared."""

import re
import subprocess
import sys

import pytest


@pytest.mark.slow
@pytest.mark.long
def test_ways_of_judging_are_timed_and_write_the_same(repository, tiny_models):
    command = [sys.executable, str(repository / "benchmarks" / "time_judging.py"), "demo", "--runs", "1"]
    command += ["--model", str(tiny_models["base"])]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert process.returncode == 0, process.stdout[-2000:] + process.stderr[-2000:]
    (ours,) = re.findall(r"\| judgemerge \| ([\d.]+) \| ([\d.]+)× .* \| (\d+) of 120 equal \|", process.stdout)
    assert float(ours[0]) > 0 and float(ours[1]) > 1 and int(ours[2]) == 120
    assert len(re.findall(r"^\| (?:20|80|320) \| \d+ ", process.stdout, re.MULTILINE)) == 3


@pytest.mark.slow
@pytest.mark.long
def test_real_prompts_are_not_measured_without_any(repository):
    command = [sys.executable, str(repository / "benchmarks" / "time_judging.py"), "harness"]
    process = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert process.returncode == 2 and "real prompts need --mirror" in process.stderr
