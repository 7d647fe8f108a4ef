"""Make tables/training.csv: the training curves of all experts as they were logged, one below the other."""

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        curves = [pd.read_csv(path, dtype=str, keep_default_na=False) for path in snakemake.input]
        for expert, curve in zip(snakemake.params.experts, curves, strict=True):
            curve.insert(0, "expert", expert)
        write_table(snakemake.output[0], pd.concat(curves))
