"""Make verdicts/{baseline}/{suite}.jsonl: the verdicts of content-blind baselines on one suite."""

from judgemerge.core.items import Item, read_items, write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge.baselines import BASELINES


def main(items: dict[str, str], seed: int, verdicts: dict[str, str]) -> None:
    """Write the verdicts of each baseline, to the file given by its name, on the benchmarks in `items`."""
    item_sets = {benchmark: read_items(path) for benchmark, path in items.items()}
    for baseline, path in verdicts.items():
        answered = {name: BASELINES[baseline](_answerable(some, baseline), seed) for name, some in item_sets.items()}
        write_verdicts(path, answered)


def _answerable(items: list[Item], baseline: str) -> list[Item]:
    """Return the items that can be judged; where none has its texts, all are scored, by baselines that need no text."""
    return [item for item in items if item.judgeable] or ([] if baseline == "longer" else items)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=dict(zip(snakemake.params.benchmarks, snakemake.input, strict=True)),
            seed=snakemake.params.seed,
            verdicts=dict(zip(snakemake.params.baselines, snakemake.output, strict=True)),
        )
