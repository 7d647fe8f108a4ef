"""Make scores/published.csv: every benchmark under the rules of its paper, in the shape of agreement.csv."""

from collections.abc import Iterable

from judgemerge.core.frames import write_table
from judgemerge.core.items import VerdictFile, read_benchmark, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.published import Case
from judgemerge.evaluate.published._table import published_table
from judgemerge.judge import failures
from judgemerge.settings.report import Statistics

Pair = tuple[str, str]


def main(
    protocols: dict[str, str],
    items: list[str],
    verdicts: dict[Pair, VerdictFile],
    counts: dict[Pair, VerdictFile],
    statistics: dict,
    scores: str,
) -> None:
    """Write the rows of every benchmark in `protocols`; verdicts and counts are files by judge and benchmark."""
    settings = Statistics.of(statistics)
    succeeded, _ = failures.divide(verdicts)
    counts = {pair: path for pair, path in counts.items() if pair in succeeded}
    cases = {
        benchmark: Case(
            items=read_items(path),
            verdicts={judge: list(read_verdicts(*file)) for judge, file in _of(benchmark, succeeded)},
            counts={judge: next(read_benchmark(*file)) for judge, file in _of(benchmark, counts)},
            settings=settings,
        )
        for benchmark, path in zip(protocols, items, strict=True)
    }
    write_table(scores, published_table(cases, protocols))


def _of(benchmark: str, by_pair: dict[Pair, VerdictFile]) -> list[tuple[str, VerdictFile]]:
    return [(judge, file) for (judge, name), file in by_pair.items() if name == benchmark]


def _files(pairs: Iterable[Pair], paths: Iterable[str]) -> dict[Pair, VerdictFile]:
    return {(judge, name): VerdictFile(path, name) for (judge, name), path in zip(pairs, paths, strict=True)}


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            protocols=snakemake.params.protocols,
            items=list(snakemake.input.item_sets),
            verdicts=_files(snakemake.params.judged, snakemake.input.verdicts),
            counts=_files(snakemake.params.recorded, snakemake.input.counts),
            statistics=snakemake.params.statistics,
            scores=snakemake.output[0],
        )
