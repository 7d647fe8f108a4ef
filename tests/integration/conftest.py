"""Copies of the workflow to run, to break and to throw away."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from workflow_runs import BASELINES, REPLAY, copy_of_shared, copy_workflow, runner


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
    """Return a copy of the workflow in which a study of baselines has run: folder, settings, run(...).

    Tests of one worker share it: whoever edits a file there puts it back.
    """

    def make(folder: Path) -> None:
        copy_workflow(repository, folder)
        (folder / "few.yaml").write_text(yaml.safe_dump(BASELINES, sort_keys=False), encoding="utf-8")
        process = runner(folder)("--configfile", "few.yaml")
        assert process.returncode == 0, process.stderr[-3000:]

    folder = copy_of_shared("finished", make, tmp_path_factory, tmp_path_factory.mktemp("finished") / "study")
    return SimpleNamespace(folder=folder, settings=BASELINES, run=runner(folder))


@pytest.fixture(scope="module")
def replayed(repository, mirror, tmp_path_factory) -> Path:
    """Return a copy of the workflow, committed to a repository of its own, in which `replay` has run."""

    def make(folder: Path) -> None:
        copy_workflow(repository, folder)
        for name in ("CITATION.cff", "LICENSE", ".gitignore"):
            shutil.copy(repository / name, folder)
        git = ("git", "-c", "user.name=test", "-c", "user.email=test@example.org")
        for command in (("init", "-q", "."), ("add", "."), ("commit", "-q", "-m", "copy")):
            subprocess.run([*git, *command], cwd=folder, check=True)
        process = runner(folder)(*REPLAY, "--config", f"mirror={mirror}")
        assert process.returncode == 0, process.stderr[-3000:]

    return copy_of_shared("replayed", make, tmp_path_factory, tmp_path_factory.mktemp("replayed") / "study")
