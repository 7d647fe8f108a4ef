"""The page of ablation.csv: per published table, ours and the printed value side by side."""

import html

import numpy as np
import pandas as pd

from judgemerge.evaluate.variants import MEAN
from judgemerge.report.pages.markup import grid, notes, part, value_cell

TITLE = "Variants beside the published table"
_INTRO = (
    "Each cell: our value with its interval and n, then the published value of the row of the same name, which is "
    "quoted and not computed here. Grades: Pearson correlation over the replies that were read. Pairs: share of right "
    "verdicts in both orders on the pairs that people do not call a tie; an error is a miss. The paper judges "
    "one order of pairs."
)
_MADE_HERE = (
    " The models of this run are tiny ones, made on the spot and trained on synthetic tasks. Only the shape of the "
    "table is the paper's: our numbers say that every variant can be made and judged, and nothing about the published "
    "ones."
)


def intro(made_here: bool) -> str:
    """Return what the page says first; `made_here` tells whether the models are tiny ones."""
    return _INTRO + (_MADE_HERE if made_here else "")


def sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per published table, with a part per side."""
    made = []
    for name, rows in table.groupby("table", sort=False):
        parts = "".join(_side(side, chosen) for side, chosen in rows.groupby("side", sort=False))
        sources = "; ".join(source for source in rows["source"].unique() if source != "not published")
        made.append((str(name).replace("_", " "), parts + f"<p>Published: {html.escape(sources)}.</p>"))
    return made


def _side(side: str, rows: pd.DataFrame) -> str:
    columns = [column for column in rows["column"].unique() if column != MEAN] + [MEAN]
    by_cell = {(row.row, row.column): row for row in rows.itertuples()}
    lines = [
        [html.escape(f"{name} ({judge})"), *(_cell(by_cell[(name, column)]) for column in columns)]
        for name, judge in rows[["row", "judge"]].drop_duplicates().itertuples(index=False)
    ]
    head = ["row (our judge)", *columns]
    errors = rows[rows["errors"] > 0]
    counted = ((f"{row.row}, {row.column}", f"{row.errors} verdicts could not be read") for row in errors.itertuples())
    about = notes(zip(rows["column"], rows["note"], strict=True))
    summary = f"<details><summary>Errors by row and column</summary>{notes(counted)}</details>" if len(errors) else ""
    return part(f"{side}: {rows['metric'].iloc[0]}", grid(head, lines) + about + summary)


def _cell(row) -> str:
    digits = f"{row.published:.4f}" if row.metric != "pearson" else f"{row.published:.3f}"
    published = "" if np.isnan(row.published) else f"<br><small>published {digits}</small>"
    return value_cell(row, with_n=row.column != MEAN) + published
