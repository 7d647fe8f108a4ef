"""The page of published.csv."""

import html

import numpy as np
import pandas as pd

from judgemerge.evaluate.published import COUNTS
from judgemerge.report.pages.markup import notes


def published_sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per benchmark of published.csv: reproduced beside published, in the notation of the source."""
    head = ("result", "judge", "metric", "rules", "published", "reproduced", "n", "errors", "source")
    texts = ("judge", "metric", "rules", "source")
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        body = "".join(_published_row(row) for row in rows.itertuples())
        titles = "".join(f"<th{' class=text' if name in texts else ''}>{name}</th>" for name in head)
        content = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
        sections.append((benchmark, content + notes(zip(rows["metric"], rows["note"], strict=True))))
    return sections


def _published_row(row) -> str:
    texts = "".join(f"<td class='text'>{html.escape(text)}</td>" for text in (row.judge, row.metric, row.rules))
    numbers = (row.printed, _as_printed(row.reproduced, row.printed, row.metric), row.n, row.errors)
    return (
        f"<tr class='{row.result}'><td>{row.result}</td>{texts}"
        + "".join(f"<td>{number}</td>" for number in numbers)
        + f"<td class='long'>{html.escape(row.source)}</td></tr>"
    )


def _as_printed(value: float | str, printed: str, metric: str) -> str:
    """Return a value with two digits more than the printed number, in percent when that is; counts stay whole."""
    if value == "" or np.isnan(value):
        return "–"
    if metric.partition("[")[0] in COUNTS:
        return f"{value:.0f}"
    percent = printed.endswith("%")
    digits = 6 if "/" in printed else min(len(printed.rstrip("%").partition(".")[2]) + 2, 12)
    return f"{100 * value:.{digits}f}%" if percent else f"{value:.{digits}f}"
