"""Read a FastChat gpt-4_pair.jsonl (role `verdicts`), joined by question, turn and models; both orders.

Game 1 shows model_1 first, game 2 model_2 first; both winners name the model, so neither is swapped again. An item
whose models are the other way round has game 2 as its original order. "error" is `unparsed`. The question, and the
answers where they are public, must occur in the stored prompts in the order shown.
"""

from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.items import SWAPPED, Item
from judgemerge.data.benchmarks._rows import Row, normalise
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, not_recorded, recorded

ROLES = (("verdicts",), ())
VERDICT_FIELDS = ("g1_winner", "g2_winner")


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    rows = by_key(
        paths["verdicts"],
        lambda row: (
            row.get("question_id", int),
            row.get("turn", int),
            *sorted((row.get("model_1"), row.get("model_2"))),
        ),
    )
    for item in items:
        row = rows.get((item.extra.get("question_id"), item.extra.get("turn"), *sorted(item.models)))
        if row is None:
            yield from not_recorded(item, ORDERS)
            continue
        same = row.get("model_1") == item.models[0]
        for order, game in zip(ORDERS, ("g1", "g2") if same else ("g2", "g1"), strict=True):
            _check_prompt(row, f"{game}_user_prompt", item, order)
            winner = row.get(f"{game}_winner", str, ("model_1", "model_2", "tie", "error"))
            outcome = {"model_1": "first", "model_2": "second", "tie": "tie", "error": None}[winner]
            outcome = outcome if same or outcome is None else SWAPPED[outcome]
            yield recorded(item, order, outcome, row.get(f"{game}_judgment"), row, template=row.get("judge", list)[-1])


def _check_prompt(row: Row, name: str, item: Item, order: str) -> None:
    """Raise unless the last question, and both last answers in the order shown, occur in a stored prompt."""
    prompt, start = normalise(row.get(name)), 0
    responses = item.responses if order == "original" else item.responses[::-1]
    for text in (item.turns[-1], *(response[-1] for response in responses)):
        position = prompt.find(normalise(text), start)
        if position < 0:
            raise row.error(f"field '{name}' lacks {text[:40]!r}, which item {item.id} shows there in {order} order")
        start = position + len(normalise(text))
