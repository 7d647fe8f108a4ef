"""Say what a study has cost: hours per rule, as reserved on CPUs and GPUs, from its timings.

Example: python scripts/commands/show_costs.py --study config/studies/meld.yaml --config scale=tiny
"""

from collections.abc import Sequence
from pathlib import Path

import _package  # noqa: F401
from judgemerge.core import provenance
from judgemerge.core.errors import JudgemergeError
from judgemerge.study import resources
from study_options import list_jobs, run_command


def main(study_file: str, config: Sequence[str] = (), results: str = "results") -> str:
    """Return the table, the most expensive rule first."""
    study, jobs, _ = list_jobs(study_file, config)
    folder = Path(results, study, "timings")
    timings = provenance.timings(folder)
    if not timings:
        raise JudgemergeError(f"{folder}: nothing has run yet; start the study first")
    rows, n_others = resources.costs(timings, jobs, folder)
    lines = [f"{study}: what its results took (last successful run of each job)"]
    lines.append(f"  {'rule':<26}{'jobs':>6}{'hours':>10}{'CPU hours':>11}{'GPU hours':>11}")
    for row in rows:
        lines.append(f"  {row.rule:<26}{row.jobs:>6}{row.hours:>10.3f}{row.cpu_hours:>11.3f}{row.gpu_hours:>11.3f}")
    if n_others:
        lines.append(
            f"Left out: {n_others} timings of jobs that the study, with this --config, does not have (any more)."
        )
    return "\n".join(lines)


if __name__ == "__main__":
    run_command(__doc__, main)
