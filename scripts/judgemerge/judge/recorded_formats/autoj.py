"""Read Auto-J's verdicts (roles `original`, and `swapped` for the exchange file): {output: 0, 1 or 2} per line.

The exchange file speaks of the positions that were shown, so 0 and 1 change places. The files have no texts: lines
belong to rows by their number alone, and a file with more lines than items is refused.
"""

from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import SWAPPED, Item
from judgemerge.core.records import spelled
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, not_recorded, recorded

ROLES = ((), ("original", "swapped"))
VERDICT_FIELDS = ("output",)


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    outcomes = {"0": "first", "1": "second", "2": "tie"}
    files = {order: by_key(paths[order], lambda row: row.number) for order in ORDERS if order in paths}
    for order, rows in files.items():
        if len(rows) > len(items) and not options.get("drawn"):
            raise JudgemergeError(
                f"{paths[order]}: {len(rows)} verdicts for {len(items)} items; without texts they can only be matched "
                "by number, so give all items of the benchmark"
            )
    for item in items:
        for order, rows in files.items():
            row = rows.get(item.origin["row"])
            if row is None:
                yield from not_recorded(item, (order,))
                continue
            output = row.get("output", (int, float, str, type(None)))
            outcome = outcomes.get(spelled(output))
            yield recorded(
                item, order, SWAPPED[outcome] if outcome and order == "swapped" else outcome, None, row, output
            )
