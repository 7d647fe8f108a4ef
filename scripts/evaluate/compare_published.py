"""Make tables/published.csv and published.html: published numbers beside the reproduced ones."""

import csv

import pandas as pd

from judgemerge.core import files
from judgemerge.core.frames import with_labels
from judgemerge.core.logs import logged
from judgemerge.evaluate import expected
from judgemerge.report import pages

INTRO = (
    "What papers and released files say, beside what came out here. Printed numbers stand in a paper, a README or a "
    "file of results; recomputed ones follow from released files and were counted independently of this code. "
    "Published rules count as the paper does, house rules as everywhere else in this report. {passed} of {total} "
    "numbers are reproduced within half a unit of their last printed digit."
)


def main(scores: str, expected_file: str, study: str, labels: dict[str, str], table: str, page: str) -> None:
    """Write the comparison of one study as CSV and as a page with one section per benchmark."""
    with open(scores, encoding="utf-8", newline="") as file:
        rows = expected.compare(expected.read_expected(expected_file, study), csv.DictReader(file))
    frame = pd.DataFrame(rows, columns=list(expected.COLUMNS))
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    passed = sum(row["result"] == "pass" for row in rows)
    with files.atomic_writer(page) as file:
        sections = pages.published_sections(with_labels(frame, labels))
        file.write(pages.page("Published numbers", INTRO.format(passed=passed, total=len(rows)), sections))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            scores=snakemake.input.scores,
            expected_file=snakemake.input.expected,
            study=snakemake.wildcards.study,
            labels=snakemake.params.labels,
            table=snakemake.output.table,
            page=snakemake.output.page,
        )
