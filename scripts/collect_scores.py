"""Make tables/{name}.csv: the scores of all benchmarks, one below the other."""

import pandas as pd

from judgemerge import files
from judgemerge.logs import logged


def main(scores: list[str], table: str) -> None:
    """Concatenate the scores as they are: text in, text out, so that no digit changes."""
    parts = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in scores]
    with files.atomic_writer(table) as file:
        pd.concat(parts).to_csv(file, index=False)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        for name, path in snakemake.output.items():
            main(scores=list(snakemake.input[name]), table=path)
