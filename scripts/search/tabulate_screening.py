"""Make tables/screening.csv: the foundation models side by side after the same fine-tuning."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged
from judgemerge.settings.report import Statistics
from judgemerge.train import screening

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        settings = Statistics.of(snakemake.params.statistics)
        rows = []
        for base, path in zip(snakemake.params.bases, snakemake.input, strict=True):
            record = files.read_json(path)
            # The same prompts are resampled for all bases.
            summary = screening.summary(record["answers"], settings)
            rows.append({"base": base, "parameters": record["parameters"], "steps": record["steps"], **summary})
        write_table(snakemake.output.table, pd.DataFrame(rows, columns=list(screening.COLUMNS)))
