"""Make tables/published.csv: published numbers beside the reproduced ones."""

import csv

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged
from judgemerge.evaluate import expected


def main(tables: list[str], expected_file: str, study: str, table: str) -> None:
    """Write the comparison of one study; its numbers stand in several tables."""
    scores = []
    for path in tables:
        with open(path, encoding="utf-8", newline="") as file:
            scores += csv.DictReader(file)
    rows = expected.compare(expected.read_expected(expected_file, study), scores)
    frame = pd.DataFrame(rows, columns=list(expected.Reproduced._fields))
    write_table(table, frame)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            tables=list(snakemake.input.scores),
            expected_file=snakemake.input.expected,
            study=snakemake.params.study,
            table=snakemake.output.table,
        )
