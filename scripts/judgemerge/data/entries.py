"""An entry of config/benchmarks.yaml, as loaders read it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any


@dataclass(frozen=True)
class Entry:
    """What decides which items a set has: its name, the loader, and what that is told."""

    name: str
    loader: str
    protocol: str
    sources: Mapping[str, str]
    expected: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    categories: Mapping[str, Any] = field(default_factory=dict)
    part: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, name: str, spec: Mapping[str, Any]) -> "Entry":
        """Return the entry of that name; words for readers are no part of it."""
        return cls(name, **{one.name: spec[one.name] for one in fields(cls)[1:] if one.name in spec})
