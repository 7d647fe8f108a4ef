"""Make tables/published.csv: published numbers beside the reproduced ones."""

import csv

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged
from judgemerge.evaluate import expected


def main(scores: str, expected_file: str, study: str, table: str) -> None:
    """Write the comparison of one study."""
    with open(scores, encoding="utf-8", newline="") as file:
        rows = expected.compare(expected.read_expected(expected_file, study), csv.DictReader(file))
    frame = pd.DataFrame(rows, columns=list(expected.Reproduced._fields))
    write_table(table, frame)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            scores=snakemake.input.scores,
            expected_file=snakemake.input.expected,
            study=snakemake.wildcards.study,
            table=snakemake.output.table,
        )
