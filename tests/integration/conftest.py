"""Copies of the workflow to run, to break and to throw away."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from workflow_runs import BASELINES, copy_workflow, runner


def pytest_collection_modifyitems(items) -> None:
    """Mark as slow whatever needs the finished study."""
    for item in items:
        if "finished" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def checkout(repository, tmp_path_factory) -> Path:
    """Return a fresh copy of the workflow without its results."""
    return copy_workflow(repository, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def snakemake(checkout) -> Callable[..., subprocess.CompletedProcess]:
    """Return a function that runs Snakemake in the checkout and gives back the process with its output as text."""
    return runner(checkout)


@pytest.fixture(scope="session")
def finished(repository, tmp_path_factory) -> SimpleNamespace:
    """Return a copy of the workflow in which a study of baselines has run: folder, settings, run(...), process.

    Tests share it: whoever edits a file there puts it back.
    """
    folder = copy_workflow(repository, tmp_path_factory.mktemp("finished"))
    (folder / "few.yaml").write_text(yaml.safe_dump(BASELINES, sort_keys=False), encoding="utf-8")
    run = runner(folder)
    process = run("--configfile", "few.yaml")
    assert process.returncode == 0, process.stderr[-3000:]
    return SimpleNamespace(folder=folder, settings=BASELINES, run=run, process=process)
