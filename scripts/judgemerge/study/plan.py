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
from judgemerge.study.resources import Asked, Needs, gpus_asked, plan_lines

LOCAL_RULES = re.compile(r"(?m)^localrules:\n((?:    .*\n)+)")


def local_rules(files: Iterable[str | Path]) -> set[str]:
    """Return the rules that rule files keep out of the queue; a dry run itself counts every rule as local."""
    blocks = (block for file in files for block in LOCAL_RULES.findall(Path(file).read_text(encoding="utf-8")))
    return {name for block in blocks for name in re.findall(r"\w+", block)}


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
        wanted = requests and (self.on_cluster or any(request.gpus for request in requests))
        return plan_lines(requests) if wanted else []

    def _request(self, job: AnnouncedJob) -> Asked:
        """Return what one job asks for, and what it is expected to take."""
        need = self.needs.of_job(job.rule, job.wildcards)
        expected = (need.expected, need.unknown, need.checkpoint) if need else ()
        resources = job.resources
        return Asked(job.rule, job.gpus, job.threads_on_all_nodes, resources["runtime"], resources["mem_mb"], *expected)


def of_snakemake(jobs: Iterable[Any]) -> Iterator[AnnouncedJob]:
    """Return Snakemake's jobs, which a run hands to its start hook, in the form in which a dry run announces them."""
    return (AnnouncedJob(job.rule.name, job.wildcards_dict, job.resources, job.threads) for job in jobs)
