"""Kills a running study again and again, lets it go on, and compares what comes out with an undisturbed run.

    python benchmarks/torture.py [--folder FOLDER] [--runs 50] [--seed 1] [--chains 2] [--more 6] [--write FILE]

Works in a copy of the workflow in --folder. First the study of benchmarks/torture.yaml runs undisturbed; then it runs
from nothing in as many *chains* as asked for, each killed (SIGKILL) at seeded moments and started again until it is
complete. Moments are spread over kinds of jobs: each waits for a job of its kind, then for a seeded share of the time
that such a job took undisturbed. What is killed, in turn:

    everything   every process of the run at once, as in a power cut
    job          the script of that one job with its children; Snakemake sees a failed job
    snakemake    Snakemake alone; its jobs live on while the study is started again
    mid-line     everything, while the store of replies has half a line: a file-size limit set on the judging process
                 (prlimit) makes the kernel cut its write a few bytes after the last whole line

Only processes that carry this run's own environment variable are ever signalled. Demanded of every chain: tables,
items, replies, verdicts and scores byte for byte as undisturbed; every line that a store held at any kill is there
in the end; no prompt stands twice in the stores of one model, and no more prompts than undisturbed.
"""

import argparse
import contextlib
import hashlib
import json
import os
import platform
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(HERE / "scripts"))

from judgemerge.core import files

PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "slurm")
STUDY = "torture"
MARK = "JUDGEMERGE_TORTURE"
SCRIPT = re.compile(r"\.snakemake/scripts/\w+?\.(\w+)\.py")
FINISHED = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)", re.MULTILINE)
PLANNED = re.compile(r"^total +(\d+)$", re.MULTILINE)
PLANNING = "planning"  # Snakemake has started, no job yet
WAITS = ("everything", "job", "everything", "snakemake", "everything")
# What has to come out byte for byte; replies' times are beside them and differ of course.
COMPARED = (
    "tables/*.csv",
    "tables/*.html",
    "items/*.jsonl",
    "replies/*/*.jsonl",
    "verdicts/*/*.jsonl",
    "scores/*.csv",
    "figures/*.svg",
)


@dataclass
class Moment:
    """One kill and what became of it."""

    kind: str
    victim: str
    share: float  # of the time that such a job takes
    number: int = 0
    chain: int = 0
    running: list[str] = field(default_factory=list)
    seconds: float = 0.0  # from the start of Snakemake to the kill
    lines: int = 0  # whole lines in all stores right after it
    torn: bool = False  # a store ended in half a line
    jobs_left: int | None = None  # jobs that the next start planned
    again: float | None = None  # seconds of that start, until it was killed in turn or complete
    result: str = ""


def copy_workflow(folder: Path, study: Path) -> None:
    """Put a fresh copy of the workflow, without results, into `folder`, with the study to be killed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PARTS:
        source = HERE / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True)
        else:
            shutil.copy(source, folder / name)
    shutil.copy(study, folder / "torture.yaml")


class Run:
    """One start of Snakemake in a session of its own, with every process that belongs to it."""

    def __init__(self, folder: Path, token: str, log: Path, cores: int):
        """Start it; `token` marks its processes by an environment variable."""
        self.token = f"{MARK}={token}".encode()
        environment = os.environ | {
            MARK: token,
            "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
            "PYTHONDONTWRITEBYTECODE": "1",
        }
        environment.pop("JUDGEMERGE_MIRROR", None)
        self.log = log
        arguments = ["--cores", str(cores), "--rerun-incomplete", "--configfile", "torture.yaml"]
        unlock = [sys.executable, "-m", "snakemake", "--unlock", "--configfile", "torture.yaml"]
        if any((folder / ".snakemake" / "locks").glob("*")):
            subprocess.run(unlock, cwd=folder, env=environment, capture_output=True, timeout=300, check=True)
        self.start = time.monotonic()
        with open(log, "wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "snakemake", *arguments],
                cwd=folder,
                env=environment,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def seconds(self) -> float:
        """Return how long ago it was started."""
        return time.monotonic() - self.start

    def text(self) -> str:
        """Return what Snakemake has printed so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def ours(self) -> dict[int, str]:
        """Return process → command line of everything that carries the token."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                if self.token in (folder / "environ").read_bytes().split(b"\0"):
                    found[int(folder.name)] = (
                        (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                    )
        return found

    def jobs(self) -> dict[int, str]:
        """Return process → script of the jobs that are running."""
        found = {}
        for pid, command in self.ours().items():
            match = SCRIPT.search(command)
            if match and "/sh " not in command and not command.startswith(("/bin/sh", "/usr/bin/bash", "bash")):
                found[pid] = match[1]
        return found

    def kill(self, pids) -> None:
        """Send SIGKILL to processes of ours."""
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def kill_everything(self) -> None:
        """Kill until nothing of ours is left (a process may be starting another one right now)."""
        while True:
            left = {pid for pid in self.ours() if not _is_dead(pid)}
            if not left:
                break
            self.kill(left)
            time.sleep(0.02)
        self.process.wait()

    def orphans(self) -> bool:
        """Return whether jobs outlive their Snakemake."""
        return any(not _is_dead(pid) for pid in self.ours())


def _is_dead(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def descendants(pid: int) -> list[int]:
    """Return a process and everything that it has started."""
    children: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parent = int(stat.read_text().rsplit(")", 1)[1].split()[1])
            children.setdefault(parent, []).append(int(stat.parent.name))
    found = [pid]
    for one in found:
        found += children.get(one, [])
    return found


def store_lines(results: Path) -> tuple[dict[str, Counter], bool]:
    """Return model → its stored lines with how often each stands there, and whether any file ends in half a line."""
    lines: dict[str, Counter] = {}
    torn = False
    for path in sorted((results / "store").glob("*/*.jsonl")):
        whole, _, rest = path.read_bytes().rpartition(b"\n")
        torn |= bool(rest)
        lines.setdefault(path.parent.name, Counter()).update(whole.splitlines())
    return lines, torn


def outcome(results: Path) -> dict[str, str]:
    """Return path → sha256 of everything that has to come out the same."""
    paths = sorted(path for pattern in COMPARED for path in results.glob(pattern))
    found = {str(path.relative_to(results)): files.sha256_file(path) for path in paths}
    for path in sorted((results / "models").glob("*.json")):
        found[f"models/{path.name}: digest"] = json.loads(path.read_text())["digest"]
    return found


def plan(kinds: list[str], n: int, rng: random.Random) -> list[Moment]:
    """Return n moments: every kind of job as often as any other (judging and training twice), one in eight mid-line."""
    long = [kind for kind in ("train_expert", "judge_suite", "merge_models", "make_model") if kind in kinds]
    rounds: list[str] = []
    while len(rounds) < n:
        batch = [*kinds, *long]
        rng.shuffle(batch)
        # The first of every round are the expensive kinds: a short test kills those.
        batch.sort(key=lambda kind: kind not in long)
        rounds += batch
    moments = [Moment(kind, WAITS[index % len(WAITS)], rng.random()) for index, kind in enumerate(rounds[:n])]
    judging = [moment for moment in moments if moment.kind == "judge_suite"]
    for moment in judging[::2]:
        moment.victim = "mid-line"
    return moments


def tear(run: Run, pid: int, results: Path) -> bool:
    """Let the kernel cut the next write of a judging process a few bytes after its last whole line; return whether."""

    opened = set()
    with contextlib.suppress(OSError):
        opened = {Path(os.readlink(link)) for link in Path(f"/proc/{pid}/fd").iterdir()}
    mine = next((path for path in (results / "store").glob("*/*.jsonl") if path.resolve() in opened), None)
    if mine is None:
        return False
    # The limit holds for every file of the process: its log must stay below.
    limit = mine.stat().st_size + 37
    if limit < 400 + max(path.stat().st_size for path in opened if path.suffix == ".log"):
        return False
    try:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (limit, resource.prlimit(pid, resource.RLIMIT_FSIZE)[1]))
    except OSError:
        return False
    while not _is_dead(pid):
        data = mine.read_bytes()
        if data and not data.endswith(b"\n"):
            break
        time.sleep(0.01)
    return True


def strike(run: Run, waiting: list[Moment], took: dict[str, float], results: Path) -> Moment | None:
    """Wait for a job of a kind that is still to be killed, then kill; None when the study is complete before.

    Jobs that end before say how long their kind takes now (`took`); where the machine is less busy, none would be hit.
    """
    seen: dict[int, tuple[str, float]] = {}
    planning = next((moment for moment in waiting if moment.kind == PLANNING), None)
    while run.process.poll() is None:
        now = run.seconds()
        jobs = run.jobs()
        if planning and not jobs and now > planning.share * took[PLANNING]:
            return _kill(run, planning, 0, jobs, results)
        if jobs and planning:
            planning, took[PLANNING] = None, (took[PLANNING] + now) / 2
        for pid in seen.keys() - jobs.keys():
            kind, start = seen.pop(pid)
            took[kind] = (took.get(kind, 1.0) + now - start) / 2
        for pid, kind in jobs.items():
            _, start = seen.setdefault(pid, (kind, now))
            moment = next((moment for moment in waiting if moment.kind == kind), None)
            # Judging is struck in mid-line where possible: when its store is open.
            if moment and now - start >= moment.share * took.get(kind, 1.0):
                done = _kill(run, moment, pid, jobs, results)
                if done:
                    return done
        time.sleep(0.05)
    return None


def _kill(run: Run, moment: Moment, pid: int, jobs: dict[int, str], results: Path) -> Moment | None:
    if moment.victim == "mid-line" and not tear(run, pid, results):
        return None
    moment.seconds, moment.running = run.seconds(), sorted(jobs.values())
    if moment.victim == "snakemake" or pid == 0:
        moment.victim = "snakemake" if jobs else "everything"
    if moment.victim == "job":
        run.kill(descendants(pid))
        try:
            run.process.wait(timeout=600)  # the other job of this moment ends, then Snakemake does
        except subprocess.TimeoutExpired:
            run.kill_everything()
    elif moment.victim == "snakemake":
        run.kill([run.process.pid])
        run.process.wait()
    else:
        run.kill_everything()
    lines, moment.torn = store_lines(results)
    moment.lines = sum(sum(counter.values()) for counter in lines.values())
    return moment


def complaints(results: Path, expected: dict[str, str], n_stored: int, held: list[dict[str, Counter]]) -> list[str]:
    """Return what is wrong with a chain that has come to its end."""
    found = outcome(results)
    wrong = [f"{path} differs" for path in sorted(found.keys() & expected.keys()) if found[path] != expected[path]]
    wrong += [f"{path} is missing" for path in sorted(expected.keys() - found.keys())]
    wrong += [f"{path} is new" for path in sorted(found.keys() - expected.keys())]
    lines, torn = store_lines(results)
    if torn:
        wrong.append("a store ends in half a line")
    for model, counter in lines.items():
        prompts = Counter()
        for line, times in counter.items():
            prompts[json.loads(line)["prompt"]] += times
        twice = sum(times > 1 for times in prompts.values())
        if twice:
            wrong.append(f"{twice} prompts were judged twice by model {model}")
    total = sum(sum(counter.values()) for counter in lines.values())
    if total != n_stored:
        wrong.append(f"{total} replies stored, {n_stored} undisturbed")
    lost = sum(sum((counter - lines.get(model, Counter())).values()) for one in held for model, counter in one.items())
    if lost:
        wrong.append(f"{lost} stored lines were lost after a kill")
    return wrong


def undisturbed_run(folder: Path, token: str, log: Path, cores: int) -> tuple[Run, dict[str, float]]:
    """Run to the end and return the run and kind of job → mean seconds, planning too; a failure ends this script."""
    run = Run(folder, token, log, cores)
    planned = 0.0
    seen: dict[int, tuple[str, float]] = {}
    took: dict[str, list[float]] = {}
    while run.process.poll() is None:
        for pid, kind in run.jobs().items():
            planned = planned or run.seconds()
            _, start = seen.setdefault(pid, (kind, run.seconds()))
        for pid in [pid for pid in seen if _is_dead(pid)]:
            kind, start = seen.pop(pid)
            took.setdefault(kind, []).append(run.seconds() - start)
        time.sleep(0.1)
    if run.process.returncode:
        sys.exit(f"the undisturbed run failed:\n{run.text()[-4000:]}")
    took[PLANNING] = [planned]
    return run, {kind: sum(values) / len(values) for kind, values in took.items()}


def main(
    folder: Path,
    runs: int,
    seed: int,
    chains: int,
    cores: int,
    write: Path | None,
    kinds: list[str] | None,
    more: int = 6,
    study: Path = HERE / "benchmarks" / "torture.yaml",
) -> int:
    """Run everything; return how many complaints there were."""
    rng = random.Random(seed)
    folder.mkdir(parents=True, exist_ok=True)
    work, logs = folder / "work", folder / "logs"
    if work.exists() and (work.is_symlink() or not (work / "torture.yaml").is_file()):
        sys.exit(f"{work}: was not made by torture.py; give another --folder")
    shutil.rmtree(work, ignore_errors=True)
    logs.mkdir(exist_ok=True)
    copy_workflow(work, study)
    results = work / "results" / STUDY
    token = hashlib.sha256(f"{folder}{os.getpid()}{time.time()}".encode()).hexdigest()[:16]

    run, took = undisturbed_run(work, token, logs / "undisturbed.log", cores)
    undisturbed = run.seconds()
    expected, n_stored = outcome(results), sum(sum(c.values()) for c in store_lines(results)[0].values())
    jobs = Counter(FINISHED.findall(run.text()))
    print(f"undisturbed: {undisturbed:.0f} s, {sum(jobs.values())} jobs, {n_stored} replies", flush=True)

    kinds = kinds or sorted(took)
    todo = plan(kinds, runs, rng)
    done: list[Moment] = []
    summaries = []
    share = -(-runs // chains)
    chain = 0
    while chain < chains or (todo and chain < chains + more):
        chain += 1
        for name in ("results", ".snakemake"):
            shutil.rmtree(work / name, ignore_errors=True)
        waiting, todo = todo[:share], todo[share:]
        began, held, finished, previous, starts = time.monotonic(), [], Counter(), None, 0
        while True:
            starts += 1
            run = Run(work, token, logs / f"chain{chain}_{starts:02d}.log", cores)
            moment = strike(run, waiting, took, results)
            run.process.wait()
            text = run.text()
            finished.update(FINISHED.findall(text))
            total = PLANNED.search(text)
            if previous is not None:
                previous.jobs_left = int(total[1]) if total else previous.jobs_left
                previous.again = run.seconds()
            if moment is None:
                if run.process.returncode == 0:
                    break
                if previous is not None and not previous.result:
                    previous.result = "the next start failed: " + text.strip().splitlines()[-1][:200]
                print(f"chain {chain}: start {starts} failed: {text[-1500:]}", flush=True)
                if starts > 3 * share + 5:
                    break
                continue
            waiting.remove(moment)
            moment.number, moment.chain = len(done) + 1, chain
            held.append(store_lines(results)[0])
            done.append(moment)
            previous = moment
            print(json.dumps(asdict(moment)), flush=True)
            (folder / "moments.json").write_text(json.dumps([asdict(one) for one in done], indent=1))
        while run.orphans():
            time.sleep(0.5)
        wrong = complaints(results, expected, n_stored, held)
        todo = waiting + todo  # kinds that this chain did not come to any more
        summaries.append(
            {
                "chain": chain,
                "kills": sum(one.chain == chain for one in done),
                "starts": starts,
                "seconds": round(time.monotonic() - began),
                "jobs": sum(finished.values()),
                "jobs_undisturbed": sum(jobs.values()),
                "twice": dict(finished - jobs),
                "complaints": wrong,
            }
        )
        for one in done:
            if one.chain == chain and not one.result:
                one.result = "same" if not wrong else "differs, see below"
        print(json.dumps(summaries[-1]), flush=True)
        if write:
            write.write_text(
                page(done, summaries, undisturbed, n_stored, len(expected), runs, seed, cores), encoding="utf-8"
            )
        if wrong:
            shutil.copytree(results, folder / f"chain{chain}", dirs_exist_ok=True)
    return sum(len(one["complaints"]) for one in summaries) + sum(one.result != "same" for one in done)


def page(
    done: list[Moment],
    summaries: list[dict],
    undisturbed: float,
    n_stored: int,
    n_files: int,
    asked: int,
    seed: int,
    cores: int,
) -> str:
    """Return the table as Markdown."""
    victims = Counter(one.victim for one in done)
    lines = [
        "# Killed and started again",
        "",
        "Made by `make torture` (`benchmarks/torture.py`, which says how moments are chosen and what is killed).",
        "",
        f"- {len(done)} of {asked} moments, seed {seed}, in {len(summaries)} chains of one study each; "
        + ", ".join(f"{victim} {count}" for victim, count in sorted(victims.items()))
        + f"; {sum(one.torn for one in done)} left half a line in a store.",
        f"- Undisturbed the study takes {undisturbed:.0f} s on {cores} cores ({platform.machine()}, "
        f"load {os.getloadavg()[1]:.0f} on {os.cpu_count()} cores at the end), and stores {n_stored} replies.",
        f"- Compared after each chain: {n_files} files and model digests, byte for byte; every line of every store.",
        "",
        "| chain | kills | starts | seconds | jobs finished (undisturbed) | more than once | complaints |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in summaries:
        twice = ", ".join(f"{rule} {count}" for rule, count in sorted(one["twice"].items())) or "none"
        jobs = f"{one['jobs']} ({one['jobs_undisturbed']})"
        row = (one["chain"], one["kills"], one["starts"], one["seconds"], jobs, twice)
        lines.append(_row(*row, "; ".join(one["complaints"]) or "none"))
    lines += [
        "",
        "A job whose Snakemake was killed may finish unseen: jobs finished can be fewer than undisturbed.",
        "",
    ]
    heads = (
        "#",
        "chain",
        "waited for",
        "share",
        "killed",
        "running then",
        "after (s)",
        "replies stored",
        "half a line",
    )
    lines += [_row(*heads, "jobs left", "next start (s)", "result"), "|---" * 12 + "|"]
    for one in done:
        left = "–" if one.jobs_left is None else one.jobs_left
        again = "–" if one.again is None else f"{one.again:.1f}"
        row = (one.number, one.chain, one.kind, f"{one.share:.2f}", one.victim, ", ".join(one.running) or "none")
        lines.append(_row(*row, f"{one.seconds:.1f}", one.lines, "yes" if one.torn else "", left, again, one.result))
    return "\n".join(lines) + "\n"


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    usual = Path(tempfile.gettempdir(), "judgemerge-torture")
    parser.add_argument("--folder", type=Path, default=usual, help=f"work folder ({usual}); work/ in it is replaced")
    parser.add_argument("--runs", type=int, default=50, help="number of kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--chains", type=int, default=2, help="studies that the kills are spread over")
    parser.add_argument("--more", type=int, default=6, help="chains added, if need be, for moments that came in none")
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--write", type=Path, help="Markdown file for the table")
    parser.add_argument("--study", type=Path, default=HERE / "benchmarks" / "torture.yaml", help="named `torture`, too")
    parser.add_argument("--kinds", nargs="*", help="kinds of jobs to kill, as names of scripts; unset: all")
    given = vars(parser.parse_args())
    paths = {name: given[name] and given[name].resolve() for name in ("folder", "write", "study")}
    sys.exit(min(1, main(**given | paths)))
