"""Make tables/screening.csv: the foundation models side by side after the same fine-tuning."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.train import screening


def main(bases: list[str], losses: list[str], statistics: dict, table: str) -> None:
    """Write one row per base, with the same resampled prompts for all."""
    rows = []
    for base, path in zip(bases, losses, strict=True):
        read = files.read_json(path)
        summary = screening.summary(
            read["answers"], statistics["resamples"], statistics["confidence"], statistics["seed"]
        )
        rows.append({"base": base, "parameters": read["parameters"], "steps": read["steps"], **summary})
    frame = pd.DataFrame(rows, columns=list(screening.COLUMNS))
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            bases=snakemake.params.bases,
            losses=list(snakemake.input),
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
        )
