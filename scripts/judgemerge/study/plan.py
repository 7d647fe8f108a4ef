"""What a run asks the cluster for, printed before anything is submitted: from the jobs that Snakemake announces.

Snakemake's log events are those of its interface for logger plugins; a handler of Python's own `logging` receives them.
"""

import logging
import re
import sys
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgemerge.study import slurm
from judgemerge.study.resources import Needs

LOCAL_RULES = re.compile(r"(?m)^localrules:\n((?:    .*\n)+)")


def local_rules(files: Iterable[str | Path]) -> set[str]:
    """Return the rules that rule files keep out of the queue; a dry run itself counts every rule as local."""
    blocks = (block for file in files for block in LOCAL_RULES.findall(Path(file).read_text(encoding="utf-8")))
    return {name for block in blocks for name in re.findall(r"\w+", block)}


@dataclass(frozen=True)
class Request:
    """What one job of a plan asks the cluster for, on all its nodes; memory is per node, `minutes` the time limit.

    `expected` are the minutes that it is thought to take, None where nothing but the limit is known; `unknown` are the
    item sets whose sizes were guessed, `checkpoint` the minutes until a training's first checkpoint.
    """

    rule: str
    gpus: int
    threads: int
    minutes: int
    mem_mb: int
    expected: int | None = None
    unknown: tuple[str, ...] = ()
    checkpoint: int | None = None


def gpus_asked(resources: Mapping) -> int:
    """Return the GPUs in a job's resources, asked for as `gpu: 2` or, on each of its nodes, as `gres: gpu:a100:2`."""
    kind, *rest = str(resources.get("gres") or "").split(":")
    if kind == "gpu":
        return (int(rest[-1]) if rest and rest[-1].isdigit() else 1) * int(resources.get("nodes") or 1)
    return int(resources.get("gpu") or 0)


@dataclass(frozen=True)
class AnnouncedJob:
    """One job as Snakemake announces it: what it is, where it writes, what it asks for, why it has to run."""

    rule: str
    wildcards: Mapping[str, str]
    resources: Mapping[str, Any]
    threads: int
    log: str | None = None
    timing: str | None = None
    reason: str = ""

    @property
    def gpus(self) -> int:
        """Return the GPUs that it asks for."""
        return gpus_asked(self.resources)

    @property
    def threads_on_all_nodes(self) -> int:
        """Return the threads that it asks for; Snakemake counts those of one node."""
        return self.threads * (self.resources.get("nodes") or 1)


class JobCollector(logging.Handler):
    """Collects the jobs that Snakemake announces."""

    def __init__(self):
        super().__init__()
        self.jobs: list[AnnouncedJob] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Add the job of a record that announces one."""
        if getattr(record, "event", None) == "job_info":
            log = next(iter(record.log), None)
            self.jobs.append(
                AnnouncedJob(
                    record.rule_name,
                    dict(record.wildcards or {}),
                    record.resources,
                    record.threads,
                    log,
                    record.benchmark,
                    record.reason,
                )
            )


class PlanPrinter(JobCollector):
    """Prints the plan of a dry run at its end: of jobs for a cluster, or of jobs that ask for GPUs."""

    def __init__(self, needs: Needs, local: Container[str], on_cluster: bool):
        super().__init__()
        self.needs, self.local, self.on_cluster = needs, local, on_cluster

    def emit(self, record: logging.LogRecord) -> None:
        """Collect jobs; print when Snakemake gives the statistics of a dry run for the second time, after its jobs."""
        super().emit(record)
        if getattr(record, "event", None) == "run_info" and self.jobs:
            print(*self.lines(self.jobs), sep="\n", file=sys.stderr)
            self.jobs = []
            if self.on_cluster and slurm.controller_answers() is False:
                print(slurm.SILENT, file=sys.stderr)

    def lines(self, jobs: Iterable[AnnouncedJob]) -> list[str]:
        """Return the lines of the plan, none where there is no queue and no GPU."""
        requests = [self._request(job) for job in jobs if job.rule not in self.local]
        is_shown = requests and (self.on_cluster or any(request.gpus for request in requests))
        return plan_lines(requests) if is_shown else []

    def _request(self, job: AnnouncedJob) -> Request:
        """Return what one job asks for, and what it is expected to take."""
        need = self.needs.of_job(job.rule, job.wildcards)
        expected = (need.expected, need.unknown, need.checkpoint) if need else ()
        resources = job.resources
        return Request(
            job.rule, job.gpus, job.threads_on_all_nodes, resources["runtime"], resources["mem_mb"], *expected
        )


def of_snakemake(jobs: Iterable[Any]) -> Iterator[AnnouncedJob]:
    """Return Snakemake's jobs, which a run hands to its start hook, in the form in which a dry run announces them."""
    return (AnnouncedJob(job.rule.name, job.wildcards_dict, job.resources, job.threads) for job in jobs)


def plan_lines(jobs: Iterable[Request]) -> list[str]:
    """Return the plan for people: the sum of all time limits and what is expected, then the jobs of every rule.

    Where the sizes of item sets are not known, no sum is an upper bound, and the sets are named.
    """
    jobs = list(jobs)
    unknown = sorted({name for job in jobs for name in job.unknown})
    total = _hours((job, job.minutes) for job in jobs)
    lines = [f"This plan asks for {'at least' if unknown else 'at most'} {total} in {len(jobs)} jobs:"]
    if any(job.expected for job in jobs):
        about = _hours((job, min(job.expected or job.minutes, job.minutes)) for job in jobs if not job.unknown)
        left_out = ", without the jobs on sets of unknown size" if unknown else ""
        lines.append(f"  expected are {about}{left_out}; limits allow for twice the work, and more at another attempt")
    if unknown:
        sets = ", ".join(unknown)
        lines.append(f"  not known is the size of {sets}; give `about: <items>` in config/benchmarks.yaml")
    beyond = sorted({job.rule for job in jobs if not job.unknown and (job.expected or 0) > job.minutes})
    if beyond:
        lines.append(f"  {', '.join(beyond)}: longer than longest_job; attempts go on at the last checkpoint")
    late = [job for job in jobs if job.checkpoint and job.checkpoint > job.minutes < (job.expected or 0)]
    if late:
        first = max(job.checkpoint for job in late)
        lines.append(
            f"  {late[0].rule}: the first checkpoint comes after {first} min, so late that none may; lower save_steps"
        )
    for rule in dict.fromkeys(job.rule for job in jobs):
        of_rule = [job for job in jobs if job.rule == rule]
        lines.append(
            f"  {rule:<16} {len(of_rule):>4} jobs  {_span(job.gpus for job in of_rule)} GPUs  "
            f"{_span(job.threads for job in of_rule)} CPUs  {_span(job.mem_mb for job in of_rule)} MB  "
            f"{_span(job.minutes for job in of_rule)} min"
        )
    return lines


def _hours(jobs: Iterable[tuple[Request, int]]) -> str:
    """Return GPU and CPU hours of (job, minutes)."""
    jobs = list(jobs)
    gpus, cpus = (sum(getattr(job, unit) * minutes for job, minutes in jobs) / 60 for unit in ("gpus", "threads"))
    return f"{gpus:.1f} GPU hours and {cpus:.1f} CPU hours"


def _span(values: Iterable[int]) -> str:
    values = sorted(set(values))
    return f"{values[0]}" if len(values) == 1 else f"{values[0]}–{values[-1]}"
