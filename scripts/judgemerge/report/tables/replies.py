"""replies.csv: how the judge outputs ended, and why some could not be parsed."""

from collections.abc import Mapping

from judgemerge.report.markup import TEXT, plain
from judgemerge.report.material import Material
from judgemerge.report.table import Column, Finding, Frame, Inputs, Page, Pair, Study, Table, View, judging_pairs

MOST_LINES = 5  # judges with unreadable replies that the first page names
COLUMNS = {
    "judge": Column("name of the judge"),
    "benchmark": Column("name of the item set"),
    "verdicts": Column("number of verdicts, unreadable ones included", "d"),
    "cut": Column("replies that ran into the token limit of their prompt, whether they could be read or not", "d"),
    "cut_share": Column("share of cut replies among those whose end is known", TEXT),
    "errors": Column("replies without a verdict", "d"),
    "reasons": Column("reason codes of the errors, the most frequent first", TEXT),
    "note": Column("what is not known, or why the judge failed", TEXT),
}


def writing_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for every model that writes replies, or scores what may be written."""
    return judging_pairs(study, "model")


def inputs(study: Study) -> Inputs:
    """Return the verdicts of those pairs."""
    return Inputs(verdicts=writing_pairs(study))


def parameters(study: Study) -> dict[str, list[Pair]]:
    """Return the pairs."""
    return {"pairs": writing_pairs(study)}


def rows(material: Material, pairs: list[Pair]) -> Frame:
    """Return one row per judge and benchmark; that of a judge that failed has no counts, and its note says why."""
    import pandas as pd

    from judgemerge.evaluate import reply_counts
    from judgemerge.judge import failures

    lines = []
    for pair in pairs:
        reason = material.reason(*pair)
        line = reply_counts.table_row(*pair, [] if reason else material.verdicts(*pair))
        lines.append(line | ({"note": failures.NOTE + reason} if reason else {}))
    return pd.DataFrame(lines, columns=list(COLUMNS))


def page(table: Frame, view: View) -> Page:
    """Return the rows of each benchmark."""
    from judgemerge.judge import failures

    missing = failures.missing(zip(table.judge, table.benchmark, table.note, strict=True))
    return view.page(plain(table, COLUMNS), missing)


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return how many verdicts of models could not be read, where most of them are, and who could not judge."""
    from judgemerge.judge import failures

    total, errors, cut = (int(table[column].sum()) for column in ("verdicts", "errors", "cut"))
    sentences = [
        f"{errors:,} of {total:,} verdicts of models could not be read; {cut:,} replies ran into the limit of tokens."
    ]
    for row in (
        table[table.errors > 0].sort_values("errors", ascending=False, kind="stable").head(MOST_LINES).itertuples()
    ):
        sentences.append(f"{row.judge} on {row.benchmark}: {row.errors:,} of {row.verdicts:,} ({row.reasons}).")
    missing = failures.missing(zip(table.judge, table.benchmark, table.note, strict=True)).strip()
    return [
        Finding(
            "What could not be read", [*sentences, *([missing] if missing else [])], in_short=bool(errors or missing)
        )
    ]


TABLE = Table(
    title="Judge outputs: truncation and parse failures",
    caption="How the replies of every judge ended, and why some could not be read. ``cut`` counts replies that ran "
    "into the limit of tokens of their prompt, ``errors`` those without a verdict, by reason code (docs/judging.md "
    "says what each means). ``replies.csv`` has the same rows.",
    columns=COLUMNS,
    condition=writing_pairs,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro="cut: replies that ran into max_new_tokens of their prompt, whether they could be read or not; cut_share of "
    "those whose end is known. errors: replies without a verdict, by reason. A cut reply is read only where its form "
    "is closed (docs/judging.md).",
    page=page,
    findings=findings,
)
