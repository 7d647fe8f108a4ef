"""What every adapter needs: rows with checked fields, clusters by prompt, and majorities of votes."""

import collections
import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgemerge import files
from judgemerge.errors import JudgemergeError
from judgemerge.items import Vote

KIND_NAMES = {str: "text", int: "a whole number", float: "a number", list: "a list", dict: "an object"}


@dataclass(frozen=True)
class Row:
    """One record of a raw file; `number` counts from 0."""

    file: Path
    number: int
    data: dict

    def get(self, field: str, kind: type | tuple[type, ...] = str, choices: Collection | None = None) -> Any:
        """Return the value of a field, or raise JudgemergeError when it is absent, of another type or not a choice.

        A boolean is no number. With kind float a whole number is accepted and returned as float.
        """
        if field not in self.data:
            raise self.error(f"has no field '{field}'; it has {', '.join(self.data) or 'none'}")
        value = self.data[field]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        if float in kinds and type(value) is int:
            value = float(value)
        if type(value) not in kinds:
            names = " or ".join(KIND_NAMES.get(one, one.__name__) for one in kinds)
            raise self.error(f"field '{field}' is {json.dumps(value, ensure_ascii=False)[:60]}, not {names}")
        if choices is not None and value not in choices:
            raise self.error(f"field '{field}' is {value!r}, not one of {', '.join(map(str, choices))}")
        return value

    def error(self, problem: str) -> JudgemergeError:
        """Return the error that names this row."""
        return JudgemergeError(f"{self.file}: row {self.number}: {problem}; is it the file that the catalogue names?")


def read_rows(path: str | Path) -> Iterator[Row]:
    """Yield the records of a JSON list or of a JSON-lines file (told apart by the first character, not by the name)."""
    with open(path, encoding="utf-8") as file:
        is_list = file.read(64).lstrip("\ufeff \t\r\n").startswith("[")
    for number, data in enumerate(files.read_json(path) if is_list else files.read_jsonl(path)):
        if not isinstance(data, dict):
            raise JudgemergeError(f"{path}: row {number} is {type(data).__name__}, not an object with named fields")
        yield Row(Path(path), number, data)


def normalise(text: str) -> str:
    """Return the text with case and white space folded."""
    return " ".join(text.casefold().split())


def cluster_of(prompt: str) -> str:
    """Return the cluster of a prompt: a digest that is equal for prompts that are equal after `normalise`."""
    return files.sha256_text(normalise(prompt))[:16]


def majority(votes: Collection[Vote]) -> str:
    """Return the class with most votes; an even split at the top is a tie."""
    counted = collections.Counter(vote.vote for vote in votes).most_common()
    if len(counted) > 1 and counted[0][1] == counted[1][1]:
        return "tie"
    return counted[0][0]
