"""Packages whose modules are the parts of a registry: one module adds one part, and nothing else lists it."""

import ast
import importlib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

from judgemerge.core.errors import JudgemergeError, did_you_mean


class Parts:
    """The modules of a package by their names; one with a leading underscore is a helper and no part.

    Names and declared constants are read from the files, so that a plan can ask for them where importing a module would
    take seconds or fails for want of a package.
    """

    def __init__(self, package: str, folder: str | Path, kind: str, required: tuple[str, ...] = ()):
        """`kind` is what errors call a part; `required` are the names that each module has to define."""
        self.package, self.folder, self.kind, self.required = package, Path(folder), kind, required

    def names(self) -> list[str]:
        """Return the names of the parts in alphabetical order."""
        return sorted(path.stem for path in self.folder.glob("[a-z]*.py"))

    def load(self, name: str, where: str = "") -> ModuleType:
        """Return the module of a part; `where` opens the error for a name that is unknown."""
        self.check(name, where)
        module = importlib.import_module(f"{self.package}.{name}")
        for needed in self.required:
            if not hasattr(module, needed):
                raise JudgemergeError(
                    f"{module.__file__}: there is no {needed}; add it as {self.folder / '__init__.py'} says"
                )
        return module

    def check(self, name: str, where: str = "") -> None:
        """Raise JudgemergeError for a name that no part has."""
        if name not in self.names():
            raise JudgemergeError(f"{where}unknown {self.kind} '{name}'{did_you_mean(name, self.names())}")

    def declared(self, name: str, constant: str, default: Any) -> Any:
        """Return what a module assigns to a constant, a literal, without importing the module."""
        return _constants(self.folder / f"{name}.py").get(constant, default)


@cache
def _constants(path: Path) -> dict[str, Any]:
    """Return the literals that a module assigns to single names."""
    constants = {}
    for line in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            try:
                constants[line.targets[0].id] = ast.literal_eval(line.value)
            except ValueError:
                continue
    return constants
