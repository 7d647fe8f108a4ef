"""Fixtures that tests share: where hand-made rows are, the mirror of raw files if there is one, and tiny models."""

import gc
import os
import sys
from pathlib import Path

import fork_server
import pytest

# Where nothing compiled is kept, each of thousands of processes compiles our modules again.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

REPOSITORY = Path(__file__).resolve().parent.parent

# Files whose tests take longest come first, so that no worker is left with one of them at the end.
LONGEST_FIRST = (
    "test_documented_commands.py",
    "test_report.py",
    "test_provenance.py",
    "test_extending.py",
    "test_merging_descriptions.py",
    "test_twins.py",
    "test_training.py",
    "test_studies.py",
    "test_digests.py",
    "test_hostile_report.py",
    "test_reworded_config.py",
    "test_explorer.py",
    "test_failed_judges.py",
    "test_workflow.py",
    "test_endpoint_study.py",
    "test_bootstrap.py",
    "test_job_without_snakemake.py",
    "test_figures.py",
    "test_judging.py",
    "test_lora_targets.py",
    "test_pack_crate.py",
    "test_labelling.py",
    "test_plan.py",
    "test_endpoints.py",
    "test_trained_forms.py",
    "test_calibration_study.py",
    "test_labelling_page.py",
    "test_parsing.py",
)


def pytest_collection_modifyitems(items):
    """Order files of tests for workers that take one after the other: the longest, integration tests, the rest."""
    ranks = {name: rank for rank, name in enumerate(LONGEST_FIRST)}

    def rank(item):
        return ranks.get(item.path.name, len(ranks)), "integration" not in item.path.parts

    items.sort(key=rank)


def pytest_collection_finish():
    """Take thousands of tests and what they import out of the garbage collector's way."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def repository() -> Path:
    """Return the root of the repository."""
    return REPOSITORY


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of hand-made rows in the schemas of the real files."""
    return REPOSITORY / "tests" / "data"


@pytest.fixture(scope="session")
def mirror() -> Path:
    """Return the mirror of raw files (JUDGEMERGE_MIRROR, or the one beside the repository), or skip."""
    folder = Path(os.environ.get("JUDGEMERGE_MIRROR") or REPOSITORY.parent / "shared" / "mirror")
    if not folder.is_dir():
        pytest.skip(f"needs the raw files: {folder} is no folder; set JUDGEMERGE_MIRROR (make mirror)")
    return folder


@pytest.fixture(scope="session")
def tiny_models(tmp_path_factory) -> dict[str, Path]:
    """Return three random Llamas (two layers, one tokenizer): a base and two models to be merged; 3 MB each."""
    from judgemerge.synthetic import demo_tasks, tiny

    folder = tmp_path_factory.mktemp("tiny")
    texts = demo_tasks.corpus(seed=1, n_sentences=200)
    for seed, name in enumerate(("base", "one", "two")):
        tiny.make_base(folder / name, texts, seed, layers=2, vocab_size=512)
    return {name: folder / name for name in ("base", "one", "two")}


@pytest.fixture
def tools_on_path(monkeypatch) -> None:
    """Let child processes find tools: those that start by a fork, then all that are installed beside this Python."""
    folders = [str(fork_server.tools()), os.path.dirname(sys.executable), os.environ["PATH"]]
    monkeypatch.setenv("PATH", os.pathsep.join(folders))
