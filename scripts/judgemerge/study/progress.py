"""How far a study is: its jobs as Snakemake announces them in dry runs, and why some failed, from their logs."""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core.logs import is_being_written

if TYPE_CHECKING:
    from judgemerge.study.plan import AnnouncedJob

STATES = ("done", "running", "failed", "left")
# What Slurm says when it ends a job; the job itself cannot say it any more.
KILLED = re.compile(r"(error: .*(CANCELLED|DUE TO|exceeded|oom|OOM).*|.*Exceeded job memory limit.*)")


@dataclass(frozen=True)
class Job:
    """One job of a study: whether it is to do or begun and not finished, where it writes, what it asks for in all."""

    rule: str
    name: str
    to_do: bool
    begun: bool
    log: str | None
    timing: str | None
    threads: int = 1
    gpus: int = 0

    @classmethod
    def of(cls, job: "AnnouncedJob", due: "AnnouncedJob | None") -> "Job":
        """Return a job of the study from its announcement; `due` is its announcement where it is to run now."""
        begun = due is not None and "Incomplete output files" in due.reason
        name = "_".join(job.wildcards.values())
        return cls(job.rule, name, due is not None, begun, job.log, job.timing, job.threads_on_all_nodes, job.gpus)


def state(job: Job, locked: bool, folder: str | Path = ".") -> str:
    """Return done, running, failed or left.

    Begun and unfinished is running while a Snakemake holds the lock of the folder, else failed: it was cut off.
    A job that is to do and whose log is newer than its timing, which only a success writes, is running while somebody
    holds its log, else failed.
    """
    if not job.to_do:
        return "done"
    if job.begun:
        return "running" if locked else "failed"
    log, timing = (path and Path(folder, path) for path in (job.log, job.timing))
    if not log or not log.exists():
        return "left"
    succeeded = timing and timing.exists() and timing.stat().st_mtime >= log.stat().st_mtime
    if succeeded:
        return "left"
    return "running" if is_being_written(log) else "failed"


def last_line(path: str | Path) -> str:
    """Return the last line of a log that holds anything, the last redraw of a progress bar included; "" without one."""
    path = Path(path)
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - 8192))
        lines = file.read().decode(errors="replace").replace("\r", "\n").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def killed_by(job: Job, slurm_logs: str | Path) -> str:
    """Return what Slurm's newest log of the job says about its end, with the log's path; "" when it says nothing."""
    logs = Path(slurm_logs, f"rule_{job.rule}", job.name.replace("/", "_")).glob("*.log")
    newest = max(logs, key=lambda path: path.stat().st_mtime, default=None)
    end = KILLED.search(newest.read_text(encoding="utf-8", errors="replace")) if newest else None
    return f"{newest}: {end.group(0).strip()}" if end else ""


def report(study: str, jobs: Iterable[Job], locked: bool, folder: str | Path = ".") -> list[str]:
    """Return the lines of `make status`: the sum, a table per rule, then every failed job with its log's last line."""
    states = [(job, state(job, locked, folder)) for job in jobs]
    total = Counter(name for _, name in states)
    lines = [f"{study}: " + ", ".join(f"{total[name]} {name}" for name in STATES)]
    lines.append(f"  {'rule':<18}" + "".join(f"{name:>9}" for name in STATES))
    for rule in dict.fromkeys(job.rule for job, _ in states):
        counts = Counter(name for job, name in states if job.rule == rule)
        lines.append(f"  {rule:<18}" + "".join(f"{counts[name] or '':>9}" for name in STATES))
    for job, name in states:
        if name in ("failed", "running"):
            log = job.log and Path(folder, job.log)
            lines.append(f"{name} {job.rule} {job.name}".rstrip())
            lines.append(f"  {job.log}: {(log and last_line(log)) or 'nothing in it yet'}")
            reason = killed_by(job, Path(folder, ".snakemake", "slurm_logs")) if name == "failed" else ""
            lines += [f"  {reason}"] if reason else []
    if locked:
        lines.append(
            "A Snakemake holds the lock of this folder. If none runs any more: docs/cluster.md, 'After kill -9'."
        )
    return lines
