"""Wheels that tests make on the spot, where pip finds them instead of asking an index; and real ones, if it can."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from judgemerge.settings.models import Package


def make_wheel(folder: Path, name: str, contents: dict[str, bytes], metadata: str = "License: MIT\nAuthor: Somebody\n"):
    """Write name-1.0-py3-none-any.whl with these files; return its sha256."""
    folder.mkdir(parents=True, exist_ok=True)
    path, about = folder / f"{name}-1.0-py3-none-any.whl", f"{name}-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        for member, data in contents.items():
            archive.writestr(member, data)
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{metadata}\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return hashlib.sha256(path.read_bytes()).hexdigest()


def only_from(folder: Path, monkeypatch) -> None:
    """Let pip look into a folder and nowhere else."""
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))


def require(package: Package, folder: Path) -> Path:
    """Return a folder with the real wheel of a package, for PIP_FIND_LINKS; skip where pip cannot get it."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = folder / "requirements.txt"
    wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
    options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--dest", str(folder), "-r", str(wanted)]
    command = [sys.executable, "-m", "pip", "download", "--timeout", "10", "--retries", "0", *options]
    run = subprocess.run(command, capture_output=True, text=True)
    if run.returncode:
        pytest.skip(f"pip cannot get {package.name}=={package.version}: {run.stderr.strip().splitlines()[-1:]}")
    return folder
