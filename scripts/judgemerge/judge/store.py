"""The replies of a model on disk: append-only, locked, and safe from kills once a line is written."""

import contextlib
import dataclasses
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Self

from judgemerge.core import files, locks
from judgemerge.core.errors import JudgemergeError
from judgemerge.judge.backends import Completion

KEY = "prompt"
# How the questions of embedding studies were stored at first.
FORMER_NAMES = {"asked": KEY, "reply": "text"}


class Store(contextlib.AbstractContextManager):
    """Replies by the key of their request. New ones go to one file, which one job at a time writes; others are read.

    A second job with the same file (left over from a killed run, or of a merge that equals another) waits, then finds
    the replies. Without a file replies are held in memory.
    """

    def __init__(self, path: str | Path | None = None, others: Iterable[str | Path] = ()):
        """Read what is there; a last line cut by a kill is removed from the own file and ignored in the others."""
        self.path = None if path is None else Path(path)
        self.replies: dict[str, Completion] = {}
        self.failures: dict[str, str] = {}  # key → reason; of this run alone, so that the next one asks again
        self._file = None if self.path is None else self._open(self.path)
        for other in [*others, *([self.path] if self.path else [])]:
            if Path(other).is_file():
                self._read(Path(other))

    @classmethod
    def of_model(cls, folder: str | Path, name: str) -> Self:
        """Return the store of one suite (or whatever `name` is) in the folder of a model; all files there are read."""
        path = Path(folder, f"{name}.jsonl")
        return cls(path, sorted(set(Path(folder).glob("*.jsonl")) - {path}))

    def _open(self, path: Path) -> IO[str]:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a", encoding="utf-8")  # noqa: SIM115 – open, and locked, as long as the store is
        locks.wait_for(file.fileno(), f"{path}: another job is judging this with the same weights; waiting for it")
        with open(path, "rb+") as binary:
            content = binary.read()
            binary.truncate(content.rfind(b"\n") + 1)
        return file

    def _read(self, path: Path) -> None:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break  # another job is writing this line right now, or was killed in it
                try:
                    key, reply = _parse(line)
                    if _is_finite(reply.text):  # else stored before backends refused it: the prompt is asked again
                        self.replies[key] = reply
                except (ValueError, AttributeError, TypeError, KeyError):
                    raise JudgemergeError(
                        f"{path}: line {number} is not a reply; delete that line, the prompt will be judged again"
                    ) from None

    def add(self, replies: Iterable[tuple[str, Completion]]) -> None:
        """Append replies by key; they survive a kill of the process once this returns.

        Log-probabilities that are no numbers raise JudgemergeError: they are the model's failure, and no reply.
        """
        for key, reply in replies:
            if not _is_finite(reply.text):
                raise JudgemergeError(
                    f"{self.path}: a log-probability is not finite ({reply.text[:80]}); nothing stored"
                )
            self.replies[key] = reply
            if self._file is not None:
                self._file.write(files.json_line({KEY: key, **_row(reply)}))
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())

    def knows(self, key: str) -> bool:
        """Return whether a request has its reply, or failed to get one in this run."""
        return key in self.replies or key in self.failures

    def close(self) -> None:
        """Close the own file."""
        if self._file is not None:
            self._file.close()

    def __exit__(self, *error: object) -> None:
        self.close()


def _parse(line: bytes) -> tuple[str, Completion]:
    row = json.loads(line)
    if KEY not in row:
        row = {FORMER_NAMES.get(name, name): value for name, value in row.items()}
    return row.pop(KEY), Completion(**row)


def _row(reply: Completion) -> dict:
    row = dataclasses.asdict(reply)
    return row if reply.batch else {name: value for name, value in row.items() if name not in ("seconds", "batch")}


def _is_finite(text: str) -> bool:
    """Return whether a reply of log-probabilities holds numbers alone; any other is text, and counts as finite."""
    return not (text.startswith('{"logprobs"') and ("NaN" in text or "Infinity" in text))
