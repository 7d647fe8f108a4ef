"""What formats share: rows by key, verdicts of rows and of items without one, and texts that must agree."""

from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path

from judgemerge.core.items import LONE_SURROGATE, Item, Verdict
from judgemerge.core.records import spelled
from judgemerge.data.benchmarks._rows import Row, normalise, read_rows
from judgemerge.judge.recorded_formats import Recorded


def by_key(rows: Path | Iterable[Row], key_of: Callable[[Row], Hashable]) -> dict[Hashable, Row]:
    """Return rows, or those of a file, by their key; a key that occurs twice raises JudgemergeError."""
    keyed: dict[Hashable, Row] = {}
    for row in read_rows(rows) if isinstance(rows, Path) else rows:
        key = key_of(row)
        if key in keyed:
            raise row.error(f"a second verdict on {key}, after row {keyed[key].number}")
        keyed[key] = row
    return keyed


def recorded(
    item: Item, order: str, outcome: str | None, reply: str | None, row: Row, value: object = None, **extra: object
) -> Recorded:
    """Return the verdict of a row; no outcome means that nobody could read the reply.

    `value` is what the file has in its place, where that is a word of a short list.
    """
    verdict = Verdict(item.id, order, outcome or "error", reason=None if outcome else "unparsed")
    unknown = None if outcome or value is None else spelled(value)
    return Recorded(verdict, reply, extra, row.number, unknown)


def not_recorded(item: Item, orders: Iterable[str]) -> Iterator[Recorded]:
    """Yield what stands for an item that the file has no row for."""
    for order in orders:
        yield Recorded(Verdict(item.id, order, "error", reason="not_recorded"))


def check_text(row: Row, name: str, expected: str, item: Item) -> None:
    """Raise JudgemergeError unless a field has the text of the item, case and white space folded."""
    if normalise(LONE_SURROGATE.sub("\ufffd", str(row.data.get(name)))) != normalise(expected):
        raise row.error(
            f"field '{name}' starts with {str(row.data.get(name))[:40]!r}, but item {item.id} of {item.benchmark} has "
            f"{expected[:40]!r}"
        )
