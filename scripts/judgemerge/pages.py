"""Tables as small HTML pages for the report: everything is escaped, nothing is loaded from elsewhere."""

import html
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from judgemerge.published import COUNTS

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


def agreement_sections(table: pd.DataFrame, judges: Sequence[str]) -> list[tuple[str, str]]:
    """Return one section per benchmark and rules.

    House rules: a row per judge, a column per metric, `value [low, high]`. Published rules have many metrics and no
    intervals: a row per metric, a column per judge; people (annotators, constant judges) come after the judges.
    """
    sections = []
    for (benchmark, protocol, rules), rows in table.groupby(["benchmark", "protocol", "rules"], sort=False):
        present = list(dict.fromkeys(rows["judge"]))
        order = [judge for judge in judges if judge in present] + [judge for judge in present if judge not in judges]
        heading = f"{benchmark} ({protocol}, {rules} rules)"
        sections.append((heading, _by_metric(rows, order) if rules == "published" else _by_judge(rows, order)))
    return sections


def _by_judge(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    metrics = list(rows["metric"].unique())
    cells = {(row.judge, row.metric): _cell(row) for row in rows.itertuples()}
    counts = rows.groupby("judge")[["n", "errors"]].max()
    lines = [
        [html.escape(judge), counts.loc[judge, "n"], counts.loc[judge, "errors"]]
        + [cells.get((judge, metric), "") for metric in metrics]
        for judge in judges
    ]
    return _table(["judge", "n", "errors", *metrics], lines)


def _by_metric(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    metrics = list(rows["metric"].unique())
    cells = {(row.judge, row.metric): _cell(row) for row in rows.itertuples()}
    sizes = rows.groupby("metric")["n"].agg(["min", "max"])
    lines = [
        [html.escape(metric), "–".join(map(str, dict.fromkeys(sizes.loc[metric])))]
        + [cells.get((judge, metric), "") for judge in judges]
        for metric in metrics
    ]
    return _table(["metric", "n", *judges], lines) + _notes(zip(rows["metric"], rows["note"], strict=True))


def published_sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per benchmark of published.csv: reproduced beside published, in the notation of the source."""
    head = ("result", "judge", "metric", "rules", "published", "reproduced", "n", "errors", "source")
    texts = ("judge", "metric", "rules", "source")
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        body = "".join(_published_row(row) for row in rows.itertuples())
        titles = "".join(f"<th{' class=text' if name in texts else ''}>{name}</th>" for name in head)
        content = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
        sections.append((benchmark, content + _notes(zip(rows["metric"], rows["note"], strict=True))))
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


def overlap_sections(table: pd.DataFrame, warnings: Sequence[str]) -> list[tuple[str, str]]:
    """Return the warnings, then one section per benchmark of overlap.csv."""
    listed = "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings)
    sections = [("Shared prompts", f"<ul class='warning'>{listed}</ul>")] if warnings else []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        shown = rows.drop(columns="benchmark").astype({"share": object})
        shown["share"] = [f"{value:.1%}" if pd.notna(value) else "–" for value in rows["share"]]
        sections.append((benchmark, frame(shown)))
    return sections


def _notes(metrics_and_notes: Iterable[tuple[str, str]]) -> str:
    """Return each note once, after the metrics that it is about."""
    about: dict[str, list[str]] = {}
    for metric, note in metrics_and_notes:
        if isinstance(note, str) and note and metric not in about.setdefault(note, []):
            about[note].append(metric)
    return "".join(
        f"<p><b>{html.escape(', '.join(names))}</b>: {html.escape(note)}</p>" for note, names in about.items()
    )


def _table(head: Sequence[str], lines: Sequence[Sequence]) -> str:
    """Return a table; `head` is text, the cells of `lines` are HTML."""
    titles = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in lines)
    return f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"


def _cell(row) -> str:
    if np.isnan(row.value):
        return f"<small title='{html.escape(str(row.note), quote=True)}'>–</small>"
    interval = "" if np.isnan(row.ci_low) else f" <small>[{row.ci_low:.3f}, {row.ci_high:.3f}]</small>"
    is_count = row.metric.partition("[")[0] in COUNTS
    return f"{row.value:.0f}" if is_count else f"{row.value:.3f}{interval}"
