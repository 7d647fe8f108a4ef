"""Several judges over one file: one after the other, what they say beside every field of a record, and their agreement.

What `judgemerge judge` does with more than one --model. A judge that cannot judge is named, and the others go on.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd

from judgemerge.api import agreement
from judgemerge.api.judging import Judge, Judged, beside
from judgemerge.core.errors import JudgemergeError
from judgemerge.data.loose_votes import people_of
from judgemerge.judge import streaming
from judgemerge.judge.streaming import Record

PEOPLE = "people"
COLUMNS = ["judge", "with", "metric", "value", "ci_low", "ci_high", "n", "errors", "clusters", "note"]
# What is printed of it, as far as it is there; the file has every metric.
SHOWN = ("accuracy", "accuracy_first", "accuracy_swapped", "accuracy_both", "kappa", "consistency", "error_rate")
SHOWN += ("pearson", "spearman", "kendall", "mae", "agreement")
ONE_ORDER = ["accuracy_first", "accuracy_swapped"]  # shown of judges that were asked in one order


def judge_all(
    judges: Iterable[Judge], records: Sequence[Record], orders: str, say: Callable[[str], None]
) -> list[Judged]:
    """Return what each judge made of the records; a model is let go of before the next one is loaded.

    `say` is told of every judge that could not judge; where none could, the last one's error is raised.
    """
    judged, error = [], None
    for judge in judges:
        with judge:
            try:
                judged.append(judge.judge_lines(records, orders=orders))
            except JudgemergeError as reason:
                error = reason
                say(f"{judge.name}: left out, {reason}")
                continue
        counts = Counter(kind for one in judged[-1] for kind in streaming.kinds(one))
        say(f"{judge.name}: {streaming.summary(counts)}")
    if error and not judged:
        raise error
    return judged


def rows(judged: Sequence[Judged]) -> Iterator[dict[str, Any]]:
    """Yield every record with all its fields and, under `judged`, what each judge said; a fault where none read it."""
    for number, record in enumerate(judged[0].records):
        said = {one.judge: one.results[number] for one in judged}
        first = judged[0].results[number]
        yield beside(record, said) if record else first.row()


def status(judged: Sequence[Judged], n_left_out: int) -> int:
    """Return the exit status: 2 where no judge judged anything, 1 where a judge or a record was left out."""
    each = [streaming.status(Counter(kind for one in some for kind in streaming.kinds(one))) for some in judged]
    if all(one == 2 for one in each):
        return 2
    return int(any(each) or n_left_out > 0)


def unread_labels(judged: Judged) -> str:
    """Return a sentence on labels that could not be read, empty where all could."""
    unread = [
        (number, said.unread, record)
        for number, record in enumerate(judged.records, 1)
        if record and (said := people_of(record, judged.protocol)).unread
    ]
    if not unread:
        return ""
    number, key, record = unread[0]
    value = record.get(key, record.get("votes"))
    return (
        f"{len(unread)} labels could not be read and do not count, the first one {key} = {value!r:.60} of record "
        f"{number}; say first, second or tie (or A, B) of a pair, a number of a grade"
    )


def table_of(judged: Sequence[Judged]) -> pd.DataFrame:
    """Return how far judges agree with the people in the records, if there are any, and with each other.

    One row per judge, `with` whom (people, or another judge) and metric; a judge called `mean` is the mean over judges,
    or over pairs of judges.
    """
    parts = []
    if any(item.truth is not None for one in judged for item in one.labelled_items):
        parts.append(agreement.with_people(judged).assign(**{"with": PEOPLE}))
    if len(judged) > 1:
        between = agreement.between(judged).rename(columns={"judge_a": "judge", "judge_b": "with"})
        parts.append(between.replace({"with": {"": "each other"}}))
    return pd.concat(parts, ignore_index=True)[COLUMNS] if parts else pd.DataFrame(columns=COLUMNS)


def lines_of(table: pd.DataFrame) -> Iterator[str]:
    """Yield the table as text: a line per judge and whom it is compared with, means last in each part."""
    for title, part in (
        ("Agreement with people", table[table["with"] == PEOPLE]),
        ("Agreement between judges", table[table["with"] != PEOPLE]),
    ):
        shown = part[part.metric.isin(SHOWN) & part.value.notna()]
        shown = shown[~shown.metric.isin(ONE_ORDER)] if "accuracy" in set(shown.metric) else shown
        if len(shown):
            yield f"{title} [95 % interval, prompts resampled]"
            yield from _text(shown).splitlines()
        elif len(part):
            yield f"{title}: {part.note.iloc[0]}"


def _text(rows: pd.DataFrame) -> str:
    """Return rows as a grid: metrics side by side, n and errors of the first of them."""
    grid = {}
    for (judge, other), own in rows.groupby(["judge", "with"], sort=False):
        name = f"{judge} – {other}" if other != PEOPLE else judge
        cells = {one.metric: _cell(one) for one in own.itertuples()}
        grid[name] = {**cells, "n": str(own.n.iloc[0]), "errors": str(own.errors.max())}
    metrics = [name for name in SHOWN if any(name in cells for cells in grid.values())]
    return pd.DataFrame.from_dict(grid, orient="index")[[*metrics, "n", "errors"]].fillna("").to_string()


def _cell(row: Any) -> str:
    interval = f" [{row.ci_low:.3f}, {row.ci_high:.3f}]" if np.isfinite(row.ci_low) else ""
    return f"{row.value:.3f}{interval}"
