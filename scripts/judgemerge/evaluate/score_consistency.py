"""How far a judge's own scores and verdicts fit each other, and whether a derived verdict agrees better with people."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Order, Verdict
from judgemerge.evaluate.estimates import UNDEFINED, Measurement, draw_sample, proportion
from judgemerge.prompting import dimensions
from judgemerge.prompting.parsing import Reply
from judgemerge.settings.report import Statistics

COLUMNS = ("judge", "benchmark", "statement", *Measurement._fields[1:])


def score_consistency_table(
    items: Sequence[Item],
    judge: str,
    replies: Iterable[Reply],
    verdicts: Iterable[Verdict],
    settings: Statistics,
) -> pd.DataFrame:
    """Return a row per statement of `dimensions.statements`, and the accuracy of verdicts derived from scores.

    `replies` are those of replies/{judge}/{suite}.jsonl to the same items, `verdicts` what they were read as. n counts
    replies that say enough for the statement, errors the others, unreadable ones included.
    """
    by_id = {item.id: item for item in items}
    by_place = {(verdict.item, verdict.order): verdict for verdict in verdicts}
    statements: dict[str, list[tuple[str, bool | None]]] = defaultdict(list)
    for reply in replies:
        item, order, text = by_id.get(reply.item), reply.order, reply.reply or ""
        if item is not None:
            for name, holds in _statements(item, order, text, by_place.get((item.id, order))):
                statements[name].append((item.cluster, holds))
    rows = [_measurement(items[0].benchmark, name, values, settings) for name, values in statements.items()]
    return pd.DataFrame([(judge, items[0].benchmark, *row) for row in rows], columns=list(COLUMNS))


def _statements(item: Item, order: Order, reply: str, verdict: Verdict | None) -> Iterator[tuple[str, bool | None]]:
    """Yield each statement about one reply and whether it holds, None where the reply does not say enough."""
    readable = verdict is not None and verdict.outcome != "error"
    stated = verdict.score if readable and item.protocol == "pointwise" else verdict.outcome if readable else ""
    for name, holds in dimensions.statements(item.protocol, reply, stated, order):
        yield name, holds if readable else None
    if item.protocol == "pairwise":
        scores = dimensions.read_scores(reply, item.protocol)
        for rule in ("stated", *dimensions.RULES):
            derived = dimensions.derived_verdict(scores, rule, order)
            name = f"accuracy of the verdict by {'overall scores' if rule == 'stated' else f'{rule} of dimensions'}"
            yield name, None if derived is None else derived == item.truth
        yield "accuracy of the stated verdict", stated == item.truth if readable else None


def _measurement(
    benchmark: str, name: str, values: Sequence[tuple[str, bool | None]], settings: Statistics
) -> Measurement:
    stated = [(cluster, holds) for cluster, holds in values if holds is not None]
    n, errors = len(stated), len(values) - len(stated)
    if not stated:
        return Measurement.of(name, UNDEFINED, n, errors, "no reply states enough")
    sample = draw_sample([cluster for cluster, _ in stated], f"{benchmark}/score_consistency", settings)
    return Measurement.of(name, proportion(sample, np.array([holds for _, holds in stated], dtype=float)), n, errors)
