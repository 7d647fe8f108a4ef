"""How parts are added: one module in a package, or one decorated function in such a module, is one new part.

A package of parts says `FORMATS = Modules(__name__, "format of recorded verdicts")`: its modules are the parts, each
imported when it is asked for. Where functions are the parts, the package has a decorator beside it that adds them:

    METRICS: Parts[Metric] = Parts("metric", Modules(__name__, "family of metrics"))

    def metric(name: str) -> Callable[[Function], Function]:
        return METRICS.adds(name, lambda function: Metric(name, function))

A name that begins with an underscore is a module that others share, not a part. Imports nothing heavy.
"""

import ast
import contextlib
import importlib
import pkgutil
import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, cached_property
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

from judgemerge.core import imports
from judgemerge.core.errors import JudgemergeError, require_known

Part = TypeVar("Part")
Source = TypeVar("Source")


class Modules:
    """The modules of one package by their names; `kind` is what one of them is called in an error."""

    def __init__(self, package: str, kind: str, needs: tuple[str, ...] = ()):
        """Take the package's `__name__`, and the names that each module must define (`read`, `load(paths, spec)`)."""
        self.package, self.kind, self.needs = package, kind, needs

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of the modules in alphabetical order; none of them is imported."""
        modules = pkgutil.iter_modules(sys.modules[self.package].__path__)
        return tuple(sorted(module.name for module in modules if not module.name.startswith("_")))

    def load(self, name: str) -> ModuleType:
        """Return the module of that name; an unknown one, or one that lacks what it needs, raises JudgemergeError."""
        require_known(name, self.names, f"unknown {self.kind}")
        with imports.quickly():
            module = importlib.import_module(f"{self.package}.{name}")
        for definition in self.needs:
            if not hasattr(module, definition.partition("(")[0]):
                missing = f"function {definition}" if "(" in definition else definition
                contract = sys.modules[self.package].__file__
                raise JudgemergeError(f"{module.__file__}: there is no {missing}; add it as {contract} says")
        return module

    def declared(self, name: str, constant: str, default: Any) -> Any:
        """Return the literal that a module assigns to a constant, read from its file: importing it may take seconds."""
        return _constants(Path(sys.modules[self.package].__file__).with_name(f"{name}.py")).get(constant, default)

    def load_all(self) -> list[ModuleType]:
        """Return all modules, in the order of their names."""
        return [self.load(name) for name in self.names]


@cache
def _constants(path: Path) -> dict[str, Any]:
    """Return the literals that a module assigns to single names; no such file, no constants."""
    constants = {}
    for line in ast.parse(path.read_text(encoding="utf-8")).body if path.is_file() else []:
        if isinstance(line, ast.Assign) and len(line.targets) == 1 and isinstance(line.targets[0], ast.Name):
            with contextlib.suppress(ValueError):
                constants[line.targets[0].id] = ast.literal_eval(line.value)
    return constants


class Parts(Mapping[str, Part]):
    """The parts that decorators add, by name, in the order of their modules and in these from top to bottom."""

    def __init__(self, kind: str, modules: Modules | None = None):
        """Name what one part is called in an error, and the modules that hold the parts if not all are imported."""
        self.kind, self.modules = kind, modules
        self._parts: dict[str, Part] = {}

    def add(self, name: str, part: Part) -> None:
        """Add a part; a second one of the same name raises JudgemergeError."""
        if name in self._parts:
            raise JudgemergeError(f"{self.kind} '{name}' is defined twice; rename one")
        self._parts[name] = part

    def adds(self, name: str, part_of: Callable[[Source], Part]) -> Callable[[Source], Source]:
        """Return a decorator that adds what `part_of` makes of a function or class, and leaves that as it is."""

        def decorate(source: Source) -> Source:
            self.add(name, part_of(source))
            return source

        return decorate

    @property
    def _all(self) -> dict[str, Part]:
        if self.modules:
            modules, self.modules = self.modules, None
            modules.load_all()
        return self._parts

    def __getitem__(self, name: str) -> Part:
        """Return the part of that name; an unknown one raises JudgemergeError."""
        require_known(name, self._all, f"unknown {self.kind}")
        return self._all[name]

    def __contains__(self, name: object) -> bool:
        return name in self._all

    def get(self, name: str, default: Part | None = None) -> Part | None:
        """Return the part of that name, `default` if there is none."""
        return self._all.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._all)

    def __len__(self) -> int:
        return len(self._all)
