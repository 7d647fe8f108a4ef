"""Make tables/screening.csv: the foundation models side by side after the same fine-tuning."""

from judgemerge.core.logs import logged
from judgemerge.settings.report import Statistics
from judgemerge.train import screening

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        records = dict(zip(snakemake.params.bases, snakemake.input, strict=True))
        screening.write_table(snakemake.output.table, records, Statistics.of(snakemake.params.statistics))
