"""Make tables/training.csv: the training curves of all experts, one below the other."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.logs import logged


def main(experts: list[str], curves: list[str], table: str) -> None:
    """Concatenate the curves as they were logged, with the name of the expert in front."""
    parts = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in curves]
    for expert, part in zip(experts, parts, strict=True):
        part.insert(0, "expert", expert)
    with files.atomic_writer(table) as file:
        pd.concat(parts).to_csv(file, index=False)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(experts=snakemake.params.experts, curves=list(snakemake.input), table=snakemake.output[0])
