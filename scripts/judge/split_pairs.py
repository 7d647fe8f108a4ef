"""Make items/sides/{suite}.jsonl: each response of each pair of a suite as an item of its own."""

from judgemerge.core.items import read_items, write_items
from judgemerge.core.logs import logged
from judgemerge.judge.pairs_from_grades import split_pairs


def main(items: list[str], sides: str) -> int:
    """Write the single responses of files of pairs; return how many."""
    return write_items(sides, (side for path in items for side in split_pairs(read_items(path))))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(items=list(snakemake.input), sides=snakemake.output[0])
