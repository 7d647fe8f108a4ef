"""Whether SLURM is there, asked for a short time only."""

import time

import pytest

from judgemerge.study import slurm


@pytest.mark.parametrize(
    ("script", "answer"),
    [
        ("exit 0", True),
        ("echo 'Slurmctld(primary) at ghost is DOWN'; exit 1", False),
        ("exec sleep 30", False),
        (None, None),
    ],
)
def test_a_controller_answers_soon_or_not_at_all(script, answer, tmp_path, monkeypatch):
    if script:
        (tmp_path / "scontrol").write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "scontrol").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin" if script else str(tmp_path))
    start = time.monotonic()
    assert slurm.controller_answers(seconds=0.5) is answer
    assert time.monotonic() - start < 5
