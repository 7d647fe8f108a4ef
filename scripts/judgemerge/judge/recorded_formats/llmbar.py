"""Read an LLMBar result.json (role `result`) of any of its strategies; both orders.

The verdict is in the last element of `results`, whatever the strategy put before it (metrics, a reference, the
first round of Swap). Winners are already in the benchmark's order. Rating strategies score each output once, and
LLMBar turns the two scores into winners: equal scores into one win each, and unreadable scores too. Here the scores
decide (equal = tie, unreadable = `unparsed`), and LLMBar's winners are kept for the rows with published rules; with
`rating: winners` they decide everywhere. The reply of a rating is its two scores, one per line.
"""

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.data.benchmarks._rows import Row
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, check_text, not_recorded, recorded

ROLES = (("result",), ())


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    rule = options.get("rating", "scores")
    if rule not in ("scores", "winners"):
        raise JudgemergeError(f"option rating is '{rule}', not scores or winners")
    rows = by_key(paths["result"], lambda row: row.number)
    for item in items:
        row = rows.get(item.origin["row"])
        if row is None:
            yield from not_recorded(item, ORDERS)
            continue
        check_text(row, "input", item.turns[0], item)
        check_text(row, "output_1", item.responses[0][0], item)
        check_text(row, "output_2", item.responses[1][0], item)
        results = row.get("results", list)
        if not results or not isinstance(results[-1], dict):
            raise row.error("field 'results' does not end with an object that has the winners")
        last = Row(row.file, row.number, results[-1])
        for order, key in zip(ORDERS, ("swap = False", "swap = True"), strict=True):
            yield _llmbar_verdict(item, order, last, Row(row.file, row.number, last.get(key, dict)), rule)


def _llmbar_verdict(item: Item, order: str, last: Row, game: Row, rule: str) -> Recorded:
    outcome = {"1": "first", "2": "second", None: None}[game.get("winner", (str, type(None)), ("1", "2", None))]
    if "score_1" not in last.data:
        reply = game.get("completion.0", (str, type(None)))
        return recorded(item, order, outcome, reply, last, finish_reason=game.value("completion.1"))
    texts = [last.get(f"score_{number}.0") for number in (1, 2)]
    winner = outcome
    if rule == "scores":
        outcome = _compare(*(int(text) if re.fullmatch(r"\s*[+-]?\d+\s*", text) else None for text in texts))
    scored = recorded(item, order, outcome, "\n".join(texts), last)
    if winner == outcome:
        return scored
    return dataclasses.replace(scored, verdict=dataclasses.replace(scored.verdict, published=winner or "error"))


def _compare(first: int | None, second: int | None) -> str | None:
    if first is None or second is None:
        return None
    return "tie" if first == second else "first" if first > second else "second"
