"""Make tables/ablation.{csv,html} and tables/sweep.csv: variants of a judge beside a published table."""

from judgemerge.core import files
from judgemerge.core.frames import with_labels
from judgemerge.core.items import VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate import variants as ablation
from judgemerge.evaluate.ablation import ablation_table, measure, sweep_table
from judgemerge.evaluate.estimates import Settings
from judgemerge.judge import failures
from judgemerge.report import pages

Pair = tuple[str, str]


def main(
    items: dict[str, str],
    verdicts: dict[Pair, VerdictFile],
    tables: dict[str, dict],
    benchmarks: dict[str, str],
    shares: dict[str, float],
    statistics: dict,
    labels: dict[str, str],
    made_here: bool,
    written: dict[str, str],
) -> None:
    """Write the table, its page and the sweep; `items` are files by benchmark, `verdicts` by judge and benchmark."""
    settings = Settings(statistics["resamples"], statistics["confidence"], statistics["seed"])
    loaded = {benchmark: read_items(path) for benchmark, path in items.items()}
    measured = {
        (judge, benchmark): measure(loaded[benchmark], list(read_verdicts(*file)), judge, settings)
        for (judge, benchmark), file in failures.divide(verdicts)[0].items()
    }
    cells = {name: ablation.read_published(table["published"]) for name, table in tables.items()}
    table = ablation_table(tables, cells, benchmarks, measured)
    protocols = {benchmark: found[0].protocol for benchmark, found in loaded.items()}
    for path, frame in ((written["table"], table), (written["sweep"], sweep_table(shares, protocols, measured))):
        with files.atomic_writer(path) as file:
            frame.to_csv(file, index=False)
    with files.atomic_writer(written["page"]) as file:
        file.write(
            pages.page(
                pages.ablation.TITLE,
                pages.ablation.intro(made_here),
                pages.ablation.sections(with_labels(table, labels)),
            )
        )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=dict(zip(snakemake.params.names, snakemake.input.item_sets, strict=True)),
            verdicts={
                (judge, benchmark): VerdictFile(path, benchmark)
                for (judge, benchmark), path in zip(snakemake.params.pairs, snakemake.input.verdicts, strict=True)
            },
            tables=snakemake.params.tables,
            benchmarks=snakemake.params.benchmarks,
            shares=snakemake.params.shares,
            statistics=snakemake.params.statistics,
            labels=snakemake.params.labels,
            made_here=snakemake.params.made_here,
            written=dict(snakemake.output.items()),
        )
