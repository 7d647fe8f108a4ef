"""How integration tests copy the workflow and run Snakemake in the copy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

PARTS = ("Snakefile", "rules", "scripts", "config", "envs", "slurm")
# Two benchmarks, three judges that read nothing: everything but training, merging and judging, in seconds.
BASELINES = {
    "study": "few",
    "description": "Baselines alone",
    "suites": {"few_pairs": {"benchmarks": ["demo_pairwise"]}, "few_grades": {"benchmarks": ["demo_pointwise"]}},
    "judges": ["longer", "random", "majority"],
    "statistics": {"resamples": 200, "seed": 7},
}


def copy_workflow(repository: Path, folder: Path) -> Path:
    """Copy the workflow without its results to `folder` and return it."""
    for name in PARTS:
        if (repository / name).is_dir():
            shutil.copytree(repository / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(repository / name, folder / name)
    return folder


def runner(folder: Path) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs Snakemake in `folder` and gives back the process with its output as text."""
    environment = os.environ | {"PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"]}
    environment.pop("JUDGEMERGE_MIRROR", None)

    def run(*arguments: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", "snakemake", "--cores", "2", *arguments]
        return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=600)

    return run
