"""unified.csv: judges on all benchmarks of pairs, counted as myendless1/llm-as-a-judge counts, with row counts."""

import html
from collections.abc import Sequence
from typing import Any

from judgemerge.report.markup import TEXT, grid, in_form
from judgemerge.report.material import Material
from judgemerge.report.table import Column, Frame, Inputs, Section, Study, Table, judges_pairs

COLUMNS = {
    "benchmark": Column("name of the item set"),
    "judge": Column("name of the judge"),
    "origin": Column("computed here, or quoted from the published table"),
    "items": Column("number of items"),
    "drawn_from": Column("number of items that these were sampled from; empty when all are used"),
    "rows": Column("number of rows that are counted, or what is known of the quoted ones", TEXT),
    "errors": Column("number of verdicts that could not be read"),
    "accuracy": Column("accuracy, where an unreadable verdict is wrong"),
    "accuracy_errors_as_ties": Column("accuracy, where an unreadable verdict is a tie"),
    "precision": Column("precision of the first response"),
    "recall": Column("recall of the first response"),
    "f1": Column("F1 of the first response"),
    "macro_precision": Column("mean of the precisions of all classes"),
    "macro_recall": Column("mean of the recalls of all classes"),
    "macro_f1": Column("mean of the F1 of all classes"),
    "said_first": Column("number of verdicts for the first response"),
    "said_second": Column("number of verdicts for the second response"),
    "said_tie": Column("number of ties"),
}
INTRO = (
    "Every judge on every benchmark of pairs, counted as myendless1/llm-as-a-judge counts: one row per item, in "
    "LLMBar one per item and order. Precision, recall and F1 are those of the first response alone; macro "
    "averages run over the classes. A verdict that cannot be read is wrong here; the original takes it for a tie, "
    "see the column 'errors as ties'. Rows in a section are of the same items; values of different sections are "
    "not comparable. Quoted figures were read by eye from a picture and may be of other rows, as their row count "
    "says."
)
VALUES = {
    "accuracy": "accuracy",
    "accuracy_errors_as_ties": "errors as ties",
    "precision": "precision",
    "recall": "recall",
    "f1": "F1",
    "macro_precision": "macro precision",
    "macro_recall": "macro recall",
    "macro_f1": "macro F1",
}
VERDICTS = {"said_first": "said first", "said_second": "said second", "said_tie": "said tie"}
HEAD = ("judge", "rows", "errors", *VALUES.values(), *VERDICTS.values())


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one section per benchmark; its size is in the heading, so that sizes cannot be mixed up."""
    return [
        (
            f"{benchmark}{_size(rows[rows.origin == 'computed'])}",
            grid(HEAD, [_line(row) for row in rows.itertuples()]),
        )
        for benchmark, rows in table.groupby("benchmark", sort=False)
    ]


def _size(computed: Frame) -> str:
    if not len(computed):
        return ": quoted only"
    population = f" of {computed.drawn_from.iloc[0]:.0f}" if computed.drawn_from.notna().any() else ""
    return f": {computed['items'].iloc[0]:.0f}{population} items, {computed.rows.iloc[0]} rows"


def _line(row) -> list[str]:
    judge = html.escape(row.judge)
    if row.origin == "quoted":
        judge = f"<i>{judge}, quoted</i>"
    values = [in_form(getattr(row, name), ".3f") for name in VALUES]
    counts = [in_form(getattr(row, name), ".0f") for name in ("errors", *VERDICTS)]
    return [judge, html.escape(str(row.rows)), counts[0], *values, *counts[1:]]


def pairwise_benchmarks(study: Study) -> list[str]:
    """Return the benchmarks of pairs, if the study asks for the table."""
    return judges_pairs(study) if study.settings.unified_table else []


def has_table(study: Study) -> bool:
    """The study asks for the table."""
    return study.settings.unified_table


def inputs(study: Study) -> Inputs:
    """Return items, counts and verdicts of every judge on those benchmarks."""
    names = pairwise_benchmarks(study)
    return Inputs(
        items=names, counts=names, verdicts=[(judge, name) for name in names for judge in study.judges_of(name)]
    )


def parameters(study: Study) -> dict[str, Any]:
    """Return the judges of each benchmark."""
    return {"judges": {name: study.judges_of(name) for name in pairwise_benchmarks(study)}}


def rows(material: Material, judges: dict[str, list[str]]) -> Frame:
    """Return one row per benchmark and judge, and the quoted figures of these benchmarks."""
    import pandas as pd

    from judgemerge.evaluate.estimates import DECIMALS
    from judgemerge.evaluate.published import Case, unified

    lines = []
    for benchmark, names in judges.items():
        verdicts = material.verdicts_of((judge, benchmark) for judge in names)
        case = Case(material.items(benchmark), {judge: verdicts[judge, name] for judge, name in verdicts})
        population = material.counts(benchmark).get("drawn_from")
        lines += [unified.computed_row(counted, population) for counted in unified.counted_rows(case)]
        lines += [unified.quoted_row(figure) for figure in unified.quoted() if figure.benchmark == benchmark]
    return pd.DataFrame(lines, columns=list(COLUMNS)).round(DECIMALS)


TABLE = Table(
    title="Pairwise results by the llm-as-a-judge protocol",
    caption="Every judge on every benchmark of pairs, by the protocol of myendless1/llm-as-a-judge, with the "
    "number of rows; its published figures are shown beside ours for the same items. ``unified.csv`` has "
    "the same rows.",
    columns=COLUMNS,
    condition=has_table,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    sections=sections,
)
