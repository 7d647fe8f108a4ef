"""How far a judge's own scores and verdicts fit each other, and whether a derived verdict agrees better with people."""

from collections import defaultdict
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.estimates import Settings, draw_sample, proportion
from judgemerge.prompting import dimensions
from judgemerge.prompting.parsing import Reply

COLUMNS = ("judge", "benchmark", "statement", "value", "ci_low", "ci_high", "n", "errors", "note")


def statement_table(
    items: Sequence[Item],
    judge: str,
    replies: Iterable[Reply],
    verdicts: Iterable[Verdict],
    settings: Settings,
) -> pd.DataFrame:
    """Return a row per statement of `dimensions.statements`, and the accuracy of verdicts derived from scores.

    `replies` are rows of replies/{judge}/{suite}.jsonl on the same items, `verdicts` what they were read as. n counts
    replies that say enough for the statement, errors the others, unreadable ones included.
    """
    by_id = {item.id: item for item in items}
    read = {(verdict.item, verdict.order): verdict for verdict in verdicts}
    held: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    unknown: dict[str, int] = defaultdict(int)
    names: dict[str, None] = {}
    for row in replies:
        item = by_id.get(row.item)
        if item is None:
            continue
        verdict = read.get((row.item, row.order))
        readable = verdict is not None and verdict.outcome != "error"
        stated = verdict.score if readable and item.protocol == "pointwise" else verdict.outcome if readable else ""
        statements = [*dimensions.statements(item.protocol, row.reply or "", stated, row.order)]
        if item.protocol == "pairwise":
            scores = dimensions.read_scores(row.reply or "", item.protocol)
            for rule in ("stated", *dimensions.RULES):
                derived = dimensions.derived_verdict(scores, rule, row.order)
                name = f"accuracy of the verdict by {'overall scores' if rule == 'stated' else f'{rule} of dimensions'}"
                statements.append((name, None if derived is None else derived == item.truth))
            statements.append(("accuracy of the stated verdict", stated == item.truth if readable else None))
        for name, holds in statements:
            names[name] = None
            if holds is None or not readable and "accuracy of the verdict by" not in name:
                unknown[name] += 1
            else:
                held[name].append((item.cluster, holds))
    return pd.DataFrame(
        [_row(judge, items[0].benchmark, name, held[name], unknown[name], settings) for name in names], columns=COLUMNS
    )


def _row(
    judge: str, benchmark: str, name: str, held: list[tuple[str, bool]], n_unknown: int, settings: Settings
) -> dict:
    row = {"judge": judge, "benchmark": benchmark, "statement": name, "n": len(held), "errors": n_unknown, "note": ""}
    if not held:
        return row | {"note": "no reply states enough", "value": np.nan, "ci_low": np.nan, "ci_high": np.nan}
    sample = draw_sample([cluster for cluster, _ in held], f"{benchmark}/statements", settings)
    return row | proportion(sample, np.array([holds for _, holds in held], dtype=float)).columns()
