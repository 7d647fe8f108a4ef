"""Fixtures that tests share: where hand-made rows are, and where the mirror of raw files is, if there is one."""

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


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
    """Return the mirror of raw files (JUDGEMERGE_MIRROR, or ../shared/mirror beside the repository), or skip."""
    folder = Path(os.environ.get("JUDGEMERGE_MIRROR") or REPOSITORY.parent / "shared" / "mirror")
    if not folder.is_dir():
        pytest.skip(f"needs the raw files: {folder} is no folder; set JUDGEMERGE_MIRROR (scripts/build_mirror.py)")
    return folder
