"""Make scripts/judgemerge/settings/llamafactory_keys.json: the keys of LLaMA-Factory training files.

    .venv/bin/python tools/list_training_keys.py

Reads the dataclasses of the LLaMA-Factory that is installed, which takes seconds and imports torch; a study file is
checked against the list alone. Run it again when the lock has another LLaMA-Factory or Transformers; a test compares.
"""

import dataclasses
import enum
import json
import os
import sys
import types
import typing
from pathlib import Path

os.environ.setdefault("DISABLE_VERSION_CHECK", "1")
TARGET = Path(__file__).parents[1] / "scripts/judgemerge/settings/llamafactory_keys.json"
NAMES = {bool: "boolean", int: "integer", float: "number", str: "string", dict: "object", list: "array"}
NAMES |= {type(None): "null"}


def main() -> None:
    """Write the list."""
    TARGET.write_text(text(), encoding="utf-8")


def text() -> str:
    """Return the content of the file: one key a line, sorted."""
    lines = [f"{json.dumps(name)}: {json.dumps(entry)}" for name, entry in sorted(keys().items())]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def keys() -> dict[str, dict]:
    """Return {key: {type, enum?, description?}} as JSON schemas, from the dataclasses of a training."""
    from llamafactory.hparams.parser import _TRAIN_ARGS

    found = {}
    for group in _TRAIN_ARGS:
        hints = typing.get_type_hints(group)
        for field in dataclasses.fields(group):
            if field.init:
                found[field.name] = _schema(hints[field.name], field)
    return found


def _schema(hint: object, field: dataclasses.Field) -> dict:
    kinds, choices = set(), []
    for part in _parts(hint):
        if typing.get_origin(part) is typing.Literal:
            choices += typing.get_args(part)
            kinds |= {NAMES[type(choice)] for choice in typing.get_args(part)}
        elif isinstance(part, type) and issubclass(part, enum.Enum):
            choices += [choice.value for choice in part]
            kinds.add("string")
        else:
            kinds.add(NAMES.get(typing.get_origin(part) or part, "string"))
    if "number" in kinds:
        kinds.discard("integer")  # a JSON number may be whole
    schema = {"type": sorted(kinds - {"null"})}
    if choices and kinds - {"null"} == {NAMES[type(choice)] for choice in choices}:
        schema["enum"] = choices
    description = " ".join(str(field.metadata.get("help", "")).split())
    if description:
        schema["description"] = description.split(". ")[0].removesuffix(".")[:200] + "."
    return schema


def _parts(hint: object) -> list:
    """Return the alternatives of a type."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return [part for one in typing.get_args(hint) for part in _parts(one)]
    return [hint]


if __name__ == "__main__":
    sys.exit(main())
