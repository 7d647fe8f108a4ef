"""A section of a study file as a frozen dataclass: type, default, description and checks of each key, said once.

The JSON schema that a study is checked against and the reference in docs/ follow from it. These are dataclasses because
scripts read typed settings too, and their environments have nothing in common but the standard library.
"""

import copy
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from functools import cached_property, lru_cache
from types import UnionType
from typing import Annotated, Any, ClassVar, Literal, Self, TypeVar, Union, dataclass_transform, get_args, get_origin

NAMES = {"propertyNames": {"pattern": "^[a-z][a-z0-9_]*$"}}
T = TypeVar("T")
_WORDS = {str: "string", int: "integer", float: "number", bool: "boolean"}


def key(description: str = "", default: Any = MISSING, *, name: str = "", **checks: Any) -> Any:
    """Return the field of one key of a section.

    Without a default the key is required; None leaves it unset. A key whose type is a section is described by that
    section's docstring. `name` is the key where it is no Python name, `checks` are words of JSON Schema.
    """
    metadata = {"description": description, "name": name, "checks": checks, "default": default}
    if isinstance(default, (dict, list)):
        return field(default_factory=lambda: copy.deepcopy(default), metadata=metadata)
    return field(default=default, metadata=metadata)


class limits(dict):
    """Words of JSON Schema about one of several types that a key may have, for Annotated."""

    __hash__ = object.__hash__


@dataclass_transform(field_specifiers=(key,), frozen_default=True, kw_only_default=True)
def section(kind: type[T]) -> type[T]:
    """Make a class a section."""
    return dataclass(frozen=True, kw_only=True, eq=False)(kind)


class Section:
    """The keys of one part of a study file. Values that are given as plain mappings and lists become typed ones."""

    checks: ClassVar[dict[str, Any]] = {}  # words of JSON Schema about the section as a whole

    def __post_init__(self) -> None:
        for entry in fields(self):
            object.__setattr__(self, entry.name, typed(getattr(self, entry.name), entry.type))

    @classmethod
    def of(cls, value: Mapping[str, Any]) -> Self:
        """Return the section that a mapping of a study file says; it keeps the order of its keys."""
        names = {key_of(entry): entry.name for entry in fields(cls)}
        made = cls(**{names[name]: entry for name, entry in value.items()})
        object.__setattr__(made, "_order", [*value, *(name for name in names if name not in value)])
        return made

    @cached_property
    def _plain(self) -> dict[str, Any]:
        values = {key_of(entry): getattr(self, entry.name) for entry in fields(self)}
        return {name: plain(values[name]) for name in getattr(self, "_order", values) if values[name] is not None}

    def plain(self) -> dict[str, Any]:
        """Return the section as the mapping of its file with defaults filled in; keys that are unset are absent.

        This is what parameters of rules hold: the order is the file's, so that finished jobs stay finished.
        """
        return self._plain

    def __reduce__(self) -> Any:
        raise TypeError("a job is given section.plain(): Snakemake keeps no record of other parameters")

    def __deepcopy__(self, memo: dict) -> Self:
        return self


def key_of(entry: Field) -> str:
    """Return the key of a study file that a field stands for."""
    return entry.metadata["name"] or entry.name


def plain(value: Any) -> Any:
    """Return a typed value as the plain one of a study file."""
    if isinstance(value, Section):
        return value.plain()
    if isinstance(value, tuple):
        return [plain(entry) for entry in value]
    return {name: plain(entry) for name, entry in value.items()} if isinstance(value, dict) else value


def typed(value: Any, kind: Any) -> Any:
    """Return a plain value of a study file as the type of its key says; what is typed already stays as it is."""
    if not isinstance(value, (dict, list)):
        return value
    for alternative in alternatives(kind):
        inner = get_args(alternative)
        if isinstance(value, list) and get_origin(alternative) is tuple:
            return tuple(typed(entry, inner[0]) for entry in value)
        if isinstance(value, dict) and get_origin(alternative) is dict:
            return {name: typed(entry, inner[1]) for name, entry in value.items()}
        if isinstance(value, dict) and is_section(alternative) and required(alternative) <= value.keys():
            return alternative.of(value)
    return value


def is_section(kind: Any) -> bool:
    """Return whether a type is a section."""
    return isinstance(kind, type) and issubclass(kind, Section)


@lru_cache(None)
def alternatives(kind: Any) -> tuple[Any, ...]:
    """Return the types that a value of a type may have, without checks and without None."""
    if get_origin(kind) is Annotated:
        return alternatives(get_args(kind)[0])
    if get_origin(kind) in (Union, UnionType):
        return tuple(part for entry in get_args(kind) if entry is not type(None) for part in alternatives(entry))
    return (kind,)


@lru_cache(None)
def required(kind: type[Section]) -> frozenset[str]:
    """Return the keys that a section cannot do without; alternatives are told apart by them."""
    return frozenset(key_of(entry) for entry in fields(kind) if entry.metadata["default"] is MISSING)


# ---- JSON Schema ----


def schema_of(kind: Any) -> dict[str, Any]:
    """Return the JSON schema of a type."""
    if get_origin(kind) is Annotated:
        inner, checks = get_args(kind)
        return {**schema_of(inner), **checks}
    if get_origin(kind) in (Union, UnionType):
        return _schema_of_union([entry for entry in get_args(kind) if entry is not type(None)])
    if get_origin(kind) is Literal:
        words = list(get_args(kind))
        return {"enum": words} if len(words) > 1 else {"const": words[0]}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": schema_of(get_args(kind)[0])}
    if get_origin(kind) is dict:
        values = get_args(kind)[1]
        return {"type": "object"} | ({} if values is Any else {"additionalProperties": schema_of(values)})
    return _schema_of_section(kind) if is_section(kind) else {"type": _WORDS[kind]}


def _schema_of_union(kinds: list[Any]) -> dict[str, Any]:
    if len(kinds) == 1:
        return schema_of(kinds[0])
    if set(kinds) <= set(_WORDS):
        return {"type": [_WORDS[kind] for kind in kinds]}
    return {"oneOf": [schema_of(kind) for kind in kinds]}


def _schema_of_section(kind: type[Section]) -> dict[str, Any]:
    needed = [key_of(entry) for entry in fields(kind) if key_of(entry) in required(kind)]
    return {
        "type": "object",
        "additionalProperties": False,
        **({"required": needed} if needed else {}),
        **kind.checks,
        "properties": {key_of(entry): _schema_of_key(entry) for entry in fields(kind)},
    }


def _schema_of_key(entry: Field) -> dict[str, Any]:
    default = entry.metadata["default"]
    return {
        "description": description_of(entry),
        **schema_of(entry.type),
        **entry.metadata["checks"],
        **({} if default is MISSING or default is None else {"default": copy.deepcopy(default)}),
    }


def description_of(entry: Field) -> str:
    """Return what a key means: its description, else what its section says of itself."""
    said = entry.metadata["description"] or next(kind.__doc__ for kind in alternatives(entry.type) if is_section(kind))
    return " ".join(said.split())
