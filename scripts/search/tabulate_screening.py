"""Make tables/screening.csv: the foundation models side by side after the same fine-tuning."""

from judgemerge.core.logs import logged
from judgemerge.evaluate.estimates import Settings
from judgemerge.train import screening

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        records = dict(zip(snakemake.params.bases, snakemake.input, strict=True))
        settings = Settings.of_statistics(snakemake.params.statistics)
        drawing = (settings.n_resamples, settings.confidence, settings.seed)
        screening.write_table(snakemake.output.table, records, *drawing)
