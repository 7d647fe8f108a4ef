"""Read GPT-4's verdicts of the MT-Bench snapshot (role `verdicts`), joined by question, turn and models.

A row is one verdict from both orders, given once, as `original`: a win is a win in both orders, and "tie
(inconsistent)" is a tie whose `extra.inconsistent` is true, as in the MT-Bench paper. There are no replies.
"""

from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.data.benchmarks import mtbench
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, not_recorded, recorded

ROLES = (("verdicts",), ())
VERDICT_FIELDS = ("winner",)


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    winners = (*mtbench.WINNERS, "tie (inconsistent)")
    rows = by_key(paths["verdicts"], lambda row: mtbench.item_id(mtbench.pair_of(row)))
    for item in items:
        row = rows.get(item.id)
        if row is None:
            yield from not_recorded(item, ORDERS[:1])
            continue
        outcome = mtbench.class_of(row, winners)
        yield recorded(item, "original", outcome, None, row, inconsistent=row.get("winner") == "tie (inconsistent)")
