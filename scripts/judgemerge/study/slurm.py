"""Whether SLURM is there."""

import subprocess

SILENT = (
    "SLURM's controller does not answer (`scontrol ping`), so nothing can be submitted now; Snakemake's plugin for "
    "SLURM waits ten seconds for it at every start."
)


def controller_answers(seconds: float = 2) -> bool | None:
    """Return whether the controller answers in time; None where SLURM is not installed."""
    try:
        return subprocess.run(["scontrol", "ping"], capture_output=True, timeout=seconds).returncode == 0
    except FileNotFoundError:
        return None
    except subprocess.TimeoutExpired:
        return False
