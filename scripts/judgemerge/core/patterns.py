"""A regular expression for a list of names, short and quick to match: Snakemake copies it into every output pattern."""

import os
import re
from collections.abc import Iterable

NOTHING = "(?!)"


def one_of(names: Iterable[str]) -> str:
    """Return a pattern that matches exactly these names (nothing at all when there are none).

    Names that begin alike share their beginning, so that a grid of a thousand merges is not tried name by name.
    """
    return _any_of(sorted(set(names))) or NOTHING


def _any_of(names: list[str]) -> str:
    """Return a pattern for sorted names, grouped by their first letter."""
    by_letter: dict[str, list[str]] = {}
    for name in names:
        by_letter.setdefault(name[:1], []).append(name)
    return "|".join(_beginning_alike(group) for group in by_letter.values())


def _beginning_alike(names: list[str]) -> str:
    """Return a pattern for sorted names with a common beginning, without alternatives outside of brackets."""
    common = os.path.commonprefix([names[0], names[-1]])
    rests = [name.removeprefix(common) for name in names]
    return re.escape(common) + (f"(?:{_any_of(rests)})" if len(names) > 1 else "")
