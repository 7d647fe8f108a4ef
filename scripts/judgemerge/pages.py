"""Tables as small HTML pages for the report: everything is escaped, nothing is loaded from elsewhere."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd

_STYLE = """
body { font: 14px/1.45 system-ui, sans-serif; margin: 1.5rem; color: #222; }
h2 { font-size: 1.05rem; margin: 1.6rem 0 .4rem; }
p { max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem; text-align: right; border-bottom: 1px solid #ddd; white-space: nowrap; }
th:first-child, td:first-child { text-align: left; position: sticky; left: 0; background: #fff; }
td small { color: #777; }
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
    """Return one section per benchmark and rules: a row per judge, a column per metric, `value [low, high]`."""
    sections = []
    for (benchmark, protocol, rules), rows in table.groupby(["benchmark", "protocol", "rules"], sort=False):
        metrics = list(rows["metric"].unique())
        order = [judge for judge in judges if judge in set(rows["judge"])]
        cells = {(row.judge, row.metric): _cell(row) for row in rows.itertuples()}
        counts = rows.groupby("judge")[["n", "errors"]].max()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in ("judge", "n", "errors", *metrics))
        lines = [
            f"<tr><td>{html.escape(judge)}</td><td>{counts.loc[judge, 'n']}</td><td>{counts.loc[judge, 'errors']}</td>"
            + "".join(f"<td>{cells.get((judge, metric), '')}</td>" for metric in metrics)
            + "</tr>"
            for judge in order
        ]
        heading = f"{benchmark} ({protocol}, {rules} rules)"
        sections.append((heading, f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(lines)}</tbody></table>"))
    return sections


def _cell(row) -> str:
    if np.isnan(row.value):
        return f"<small title='{html.escape(str(row.note), quote=True)}'>–</small>"
    interval = "" if np.isnan(row.ci_low) else f" <small>[{row.ci_low:.3f}, {row.ci_high:.3f}]</small>"
    return f"{row.value:.3f}{interval}"
