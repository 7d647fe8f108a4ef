"""Make scores/{benchmark}.csv: every metric of every judge, with intervals."""

from judgemerge.core.frames import write_table
from judgemerge.core.items import VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.score import score_benchmark
from judgemerge.judge import failures
from judgemerge.settings.report import Statistics


def main(items: str, verdicts: dict[str, VerdictFile], statistics: dict, scores: str) -> None:
    """Score all judges on one shared set of resamples; the rows of one that failed are empty, their note says why."""
    succeeded, reasons = failures.divide(verdicts)
    table = score_benchmark(
        read_items(items),
        {judge: list(read_verdicts(*file)) if judge in succeeded else [] for judge, file in verdicts.items()},
        Statistics.of(statistics),
    )
    for judge, reason in reasons.items():
        table.loc[table.judge == judge, ["errors", "note"]] = [0, f"{failures.NOTE}{reason}"]
    write_table(scores, table)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=snakemake.input.item_set,
            verdicts={
                judge: VerdictFile(path, snakemake.wildcards.benchmark)
                for judge, path in zip(snakemake.params.judges, snakemake.input.verdicts, strict=True)
            },
            statistics=snakemake.params.statistics,
            scores=snakemake.output[0],
        )
