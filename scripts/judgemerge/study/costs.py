"""What a study has cost: hours per rule, reserved on CPUs and GPUs, from its timings."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from judgemerge.study.progress import Job


class Cost(NamedTuple):
    """Jobs of a rule and their hours. These are reserved, not busy ones: times the threads and GPUs of each job."""

    rule: str
    jobs: int
    hours: float
    cpu_hours: float
    gpu_hours: float


def costs(timings: Iterable[Mapping], jobs: Iterable[Job], folder: str | Path) -> tuple[list[Cost], int]:
    """Return the cost of every rule, the most expensive first, then of all; and how many timings belong to no job.

    `timings` is what provenance.timings returns of `folder`: the last successful run of each job; failed attempts are
    not in there.
    """
    by_file = {str(Path(job.timing)): job for job in jobs if job.timing}
    runs = [(by_file.get(str(Path(folder, f"{timing['job']}.tsv"))), timing["seconds"] or 0.0) for timing in timings]
    of_study = [(job, seconds / 3600) for job, seconds in runs if job]
    rules = dict.fromkeys(job.rule for job, _ in of_study)
    rows = [_cost(rule, [(job, hours) for job, hours in of_study if job.rule == rule]) for rule in rules]
    rows.sort(key=lambda cost: (-cost.gpu_hours, -cost.cpu_hours))
    return [*rows, _cost("total", of_study)], len(runs) - len(of_study)


def _cost(rule: str, runs: list[tuple[Job, float]]) -> Cost:
    cpu_hours, gpu_hours = (sum(hours * getattr(job, unit) for job, hours in runs) for unit in ("threads", "gpus"))
    return Cost(rule, len(runs), sum(hours for _, hours in runs), cpu_hours, gpu_hours)
