"""Make scores/{benchmark}.{comparisons,humans,bias}.csv: judges against each other and annotators, and their biases."""

from judgemerge.core.frames import write_table
from judgemerge.core.items import VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.tables import bias_table, human_table
from judgemerge.judge import failures
from judgemerge.settings.report import Statistics


def main(
    items: str,
    verdicts: dict[str, VerdictFile],
    asked: list[tuple[str, str]] | None,
    own_models: dict[str, list[str]],
    statistics: dict,
    comparisons: str,
    humans: str,
    bias: str,
) -> None:
    """Write the three tables of one benchmark over all its judges."""
    item_set = read_items(items)
    verdicts_by_judge = {judge: list(read_verdicts(*file)) for judge, file in failures.divide(verdicts)[0].items()}
    settings = Statistics.of(statistics)
    tables = {
        comparisons: compare_benchmark(item_set, verdicts_by_judge, settings, asked=asked),
        humans: human_table(item_set, verdicts_by_judge, settings),
        bias: bias_table(item_set, verdicts_by_judge, own_models, settings),
    }
    for path, table in tables.items():
        write_table(path, table)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=snakemake.input.item_set,
            verdicts={
                judge: VerdictFile(path, snakemake.wildcards.benchmark)
                for judge, path in zip(snakemake.params.judges, snakemake.input.verdicts, strict=True)
            },
            asked=snakemake.params.asked,
            own_models=snakemake.params.own_models,
            statistics=snakemake.params.statistics,
            comparisons=snakemake.output.comparisons,
            humans=snakemake.output.humans,
            bias=snakemake.output.bias,
        )
