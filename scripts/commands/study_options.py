"""What commands about a study share: the options that name it, and its jobs as Snakemake announces them in dry runs.

`--config` means what it means to Snakemake: keys laid over the study file, `scale=tiny` for example.
"""

import argparse
import contextlib
import io
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from snakemake.api import ConfigSettings, DAGSettings, ResourceSettings, SnakemakeApi
from snakemake.cli import parse_config
from snakemake.logging import logger
from snakemake.utils import update_config

import _package  # noqa: F401
from judgemerge.core.catalogues import load_yaml
from judgemerge.core.errors import JudgemergeError
from judgemerge.study import plan, progress
from judgemerge.study.load import load_study
from judgemerge.study.study import Study

# As in the Makefile and in slurm/: up to this size a checksum says whether an input has changed.
MAX_CHECKSUM_FILE_SIZE = 1_000_000_000
CHECKSUMS = ["--max-checksum-file-size", str(MAX_CHECKSUM_FILE_SIZE)]
# More than any job asks for, so that none is planned with fewer threads.
CORES = 1_000_000
# What Snakemake says before and after the sentence of an error.
WHERE = re.compile(r"WorkflowError in file|  File")
CONFIG = Path(__file__).resolve().parents[2] / "config"


def run_command(doc: str, main: Callable[..., str], **options: dict[str, Any]) -> None:
    """Run a command about a study: --study, --config and its own options are the arguments of `main`; print its answer.

    An option of its own is named by its argument and described as for argparse.
    """
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", required=True, dest="study_file", help="study file")
    parser.add_argument("--config", nargs="+", default=[], metavar="KEY=VALUE", help="laid over it, as for Snakemake")
    for name, option in options.items():
        parser.add_argument(option.pop("flag", f"--{name}"), dest=name, **option)
    try:
        print(main(**vars(parser.parse_args())))
    except JudgemergeError as error:
        sys.exit(str(error))


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


class StudyJobs(NamedTuple):
    """Every job of a study, and whether a Snakemake holds the lock of this folder."""

    study: str
    jobs: list[progress.Job]
    locked: bool


def list_jobs(study_file: str, config: Sequence[str] = ()) -> StudyJobs:
    """Return the jobs of a study: what each asks for from a dry run of everything, what is to do from a second one."""
    jobs = announced_jobs(study_file, config, everything=True)
    due = {job.log: job for job in announced_jobs(study_file, config)}
    locked = any(Path(".snakemake", "locks").glob("*.lock"))
    return StudyJobs(Path(jobs[0].log).parts[1], [progress.Job.of(job, due.get(job.log)) for job in jobs], locked)


def announced_jobs(study_file: str, config: Sequence[str] = (), everything: bool = False) -> list[plan.AnnouncedJob]:
    """Return the jobs that Snakemake would run now, or every job of the study; targets, which run nothing, are none."""
    collector = plan.JobCollector()
    messages = io.StringIO()
    settings = ConfigSettings(config=parse_config(config), configfiles=[Path(study_file)])
    rerun = DAGSettings(forceall=everything, force_incomplete=True, max_checksum_file_size=MAX_CHECKSUM_FILE_SIZE)
    with contextlib.redirect_stderr(messages), contextlib.redirect_stdout(messages), SnakemakeApi() as api:
        try:
            dag = api.workflow(ResourceSettings(cores=CORES), settings).dag(rerun)
            logger.addHandler(collector)
            dag.execute_workflow(executor="dryrun")
        except Exception as error:
            api.print_exception(error)
            lines = [line for line in messages.getvalue().splitlines() if not WHERE.match(line)]
            raise JudgemergeError(" ".join(lines) or str(error)) from None
    return [job for job in collector.jobs if job.log]
