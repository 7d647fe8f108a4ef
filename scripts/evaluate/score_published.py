"""Make scores/published.csv: every benchmark under the rules of its paper, in the shape of agreement.csv."""

from judgemerge.core import files
from judgemerge.core.items import read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.published import Case
from judgemerge.evaluate.published._table import published_table
from judgemerge.judge import failures

Pair = tuple[str, str]


def main(
    protocols: dict[str, str],
    items: list[str],
    verdicts: dict[Pair, str],
    counts: dict[Pair, str],
    statistics: dict,
    scores: str,
) -> None:
    """Write the rows of every benchmark in `protocols`; verdicts and counts are files by benchmark and judge."""
    judged, _ = failures.divide(verdicts)
    counts = {pair: path for pair, path in counts.items() if pair in judged}
    cases = {
        benchmark: Case(
            items=read_items(path),
            verdicts={judge: list(read_verdicts(file)) for judge, file in _of(benchmark, judged)},
            counts={judge: files.read_json(file) for judge, file in _of(benchmark, counts)},
            n_resamples=statistics["resamples"],
            confidence=statistics["confidence"],
            seed=statistics["seed"],
        )
        for benchmark, path in zip(protocols, items, strict=True)
    }
    with files.atomic_writer(scores) as file:
        published_table(cases, protocols).to_csv(file, index=False)


def _of(benchmark: str, by_pair: dict[Pair, str]) -> list[Pair]:
    return [(judge, file) for (name, judge), file in by_pair.items() if name == benchmark]


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            protocols=snakemake.params.protocols,
            items=list(snakemake.input.item_sets),
            verdicts=dict(zip(map(tuple, snakemake.params.judged), snakemake.input.verdicts, strict=True)),
            counts=dict(zip(map(tuple, snakemake.params.recorded), snakemake.input.counts, strict=True)),
            statistics=snakemake.params.statistics,
            scores=snakemake.output[0],
        )
