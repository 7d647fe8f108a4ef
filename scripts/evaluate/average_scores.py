"""Make scores/averages.csv: the means over benchmarks or categories that a study asks for."""

from judgemerge.core.frames import read_table, write_table
from judgemerge.core.logs import logged
from judgemerge.evaluate.averages import average_table


def main(averages: dict[str, dict], scores: dict[str, str], bias: dict[str, str], table: str) -> None:
    """Write one row per average, judge and metric; `scores` and `bias` are files by benchmark."""
    grouped = {benchmark: read_table(path) for benchmark, path in bias.items()}
    by_category = {benchmark: rows[rows.aspect == "category"] for benchmark, rows in grouped.items()}
    read = {benchmark: read_table(path) for benchmark, path in scores.items()}
    write_table(table, average_table(averages, read, by_category))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            averages=snakemake.params.averages,
            scores=dict(zip(snakemake.params.benchmarks, snakemake.input.scores, strict=True)),
            bias=dict(zip(snakemake.params.grouped, snakemake.input.bias, strict=True)),
            table=snakemake.output[0],
        )
