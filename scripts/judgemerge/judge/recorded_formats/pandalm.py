"""Read PandaLM's verdict files (role `verdicts`), joined by idx; one order.

`pandalm_result` is 0, 1 or 2; `gpt_result` is "1", "2", "Tie" or "garbage", which is `unparsed`. The files keep
only parts of the reply: the reason is given as the reply, the judge's own answer is in `extra`.
"""

from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.core.records import spelled
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, not_recorded, recorded

ROLES = (("verdicts",), ())
VERDICT_FIELDS = ("pandalm_result", "gpt_result")


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    outcomes = {"0": "tie", "1": "first", "2": "second", "Tie": "tie"}
    rows = by_key(paths["verdicts"], lambda row: str(row.get("idx", int)))
    for item in items:
        row = rows.get(item.id)
        if row is None:
            yield from not_recorded(item, ORDERS[:1])
            continue
        prefix = "pandalm" if "pandalm_result" in row.data else "gpt"
        result = row.get(f"{prefix}_result", (int, float, str))
        outcome = outcomes.get(spelled(result))
        reply = row.get(f"{prefix}_reason") or None
        yield recorded(item, "original", outcome, reply, row, result, reference=row.get(f"{prefix}_reference"))
