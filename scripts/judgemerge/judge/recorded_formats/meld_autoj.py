"""Read the Auto-J replies in MELD's length-bias file (role `verdicts`), joined by id; one order.

The verdict is what follows the last "final decision is": Response 1, Response 2 or Tie.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import Item
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, check_text, not_recorded, recorded

ROLES = (("verdicts",), ())


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    outcomes = {"response 1": "first", "response 2": "second", "tie": "tie"}
    rows = by_key(paths["verdicts"], lambda row: str(row.get("id", int)))
    for item in items:
        row = rows.get(item.id)
        if row is None:
            yield from not_recorded(item, ORDERS[:1])
            continue
        check_text(row, "question", item.turns[0], item)
        check_text(row, "answer1_body", item.responses[0][0], item)
        check_text(row, "answer2_body", item.responses[1][0], item)
        reply = row.get("autoj_response")
        decision = reply.rpartition("final decision is")[2] if "final decision is" in reply else ""
        match = re.match(r"\s*(response [12]|tie)\b", decision, re.IGNORECASE)
        yield recorded(item, "original", outcomes[match[1].lower()] if match else None, reply, row)
