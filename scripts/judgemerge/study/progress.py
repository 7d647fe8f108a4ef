"""How far a study is: its jobs as Snakemake announces them in dry runs; how far each is and why some failed, from logs.

How long the rest takes follows from what jobs of the same rule took, which their timings have.
"""

import re
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import advances, provenance
from judgemerge.core.logs import is_being_written

if TYPE_CHECKING:
    from judgemerge.study.plan import AnnouncedJob

STATES = ("done", "running", "failed", "left")
LONG_AGO = 60  # seconds since a job has said something, from which on that is told
# What Slurm says when it ends a job; the job itself cannot say it any more.
KILLED = re.compile(r"(error: .*(CANCELLED|DUE TO|exceeded|oom|OOM).*|.*Exceeded job memory limit.*)")


@dataclass(frozen=True)
class Job:
    """One job of a study: whether it is to do or begun and not finished, where it writes, what it asks for in all.

    A trial of a search has its name.
    """

    rule: str
    name: str
    to_do: bool
    begun: bool
    log: str | None
    timing: str | None
    threads: int = 1
    gpus: int = 0
    search: str = ""

    @classmethod
    def of(cls, job: "AnnouncedJob", due: "AnnouncedJob | None") -> "Job":
        """Return a job of the study from its announcement; `due` is its announcement where it is to run now."""
        begun = due is not None and "Incomplete output files" in due.reason
        name = "_".join(job.wildcards.values())
        search = job.wildcards["search"] if "trial" in job.wildcards else ""
        asks = job.threads_on_all_nodes, job.gpus
        return cls(job.rule, name, due is not None, begun, job.log, job.timing, *asks, search)


def state(job: Job, locked: bool, folder: str | Path = ".") -> str:
    """Return done, running, failed or left.

    Begun and unfinished is running while a Snakemake holds the lock of the folder, else failed: it was cut off.
    A job that is to do and whose log is newer than its timing, which only a success writes, is running while it holds
    its lock, else failed.
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


def last_words(path: str | Path, most: int = 8192) -> str:
    """Return the end of a log; "" without one."""
    path = Path(path)
    if not path.is_file():
        return ""
    with open(path, "rb") as file:
        file.seek(max(0, path.stat().st_size - most))
        return file.read().decode(errors="replace")


def last_line(path: str | Path) -> str:
    """Return the last line of a log that holds anything, the last redraw of a progress bar included; "" without one."""
    lines = last_words(path).replace("\r", "\n").splitlines()
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def how_far(log: Path) -> tuple[str, float]:
    """Return in words how far a running job is, by its log, and the seconds that it has left; "" and 0 if unknown."""
    advance = advances.latest(last_words(log, 65536))
    if advance is None:
        return "", 0.0
    silent = time.time() - log.stat().st_mtime
    left = max(0.0, (advance.seconds_left or 0.0) - silent)
    ago = f" (it said so {advances.in_words(silent)} ago)" if silent > LONG_AGO else ""
    return advance.words() + ago, left


def killed_by(job: Job, slurm_logs: str | Path) -> str:
    """Return what Slurm's newest log of the job says about its end, with the log's path; "" when it says nothing."""
    logs = Path(slurm_logs, f"rule_{job.rule}", job.name.replace("/", "_")).glob("*.log")
    newest = max(logs, key=lambda path: path.stat().st_mtime, default=None)
    end = KILLED.search(newest.read_text(encoding="utf-8", errors="replace")) if newest else None
    return f"{newest}: {end.group(0).strip()}" if end else ""


def report(study: str, jobs: Iterable[Job], locked: bool, folder: str | Path = ".") -> list[str]:
    """Return the lines of `make status`.

    The sum, a table per rule, searches, running jobs with how far they are, failed ones with their log's last line, and
    how long the rest takes.
    """
    states = [(job, state(job, locked, folder)) for job in jobs]
    lines = [f"{study}: {_counts(states)}"]
    lines.append(f"  {'rule':<18}" + "".join(f"{name:>9}" for name in STATES))
    for rule in dict.fromkeys(job.rule for job, _ in states):
        counts = Counter(name for job, name in states if job.rule == rule)
        lines.append(f"  {rule:<18}" + "".join(f"{counts[name] or '':>9}" for name in STATES))
    for search in dict.fromkeys(job.search for job, _ in states if job.search):
        trials = [(job, name) for job, name in states if job.search == search]
        lines.append(f"search {search}: {len(trials)} trials, {_counts(trials)}")
    for name, lines_of in (("running", _running_lines), ("failed", _failed_lines)):
        lines += [line for job, of_job in states if of_job == name for line in lines_of(job, folder)]
    lines += rest_lines(states, folder)
    if locked:
        lines.append(
            "A Snakemake holds the lock of this folder. If none runs any more: docs/cluster.md, 'After kill -9'."
        )
    return lines


def _counts(states: Sequence[tuple[Job, str]]) -> str:
    total = Counter(name for _, name in states)
    return ", ".join(f"{total[name]} {name}" for name in STATES)


def _running_lines(job: Job, folder: str | Path) -> Iterator[str]:
    """Yield what is said of a running job: how far it is, else the last line of its log."""
    log = Path(folder, job.log) if job.log else None
    words = how_far(log)[0] if log and log.exists() else ""
    name = f"running {job.rule} {job.name}".rstrip()
    yield f"{name}: {words}" if words else name
    if not words:
        yield f"  {job.log}: {(log and last_line(log)) or 'nothing in it yet'}"


def _failed_lines(job: Job, folder: str | Path) -> Iterator[str]:
    """Yield what is said of a failed job: the last line of its log, and what ended it."""
    yield f"failed {job.rule} {job.name}".rstrip()
    yield f"  {job.log}: {(job.log and last_line(Path(folder, job.log))) or 'nothing in it yet'}"
    if reason := killed_by(job, Path(folder, ".snakemake", "slurm_logs")):
        yield f"  {reason}"


def rest_lines(states: Sequence[tuple[Job, str]], folder: str | Path = ".") -> Iterator[str]:
    """Yield how long what is to do takes, one job after another, by what jobs of the same rules took on average.

    A job that is to run again has a timing of its own. Rules of which no job has finished yet are named.
    """
    seconds, taken = 0.0, defaultdict(list)
    for job, _ in states:
        if job.timing and (of_job := provenance.seconds_of(Path(folder, job.timing))) is not None:
            taken[job.rule].append(of_job)
    unknown: Counter[str] = Counter()
    for job, name in states:
        mean = sum(taken[job.rule]) / len(taken[job.rule]) if taken[job.rule] else None
        if name == "running" and job.log and Path(folder, job.log).exists():
            seconds += how_far(Path(folder, job.log))[1] or (mean or 0.0) / 2
        elif name != "done" and mean is None:
            unknown[job.rule] += 1
        elif name != "done":
            seconds += mean
    if seconds:
        yield f"The rest takes about {advances.in_words(seconds)}, one job after another{_besides(unknown)}."


def _besides(unknown: Counter[str]) -> str:
    jobs = ", ".join(f"{rule} ({n})" for rule, n in unknown.items())
    return f"; besides, of rules that have finished no job yet: {jobs}" if jobs else ""
