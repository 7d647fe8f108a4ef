"""What all pages are made of: the page, tables, cells with intervals, and the notes below a table."""

import html
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from judgemerge.evaluate.published import COUNTS

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #222; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
td small { color: #777; }
th.text, td.text { text-align: left; }
td.long { text-align: left; white-space: normal; min-width: 18rem; }
tr.fail td { background: #fbe3e4; }
ul.warning { background: #fbe3e4; padding: .6rem 2rem; max-width: 60rem; }
h3 { font-size: .95rem; margin: 1rem 0 .2rem; }
details { margin: .6rem 0; }
summary { cursor: pointer; color: #4c6a92; }
"""


def page(title: str, intro: str, sections: Sequence[tuple[str, str]]) -> str:
    """Return a whole page; `sections` are (heading, HTML made by this module)."""
    body = "".join(
        f"<h2>{html.escape(heading)}</h2><div class='scroll'>{content}</div>" for heading, content in sections
    )
    return (
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{html.escape(intro)}</p>{body}</body></html>\n"
    )


def frame(table: pd.DataFrame) -> str:
    """Return a data frame as an HTML table, every cell escaped."""
    return table.to_html(index=False, border=0, na_rep="", escape=True)


def notes(about_and_notes: Iterable[tuple[str, str]]) -> str:
    """Return each note once, after the metrics or judges that it is about."""
    about: dict[str, list[str]] = {}
    for name, note in about_and_notes:
        if isinstance(note, str) and note and name not in about.setdefault(note, []):
            about[note].append(name)
    return "".join(
        f"<p><b>{html.escape(', '.join(names))}</b>: {html.escape(note)}</p>" for note, names in about.items()
    )


def undefined_notes(rows: pd.DataFrame, names: Iterable[str]) -> str:
    """Return why the values that are undefined are; `names` says for each row whose it is."""
    marked = zip(names, rows["value"], rows["note"], strict=True)
    return notes((name, f"– {note}") for name, value, note in marked if np.isnan(value) and note)


def details(summary: str, content: str) -> str:
    """Return content that is shown when its summary is clicked; `summary` is text, `content` HTML."""
    return f"<details><summary>{html.escape(summary)}</summary>{content}</details>"


def part(title: str, content: str) -> str:
    """Return a part of a section; `title` is text, `content` HTML."""
    return f"<h3>{html.escape(title)}</h3>{content}"


def grid(head: Sequence[str], lines: Sequence[Sequence]) -> str:
    """Return a table; `head` is text, the cells of `lines` are HTML."""
    titles = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def value_cell(row, with_n: bool = False) -> str:
    """Return the cell of a row with metric, value, ci_low, ci_high, note (and n): `value [low, high]`."""
    if np.isnan(row.value):
        return f"<small title='{html.escape(str(row.note), quote=True)}'>–</small>"
    interval = "" if np.isnan(row.ci_low) else f" <small>[{row.ci_low:.3f}, {row.ci_high:.3f}]</small>"
    is_count = row.metric.partition("[")[0] in COUNTS
    size = f" <small>n {row.n}</small>" if with_n else ""
    return f"{row.value:.0f}" if is_count else f"{row.value:.3f}{interval}{size}"
