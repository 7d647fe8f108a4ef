"""What commands about a study share: the options that name it, and its jobs as the workflow lists them.

`--config` means what it means to Snakemake: keys laid over the study file, `scale=tiny` for example.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from snakemake.cli import parse_config
from snakemake.utils import update_config

import _package  # noqa: F401
from judgemerge.core import files
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.study.load import load_study
from judgemerge.study.study import Study

# As in the Makefile and in slurm/: up to this size a checksum says whether an input has changed.
CHECKSUMS = ["--max-checksum-file-size", "1000000000"]
CONFIG = Path(__file__).resolve().parents[2] / "config"


def add_study_options(parser: argparse.ArgumentParser) -> None:
    """Add --study and --config."""
    parser.add_argument("--study", required=True, help="study file")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="laid over it, as for Snakemake")


def read_study(study_file: str, config: Sequence[str] = (), **more: object) -> Study:
    """Return the checked study; `more` are keys laid over it last."""
    settings = load_yaml(study_file)
    try:
        update_config(settings, parse_config(config))
    except ValueError as error:
        raise JudgemergeError(f"--config {' '.join(config)}: {error}") from None
    return load_study({**settings, **more}, study_file, CONFIG)


def workflow_arguments(study_file: str, config: Sequence[str] = ()) -> list[str]:
    """Return what tells Snakemake which study is meant."""
    return ["--configfile", study_file, *(["--config", *config] if config else [])]


def list_jobs(study_file: str, config: Sequence[str] = (), arguments: Sequence[str] = ()) -> dict:
    """Return {study, jobs, locked} as rules/plan.smk writes it in a dry run; `arguments` go to Snakemake, too."""
    with tempfile.TemporaryDirectory() as folder:
        listing = Path(folder, "jobs.json")
        command = [sys.executable, "-m", "snakemake", "--dry-run", "--quiet", "all", "--rerun-incomplete"]
        command += [*CHECKSUMS, *workflow_arguments(study_file, config), *arguments]
        environment = os.environ | {"JUDGEMERGE_JOBS": str(listing)}
        run = subprocess.run(command, env=environment, capture_output=True, text=True)
        if run.returncode != 0 or not listing.exists():
            raise JudgemergeError((run.stderr or run.stdout).strip() or f"{study_file}: the workflow cannot be planned")
        return files.read_json(listing)
