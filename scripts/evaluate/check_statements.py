"""Make tables/statements.{csv,html}: whether scores, overall scores and verdicts in judges' replies fit each other."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.frames import with_labels
from judgemerge.core.items import read_benchmark, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.estimates import Settings
from judgemerge.evaluate.statements import statement_table
from judgemerge.judge import failures
from judgemerge.report import pages
from judgemerge.report.pages import statements


def main(
    judged: list[tuple[str, str]],
    items: dict[str, str],
    replies: list[str],
    verdicts: list[str],
    statistics: dict,
    labels: dict[str, str],
    table: str,
    page: str,
) -> None:
    """Write a row per judge, benchmark and statement; the three lists run in parallel, `items` is by benchmark."""
    settings = Settings(statistics["resamples"], statistics["confidence"], statistics["seed"])
    parts = []
    for (judge, benchmark), reply_file, verdict_file in zip(judged, replies, verdicts, strict=True):
        if failures.reason_of(verdict_file, benchmark):
            continue
        rows = list(read_benchmark(reply_file, benchmark))
        given = list(read_verdicts(verdict_file, benchmark))
        parts.append(statement_table(read_items(items[benchmark]), judge, rows, given, settings))
    if not parts:
        raise JudgemergeError("no judge whose replies state scores could judge; see above why")
    result = pd.concat(parts, ignore_index=True)
    with files.atomic_writer(table) as file:
        result.to_csv(file, index=False)
    intro = statements.INTRO.format(confidence=f"{100 * statistics['confidence']:g} %")
    with files.atomic_writer(page) as file:
        file.write(pages.page("Scores and verdicts", intro, statements.statement_sections(with_labels(result, labels))))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            judged=snakemake.params.judged,
            items=dict(zip(snakemake.params.benchmarks, snakemake.input.item_sets, strict=True)),
            replies=list(snakemake.input.replies),
            verdicts=list(snakemake.input.verdicts),
            statistics=snakemake.params.statistics,
            labels=snakemake.params.labels,
            table=snakemake.output.table,
            page=snakemake.output.page,
        )
