"""Make verdicts/{baseline}/{benchmark}.jsonl: a judge that reads nothing."""

from judgemerge.baselines import BASELINES
from judgemerge.items import read_items, write_verdicts
from judgemerge.logs import logged


def main(baseline: str, items: str, seed: int, verdicts: str) -> None:
    """Write the baseline's verdicts on the items that can be judged."""
    judgeable = [item for item in read_items(items) if item.judgeable]
    write_verdicts(verdicts, BASELINES[baseline](judgeable, seed))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            baseline=snakemake.wildcards.baseline,
            items=snakemake.input[0],
            seed=snakemake.params.seed,
            verdicts=snakemake.output[0],
        )
