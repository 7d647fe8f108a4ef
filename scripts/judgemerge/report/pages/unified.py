"""The page of unified.csv: a section per benchmark, its size in the heading, so that sizes cannot be mixed up."""

import html

import numpy as np
import pandas as pd

from judgemerge.report.pages.markup import grid

INTRO = (
    "Every judge on every benchmark of pairs, counted as myendless1/llm-as-a-judge counts: one row per item, in "
    "LLMBar one per item and order. Precision, recall and F1 are those of the first response alone; macro "
    "averages run over the classes. A verdict that cannot be read is wrong here; the original takes it for a tie, "
    "see the column 'errors as ties'. Rows in a section are of the same items; values of different sections are "
    "not comparable. Quoted figures were read by eye from a picture and may be of other rows, as their row count "
    "says."
)
HEAD = (
    "judge",
    "rows",
    "errors",
    "accuracy",
    "errors as ties",
    "precision",
    "recall",
    "F1",
    "macro precision",
    "macro recall",
    "macro F1",
    "said first",
    "said second",
    "said tie",
)
VALUES = ("accuracy", "accuracy_errors_as_ties", "precision", "recall", "f1")
VALUES = (*VALUES, "macro_precision", "macro_recall", "macro_f1")
SAID = ("said_first", "said_second", "said_tie")


def unified_sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per benchmark of unified.csv, with its items, rows and the rows that quoted figures are of."""
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        lines = [_line(row) for row in rows.itertuples()]
        ours = rows[rows["origin"] == "computed"]
        size = ""
        if len(ours):
            drawn = f" of {ours['drawn_from'].iloc[0]:.0f}" if ours["drawn_from"].notna().any() else ""
            size = f": {ours['items'].iloc[0]:.0f}{drawn} items, {ours['rows'].iloc[0]} rows"
        sections.append((f"{benchmark}{size or ': quoted only'}", grid(HEAD, lines)))
    return sections


def _line(row) -> list[str]:
    judge = html.escape(row.judge)
    if row.origin == "quoted":
        judge = f"<i>{judge}, quoted</i>"
    values = [_number(getattr(row, name)) for name in VALUES]
    counts = [_count(getattr(row, name)) for name in ("errors", *SAID)]
    return [judge, html.escape(str(row.rows)), counts[0], *values, *counts[1:]]


def _number(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"


def _count(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.0f}"
