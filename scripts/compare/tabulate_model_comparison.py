"""Make tables/model_comparison_{comparison}.csv and .disagreements.jsonl: two models as judges see them."""

from pathlib import Path

from judgemerge.compare.comparison_tables import write_tables
from judgemerge.core.logs import logged
from judgemerge.settings.comparisons import ModelComparison
from judgemerge.settings.report import Statistics

if "snakemake" in globals():
    inputs, params = snakemake.input, snakemake.params
    with logged(snakemake.log[0]):
        write_tables(
            ModelComparison.of(params.comparison),
            inputs.questions,
            list(inputs.answers),
            inputs.results,
            [Path(path).stem for path in inputs.metrics],
            Statistics.of(params.statistics),
            *snakemake.output,
        )
