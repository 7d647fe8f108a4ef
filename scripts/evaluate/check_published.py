"""Make tables/published.ok, or fail with one sentence per published number that was not reproduced."""

import csv

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.logs import logged
from judgemerge.evaluate import expected


def main(table: str, stamp: str) -> None:
    """Write how many numbers were compared once all of them are reproduced."""
    with open(table, encoding="utf-8", newline="") as file:
        rows = [expected.Reproduced(**row) for row in csv.DictReader(file)]
    failed = expected.failures(rows, table)
    if failed:
        raise JudgemergeError(failed)
    with files.atomic_writer(stamp) as file:
        file.write(f"{len(rows)} published numbers are reproduced\n")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(table=snakemake.input[0], stamp=snakemake.output[0])
