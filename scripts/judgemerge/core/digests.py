"""Digests of our own code, so that cheap rules run again when the code that decides their result changes.

What a script depends on is read from import statements: its own, and those of our modules that it imports. Nothing is
listed by hand.
"""

import ast
import contextlib
import functools
import hashlib
import itertools
import json
import os
import tempfile
from pathlib import Path
from typing import NamedTuple

SCRIPTS = Path(__file__).resolve().parents[2]
# Beside compiled code, for it is of the same kind: made from source files, good until they change, safe to delete.
CACHE = SCRIPTS / "__pycache__" / "imports.json"
LOADERS = ("import_module", "Modules")  # what is called, with `__name__`, by a package that loads its modules by name


class Source(NamedTuple):
    """What one Python file holds and imports."""

    sha256: str
    imports: list[str]  # dotted names as written; a name may be a module's or that of something in a module
    loads_its_modules: bool  # a package that imports its modules by their names, which no statement shows


class Sources:
    """The Python files below one folder as they are now; what was read of them is kept in a file until they change.

    Parsing them all takes a third of a second at every start of Snakemake, reading that file a hundredth.
    """

    def __init__(self, folder: Path, cache: Path):
        self.folder, self.cache, self.is_new = folder, cache, False
        self.known: dict[str, Source] = {}
        self.imported: dict[str, list[str]] = {}
        self.existing: dict[str, bool] = {}
        try:
            self.entries = json.loads(cache.read_text("utf-8"))
        except (OSError, ValueError):
            self.entries = {}

    @functools.cached_property
    def tops(self) -> set[str]:
        """What the first part of a dotted name can be, if it is one of ours: few import statements name one."""
        return {name.removesuffix(".py") for name in os.listdir(self.folder)}

    def read(self, path: str) -> Source:
        """Return what a file, given below the folder, holds and imports."""
        if path not in self.known:
            status = os.stat(os.path.join(self.folder, path))
            version = [status.st_mtime_ns, status.st_size]
            if self.entries.get(path, [None])[0] != version:
                self.entries[path] = [version, parse((self.folder / path).read_bytes())]
                self.is_new = True
            self.known[path] = Source(*self.entries[path][1])
        return self.known[path]

    def save(self) -> None:
        """Keep what was read; a checkout that cannot be written to is parsed at every start."""
        if not self.is_new:
            return
        with contextlib.suppress(OSError):
            self.cache.parent.mkdir(exist_ok=True)
            descriptor, temporary = tempfile.mkstemp(dir=self.cache.parent, prefix=f".{self.cache.name}.")
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                json.dump(self.entries, file)
            os.replace(temporary, self.cache)
            self.is_new = False

    def imported_by(self, path: str) -> list[str]:
        """Return the files that the import statements of a file name: of modules, and of the packages they lie in."""
        if path not in self.imported:
            modules = {
                module
                for name in self.read(path).imports
                if name.partition(".")[0] in self.tops
                for module in itertools.accumulate(name.split("."), "{}/{}".format)
            }
            candidates = (candidate for module in modules for candidate in (f"{module}.py", f"{module}/__init__.py"))
            self.imported[path] = [candidate for candidate in candidates if self.has(candidate)]
        return self.imported[path]

    def has(self, path: str) -> bool:
        """Return whether there is such a file."""
        if path not in self.existing:
            self.existing[path] = os.path.isfile(os.path.join(self.folder, path))
        return self.existing[path]


@functools.cache
def our_sources() -> Sources:
    """Return the files below scripts/, read once a process."""
    return Sources(SCRIPTS, CACHE)


@functools.cache
def script_digest(script: str, **members: str) -> str:
    """Return one short digest of `scripts/<script>.py` and of all our modules that it imports, directly or not.

    A package that imports its modules by their names (benchmarks, backends …) counts with all of them, unless `members`
    names the one that the job uses: `benchmarks="pandalm"`.
    """
    sources, digest = our_sources(), hashlib.sha256()
    for path in sorted(imported_files(sources, f"{script}.py", members)):
        digest.update(f"{path}\0{sources.read(path).sha256}\n".encode())
    sources.save()
    return digest.hexdigest()[:16]


def imported_files(sources: Sources, path: str, members: dict[str, str]) -> set[str]:
    """Return a file and all files that it imports, directly or not; `members` as in `script_digest`."""
    closure, waiting = set(), [path]
    while waiting:
        path = waiting.pop()
        if path not in closure:
            closure.add(path)
            waiting += _imports_of(sources, path, members)
    return closure


def _imports_of(sources: Sources, path: str, members: dict[str, str]) -> list[str]:
    if not sources.read(path).loads_its_modules:
        return sources.imported_by(path)
    package = Path(path).parent
    member = members.get(package.name)
    names = [f"{member}.py"] if member else os.listdir(sources.folder / package)
    return sources.imported_by(path) + [f"{package}/{name}" for name in names if name.endswith(".py")]


def parse(text: bytes) -> Source:
    """Return what one Python file holds and imports; what it imports for type checkers only decides nothing."""
    names, loads_its_modules = set(), False
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and _name(node.test) == "TYPE_CHECKING":
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _name(node.func) in LOADERS:
            loads_its_modules |= any(_name(part) == "__name__" for part in ast.walk(node))
        waiting += ast.iter_child_nodes(node)
    return Source(hashlib.sha256(text).hexdigest(), sorted(names), loads_its_modules)


def _name(node: ast.AST) -> str | None:
    """Return the last part of a name or of a dotted name."""
    return getattr(node, "id", None) or getattr(node, "attr", None)
