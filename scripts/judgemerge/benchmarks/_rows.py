"""What every adapter needs: rows with checked fields, clusters by prompt, and majorities of votes."""

import collections
import json
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judgemerge import files
from judgemerge.errors import JudgemergeError, did_you_mean
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
    """Yield the records of a JSON list, a JSON-lines file or a Parquet file, told apart by how they begin."""
    for number, data in enumerate(_records(path)):
        if not isinstance(data, dict):
            raise JudgemergeError(f"{path}: row {number} is {type(data).__name__}, not an object with named fields")
        yield Row(Path(path), number, data)


def _records(path: str | Path) -> Iterable:
    with open(path, "rb") as file:
        start = file.read(64)
    if start.startswith(b"PAR1"):
        return _parquet_records(path)
    is_list = start.decode("utf-8", errors="ignore").lstrip("\ufeff \t\r\n").startswith("[")
    return files.read_json(path) if is_list else files.read_jsonl(path)


def _parquet_records(path: str | Path) -> Iterator[dict]:
    try:
        import pyarrow.parquet
    except ModuleNotFoundError:
        raise JudgemergeError(
            f"{path}: reading Parquet needs the package pyarrow; install it or convert the file"
        ) from None
    try:
        for batch in pyarrow.parquet.ParquetFile(path).iter_batches(batch_size=1000):
            yield from batch.to_pylist()
    except (pyarrow.ArrowException, OSError) as error:
        reason = " ".join(str(error).split())
        raise JudgemergeError(f"{path}: is not a whole Parquet file ({reason}); fetch it again") from None


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


def checked_options(spec: dict, **known: Collection | type | tuple[type, ...]) -> dict:
    """Return the options of a catalogue entry; each is of a type, or one of the values, that `known` gives."""
    where = f"benchmark '{spec['name']}': options"
    options = {name: value for name, value in spec.get("options", {}).items() if value is not None}
    for name, value in options.items():
        if name not in known:
            raise JudgemergeError(f"{where} has the unknown key '{name}'{did_you_mean(name, known)}")
        allowed = known[name]
        is_type = isinstance(allowed, type) or isinstance(next(iter(allowed)), type)
        if not isinstance(value, allowed) if is_type else value not in allowed:
            names = allowed.__name__ if isinstance(allowed, type) else ", ".join(map(str, allowed))
            raise JudgemergeError(f"{where}: {name} is {value!r}, not {names}")
    return options
