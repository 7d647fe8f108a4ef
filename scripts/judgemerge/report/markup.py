"""What all pages are made of: the page, tables, cells with intervals, and the notes below a table."""

import html
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.report.table import Column, Section

if TYPE_CHECKING:
    import pandas as pd

INTERVAL = ("value", "ci_low", "ci_high")
TEXT = "text"  # the form of a column that is shown as it is written

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


def page(title: str, intro: str, sections: Sequence[Section], columns: Mapping[str, str] | None = None) -> str:
    """Return a whole page; `sections` are (heading, HTML made by this module), `columns` what those of the CSV mean."""
    body = "".join(
        f"<h2>{html.escape(heading)}</h2><div class='scroll'>{content}</div>" for heading, content in sections
    )
    body += details("Columns of the CSV file", _definitions(columns)) if columns else ""
    return (
        f"<!DOCTYPE html><html lang='en'><head><meta charset='utf-8'><title>{html.escape(title)}</title>"
        f"<style>{_STYLE}</style></head><body><h1>{html.escape(title)}</h1><p>{html.escape(intro)}</p>{body}</body></html>\n"
    )


def _definitions(columns: Mapping[str, str]) -> str:
    lines = (f"<dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd>" for name, text in columns.items())
    return f"<dl>{''.join(lines)}</dl>"


def frame(table: "pd.DataFrame") -> str:
    """Return a data frame as an HTML table, every cell escaped."""
    return table.to_html(index=False, border=0, na_rep="", escape=True)


def by_benchmark(table: "pd.DataFrame", section: Callable[["pd.DataFrame"], str]) -> list[Section]:
    """Return one section per benchmark."""
    return [(str(benchmark), section(rows)) for benchmark, rows in table.groupby("benchmark", sort=False)]


def plain(table: "pd.DataFrame", columns: Mapping[str, Column]) -> list[Section]:
    """Return the table as it is, in one section per benchmark: numbers in the form that their column declares.

    A value with the ends of its interval stands in one cell.
    """
    if "benchmark" not in table or not len(table):
        return [("Table", formatted(table, columns))]
    return by_benchmark(table, lambda rows: formatted(rows.drop(columns="benchmark"), columns))


def formatted(rows: "pd.DataFrame", columns: Mapping[str, Column]) -> str:
    """Return rows as an HTML table, each column in its form."""
    has_interval = set(INTERVAL) <= set(rows)
    cells = {}
    for name in rows:
        form = columns[name].form if name in columns else ""
        if has_interval and name in INTERVAL[1:]:
            continue
        if has_interval and name == "value":
            cells[name] = [span(row.value, row.ci_low, row.ci_high, form or ".3f") for row in rows.itertuples()]
        else:
            cells[name] = [in_form(value, form) for value in rows[name]]
    return grid(list(cells), [[html.escape(cell) for cell in line] for line in zip(*cells.values(), strict=True)])


def in_form(value: Any, form: str) -> str:
    """Return one value in the form of its column; a number that does not exist is a dash where there is a form."""
    if isinstance(value, float) and math.isnan(value):
        return "–" if form and form != TEXT else ""
    return format(value, form) if form and form != TEXT and not isinstance(value, str) else str(value)


def span(value: float, low: float, high: float, form: str = ".3f") -> str:
    """Return a value with its interval; a dash where there is none."""
    if math.isnan(value):
        return "–"
    interval = "" if math.isnan(low) else f" [{low:{form}}, {high:{form}}]"
    return f"{value:{form}}{interval}"


def notes(about_and_notes: Iterable[tuple[str, str]]) -> str:
    """Return each note once, after the metrics or judges that it is about."""
    about: dict[str, list[str]] = {}
    for name, note in about_and_notes:
        if isinstance(note, str) and note and name not in about.setdefault(note, []):
            about[note].append(name)
    return "".join(
        f"<p><b>{html.escape(', '.join(names))}</b>: {html.escape(note)}</p>" for note, names in about.items()
    )


def undefined_notes(rows: "pd.DataFrame", names: Iterable[str]) -> str:
    """Return why the values that are undefined are; `names` says for each row whose it is."""
    marked = zip(names, rows.value, rows.note, strict=True)
    return notes((name, f"– {note}") for name, value, note in marked if math.isnan(value) and note)


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


def dash(note: object) -> str:
    """Return the cell of a value that does not exist; its reason shows when the pointer rests on it."""
    return f"<small title='{html.escape(str(note), quote=True)}'>–</small>"


def value_cell(row: Any, with_n: bool = False) -> str:
    """Return the cell of a row with metric, value, ci_low, ci_high, note (and n): `value [low, high]`.

    A difference, where the table says so (`detectable`), names the smallest one that would have been shown.
    """
    from judgemerge.evaluate.published import COUNTS

    if math.isnan(row.value):
        return dash(row.note)
    interval = "" if math.isnan(row.ci_low) else f" <small>[{row.ci_low:.3f}, {row.ci_high:.3f}]</small>"
    is_count = row.metric.partition("[")[0] in COUNTS
    least = getattr(row, "detectable", math.nan)
    shown = "" if math.isnan(least) else f" <small>shows {least:.3f}</small>"
    size = f" <small>n {row.n}</small>" if with_n else ""
    return f"{row.value:.0f}" if is_count else f"{row.value:.3f}{interval}{shown}{size}"


def sized_cell(row: Any) -> str:
    """Return the cell of a row with its n."""
    return value_cell(row, with_n=True)


class Crosstab:
    """Rows of a long table as a wide one: `lines` and `columns` are its keys, in the order in which they come.

    The keys of a row are what stands in its `line` and `column` columns, `cell` gives the HTML of its cell.
    """

    def __init__(
        self,
        rows: "pd.DataFrame",
        line: str | Sequence[str],
        column: str | Sequence[str],
        cell: Callable[[Any], str] = value_cell,
    ):
        self.cells = {(_key(row, line), _key(row, column)): cell(row) for row in rows.itertuples()}
        self.lines = list(dict.fromkeys(key for key, _ in self.cells))
        self.columns = list(dict.fromkeys(key for _, key in self.cells))

    def line(self, key: Any, columns: Iterable[Any] | None = None) -> list[str]:
        """Return the cells of one line; where there is no row they are empty."""
        return [self.cells.get((key, column), "") for column in (self.columns if columns is None else columns)]

    def html(
        self,
        head: Sequence[str],
        lines: Iterable[Any] | None = None,
        columns: Iterable[Any] | None = None,
        names: Callable[[Any], Sequence[object]] | None = None,
        titles: Callable[[Any], str] = str,
    ) -> str:
        """Return the wide table; `head` names the first cells of each line, `names` gives their texts."""
        columns = self.columns if columns is None else list(columns)
        body = [
            [*(html.escape(str(name)) for name in (names(key) if names else [key])), *self.line(key, columns)]
            for key in (self.lines if lines is None else lines)
        ]
        return grid([*head, *map(titles, columns)], body)


def _key(row: Any, columns: str | Sequence[str]) -> Any:
    return getattr(row, columns) if isinstance(columns, str) else tuple(getattr(row, column) for column in columns)


def spans(table: "pd.DataFrame", value: str, low: str, high: str, form: str = ".3f") -> list[str]:
    """Return the values of one column with the ends of their intervals, which are columns too."""
    return [span(*row, form) for row in table[[value, low, high]].itertuples(index=False)]
