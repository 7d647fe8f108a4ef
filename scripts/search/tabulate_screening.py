"""Make tables/screening.csv: the foundation models side by side after the same fine-tuning."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged
from judgemerge.evaluate.estimates import Settings
from judgemerge.train import screening

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        settings = Settings.of_statistics(snakemake.params.statistics)
        rows = []
        for base, path in zip(snakemake.params.bases, snakemake.input, strict=True):
            record = files.read_json(path)
            # The same prompts are resampled for all bases.
            summary = screening.summary(record["answers"], *vars(settings).values())
            rows.append({"base": base, "parameters": record["parameters"], "steps": record["steps"], **summary})
        write_table(snakemake.output.table, pd.DataFrame(rows, columns=list(screening.COLUMNS)))
