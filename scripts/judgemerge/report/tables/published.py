"""published.csv: every published number beside the reproduced one, pass or fail."""

import html
import math
from collections.abc import Mapping
from typing import Any

from judgemerge.evaluate.expected import read_expected
from judgemerge.report.markup import TEXT, by_benchmark, notes
from judgemerge.report.table import Column, Finding, Frame, Page, Section, Study, Table, View

MOST_MISSED = 5  # numbers that the first page names
COLUMNS = {
    "judge": Column("name of the judge"),
    "benchmark": Column("name of the item set"),
    "metric": Column("name of the metric"),
    "rules": Column("house or published: the protocol that the number is counted by"),
    "printed": Column("the number as it was written", TEXT),
    "published": Column("the same as a fraction"),
    "reproduced": Column("what came out here; empty where nothing did"),
    "difference": Column("reproduced minus published"),
    "tolerance": Column("half a unit of the last printed digit"),
    "result": Column("pass or fail"),
    "n": Column("number of items", TEXT),
    "errors": Column("number of unreadable verdicts", TEXT),
    "kind": Column("printed in a paper or file, or recomputed from released files"),
    "source": Column("where the number is from"),
    "note": Column("why nothing came out, or how the number is counted"),
}
HEAD = ("result", "judge", "metric", "rules", "published", "reproduced", "n", "errors", "source")
TEXTS = ("judge", "metric", "rules", "source")
INTRO = (
    "What papers and released files say, beside what came out here. Printed numbers are in a paper, a README or a "
    "file of results; recomputed ones follow from released files and were counted independently of this code. "
    "Published rules count as the paper does, house rules as everywhere else in this report. {passed} of {total} "
    "numbers are reproduced within half a unit of their last printed digit."
)


def has_expected(study: Study) -> bool:
    """Papers or released files have numbers for the study (config/expected.tsv)."""
    return bool(read_expected("config/expected.tsv", study.name))


def sections(table: Frame) -> list[Section]:
    """Return one section per benchmark of published.csv: reproduced beside published, in the notation of the source."""
    return by_benchmark(table, _benchmark)


def page(table: Frame, view: View) -> Page:
    """Return one section per benchmark, and how many numbers are reproduced."""
    return view.page(sections(table), passed=(table.result == "pass").sum(), total=len(table))


def _benchmark(rows: Frame) -> str:
    body = "".join(map(_published_row, rows.itertuples()))
    titles = "".join(f"<th{' class=text' if name in TEXTS else ''}>{name}</th>" for name in HEAD)
    table = f"<table><thead><tr>{titles}</tr></thead><tbody>{body}</tbody></table>"
    return table + notes(zip(rows.metric, rows.note, strict=True))


def _published_row(row: Any) -> str:
    texts = "".join(f"<td class='text'>{html.escape(text)}</td>" for text in (row.judge, row.metric, row.rules))
    numbers = (row.printed, _as_printed(row.reproduced, row.printed, row.metric), row.n, row.errors)
    return (
        f"<tr class='{row.result}'><td>{row.result}</td>{texts}"
        + "".join(f"<td>{number}</td>" for number in numbers)
        + f"<td class='long'>{html.escape(row.source)}</td></tr>"
    )


def _as_printed(value: float, printed: str, metric: str) -> str:
    """Return a value with two digits more than the printed number, in percent when that is; counts stay whole."""
    from judgemerge.evaluate.published import COUNTS

    if math.isnan(value):
        return "–"
    if metric.partition("[")[0] in COUNTS:
        return f"{value:.0f}"
    percent = printed.endswith("%")
    digits = 6 if "/" in printed else min(len(printed.rstrip("%").partition(".")[2]) + 2, 12)
    return f"{100 * value:.{digits}f}%" if percent else f"{value:.{digits}f}"


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return how many published numbers are reproduced, and the first that are not."""
    missed = table[table.result != "pass"]
    sentences = [
        f"{len(table) - len(missed)} of {len(table)} published numbers are reproduced to the last printed digit."
    ]
    sentences += [
        f"Not: {row.judge}, {row.benchmark}, {row.metric}: published {row.printed}, here {row.reproduced:.6g}."
        for row in missed.head(MOST_MISSED).itertuples()
    ]
    return [Finding("Published numbers", sentences)]


TABLE = Table(
    title="Published results, reproduced",
    caption="Numbers that papers printed, or that follow from the files they released, beside the reproduced ones. "
    "``published.csv`` has the same rows with difference and tolerance; the run fails when one is off by more than "
    "half a unit of its last printed digit.",
    columns=COLUMNS,
    condition=has_expected,
    intro=INTRO,
    page=page,
    findings=findings,
)
