"""Make scores/published.csv: every benchmark under the rules of its paper, in the shape of agreement.csv."""

from collections.abc import Iterable

from judgemerge.core import files
from judgemerge.core.items import VerdictFile, read_benchmark, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.published import Case
from judgemerge.evaluate.published._table import published_table
from judgemerge.judge import failures

Pair = tuple[str, str]


def main(
    protocols: dict[str, str],
    items: list[str],
    verdicts: dict[Pair, VerdictFile],
    counts: dict[Pair, VerdictFile],
    statistics: dict,
    scores: str,
) -> None:
    """Write the rows of every benchmark in `protocols`; verdicts and counts are files by benchmark and judge."""
    judged, _ = failures.divide(verdicts)
    counts = {pair: path for pair, path in counts.items() if pair in judged}
    cases = {
        benchmark: Case(
            items=read_items(path),
            verdicts={judge: list(read_verdicts(*file)) for judge, file in _of(benchmark, judged)},
            counts={judge: next(read_benchmark(*file)) for judge, file in _of(benchmark, counts)},
            n_resamples=statistics["resamples"],
            confidence=statistics["confidence"],
            seed=statistics["seed"],
        )
        for benchmark, path in zip(protocols, items, strict=True)
    }
    with files.atomic_writer(scores) as file:
        published_table(cases, protocols).to_csv(file, index=False)


def _of(benchmark: str, by_pair: dict[Pair, VerdictFile]) -> list[tuple[str, VerdictFile]]:
    return [(judge, file) for (name, judge), file in by_pair.items() if name == benchmark]


def _files(pairs: Iterable[Pair], paths: Iterable[str]) -> dict[Pair, VerdictFile]:
    return {(name, judge): VerdictFile(path, name) for (name, judge), path in zip(pairs, paths, strict=True)}


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
