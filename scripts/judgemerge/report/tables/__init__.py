"""The tables of the report: every module of this package that does not begin with _ holds one, as `TABLE`."""

import functools
import importlib
import pkgutil

from judgemerge.report.table import Table


@functools.cache
def load(name: str) -> Table:
    """Return the table of one module."""
    return importlib.import_module(f"{__name__}.{name}").TABLE


def names() -> list[str]:
    """Return the names of all tables."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
