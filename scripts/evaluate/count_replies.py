"""Make tables/replies.{csv,html}: how the replies of every judge ended, and why some could not be read."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.items import read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate import reply_counts
from judgemerge.judge import failures
from judgemerge.report import pages

INTRO = (
    "cut: replies that ran into max_new_tokens of their prompt, whether they could be read or not; cut_share of those "
    "whose end is known. errors: replies without a verdict, by reason. A cut reply is read only where its form is "
    "closed (docs/judging.md)."
)


def main(verdicts: list[str], units: list[tuple[str, str]], table: str, page: str) -> None:
    """Write one row per judge and benchmark; `units` names them in the order of `verdicts`.

    The row of a judge that failed has no counts, and its note says why.
    """
    rows, notes = [], []
    for (judge, benchmark), path in zip(units, verdicts, strict=True):
        reason = failures.reason_of(path, benchmark)
        row = reply_counts.table_row(judge, benchmark, [] if reason else list(read_verdicts(path, benchmark)))
        if reason:
            row["note"] = failures.NOTE + reason
            notes.append((judge, benchmark, row["note"]))
        rows.append(row)
    missing = failures.missing(notes)
    frame = pd.DataFrame(rows, columns=reply_counts.COLUMNS)
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    sections = [
        (benchmark, pages.frame(own.drop(columns="benchmark")))
        for benchmark, own in frame.groupby("benchmark", sort=False)
    ]
    with files.atomic_writer(page) as file:
        file.write(pages.page("Replies", INTRO + missing, sections))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            verdicts=list(snakemake.input.verdicts),
            units=snakemake.params.units,
            table=snakemake.output.table,
            page=snakemake.output.page,
        )
