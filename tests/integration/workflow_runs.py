"""How integration tests copy the workflow and run Snakemake in the copy."""

import fcntl
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import fork_server

PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "slurm")
# Two benchmarks, three judges that read nothing: everything but training, merging and judging, in seconds.
BASELINES = {
    "study": "few",
    "description": "Baselines alone",
    "suites": {"few_pairs": {"benchmarks": ["demo_pairwise"]}, "few_grades": {"benchmarks": ["demo_pointwise"]}},
    "judges": ["longer", "random", "majority"],
    "statistics": {"resamples": 200, "seed": 7},
}


FEW = ("--configfile", "few.yaml")
REPLAY = ("--configfile", "config/studies/replay.yaml")


def copy_workflow(repository: Path, folder: Path) -> Path:
    """Copy the workflow without its results to `folder` and return it; compiled modules save every run their making."""
    for name in PARTS:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, folder / name)
        else:
            shutil.copy(repository / name, folder / name)
    return folder


def runner(folder: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs Snakemake in `folder` and gives back the process with its output as text."""

    def run(*arguments: str, variables: Mapping[str, str] | None = None) -> subprocess.CompletedProcess:
        tools = {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
        environment = os.environ | tools | (variables or {})
        environment.pop("JUDGEMERGE_MIRROR", None)
        cores = [] if "--profile" in arguments else ["--cores", "2"]
        command = [fork_server.tools() / "snakemake", *cores, *arguments]
        streams = {"stdin": subprocess.DEVNULL, "capture_output": True, "text": True}
        return subprocess.run(command, cwd=folder, env=environment, timeout=600, **streams)

    return run


def started_anew(folder: Path, *arguments: str) -> subprocess.CompletedProcess:
    """Start Snakemake as people do, in a new interpreter, and return the process."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600)


def copy_of_shared(name: str, make: Callable[[Path], None], tmp_path_factory, folder: Path) -> Path:
    """Copy to `folder` what `make` writes into a folder that all workers share; it is made once."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / f"shared_{name}"
    with open(f"{shared}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not shared.exists():
            partial = shared.with_name(f"{shared.name}.partial")
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            make(partial)
            partial.rename(shared)
    # Times stay as they are, so that Snakemake finds the copy as complete as the original.
    return shutil.copytree(shared, folder, symlinks=True)


def planned(process: subprocess.CompletedProcess) -> dict[str, int]:
    """Return how many jobs of each rule a dry run lists, {} when there is nothing to be done."""
    assert process.returncode == 0, process.stdout + process.stderr
    output = process.stdout + process.stderr
    if "Nothing to be done" in output:
        return {}
    table = output.split("Job stats:\njob", 1)[1].split("\n", 2)[2].split("\n\n", 1)[0]
    jobs = {rule: int(count) for rule, count in map(str.split, table.splitlines())}
    assert jobs.pop("total") == sum(jobs.values())
    return jobs
