"""The file of votes: JSON lines, written whole with every vote, so that a crash leaves the votes up to the last one.

A row is one vote of one annotator, in the order in which they were given: `item`, `vote` in the benchmark's own order
(first, second, tie) or a grade, `annotator`; and for who studies how people vote `turned` (whether the second answer
stood left), `seconds`, `at` (UTC), and `text`, a digest of what was shown. `evaluate/labels.py` reads it as the votes
of a `corrected` entry, whatever the sheet of the same draw says.
"""

import contextlib
import glob
import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item

LONGEST_NAME = 60


class LabelVote(NamedTuple):
    """One row of the file."""

    item: str
    vote: str | float
    annotator: str
    turned: bool | None = None
    seconds: float | None = None
    at: str | None = None
    text: str | None = None

    def row(self) -> dict[str, Any]:
        """Return what is written of it."""
        return {name: value for name, value in self._asdict().items() if value is not None}


class VoteFile:
    """The votes on the units of a draw. What others add to the file in the meantime is kept."""

    def __init__(self, path: Path, items: Mapping[str, Item], values: Iterable[str | float]):
        self.path = path
        self.items = items
        self.values = set(values)
        self._version: object = None
        self._votes: list[LabelVote] = []

    def clear(self) -> None:
        """Remove what writers that were killed have left of a file; to be called where nobody else writes."""
        for part in self.path.parent.glob(f".{glob.escape(self.path.name)}.*.part"):
            part.unlink(missing_ok=True)

    def votes(self) -> list[LabelVote]:
        """Return the votes in the order in which they were given; a row that cannot be right is refused."""
        if not self.path.exists():
            self._votes, self._version = [], None
        elif (version := files.version(self.path)) != self._version:
            self._votes, self._version = read_votes(self.path, self.items, self.values), version
        return self._votes

    def add(self, vote: LabelVote) -> None:
        """Add a vote at the end."""
        self._write([*self.votes(), vote])

    def withdraw(self, vote: LabelVote) -> None:
        """Take a vote out."""
        self._write([one for one in self.votes() if one != vote])

    def _write(self, votes: list[LabelVote]) -> None:
        """Replace the file, and let the disk say that its folder knows."""
        files.write_jsonl(self.path, (vote.row() for vote in votes))
        sync_folder(self.path.parent)
        self._votes, self._version = votes, files.version(self.path)


def sync_folder(folder: Path) -> None:
    """Have the disk remember which file a name in the folder means; some network disks cannot be asked to."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_votes(path: Path, items: Mapping[str, Item], values: Iterable[str | float]) -> list[LabelVote]:
    """Return the votes of a file; those on other units, of other texts or outside of the choices are refused."""
    values, seen, votes = set(values), set(), []
    for number, row in enumerate(files.read_jsonl(path), 1):
        where = f"{path}: row {number}"
        unknown = row.keys() - set(LabelVote._fields)
        if unknown or not {"item", "vote", "annotator"} <= row.keys():
            raise JudgemergeError(f"{where} is no vote of the page: it has {', '.join(row)}; keep other rows elsewhere")
        vote = LabelVote(**row)
        if not isinstance(vote.item, str) or vote.item not in items:
            raise JudgemergeError(f"{where} votes on '{vote.item}', which was not drawn; leave the row out")
        if type(vote.vote) not in (str, int, float) or vote.vote not in values:
            listed = ", ".join(f"{value:g}" if isinstance(value, float | int) else value for value in sorted(values))
            raise JudgemergeError(f"{where}: vote is {vote.vote!r}, not one of {listed}; correct the row, or the scale")
        if not is_name(vote.annotator) or vote.annotator != one_line(vote.annotator):
            raise JudgemergeError(f"{where}: annotator is {vote.annotator!r}, not a name; give one")
        if vote.text is not None and vote.text != text_digest(items[vote.item]):
            raise JudgemergeError(
                f"{where} was given to another text of '{vote.item}' than the study has now; move {path} away, or make "
                "the items as they were"
            )
        if (vote.item, vote.annotator) in seen:
            raise JudgemergeError(f"{where} is a second vote of '{vote.annotator}' on '{vote.item}'; keep one")
        seen.add((vote.item, vote.annotator))
        votes.append(vote)
    return votes


def text_digest(item: Item) -> str:
    """Return a digest of what people are shown of an item, in its own order."""
    answers = [f"{len(response)}" for response in item.responses]
    turns = [turn for response in item.responses for turn in response]
    return files.sha256_text(*item.turns, *answers, *turns)[:16]


def annotator_name(text: object) -> str:
    """Return a name as it is written in the file: one line of letters that can be seen."""
    if not is_name(text):
        raise JudgemergeError(f"a name has 1 to {LONGEST_NAME} letters that can be seen; write another one")
    return one_line(text)


def is_name(text: object) -> bool:
    """Return whether a text can be the name of an annotator."""
    return isinstance(text, str) and 1 <= len(one_line(text)) <= LONGEST_NAME and one_line(text).isprintable()


def one_line(text: str) -> str:
    """Return a text with one space where it has white space, and every letter in its usual form."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def same_annotator(name: str, annotators: Iterable[str]) -> str:
    """Return the annotator who is called so in whatever case, or the new name."""
    return next((other for other in annotators if other.casefold() == name.casefold()), name)
