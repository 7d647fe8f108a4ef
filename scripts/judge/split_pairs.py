"""Make items/sides/{benchmark}.jsonl: each response of each pair as an item of its own."""

from judgemerge.core.items import read_items, write_items
from judgemerge.core.logs import logged
from judgemerge.judge.singly import split_pairs


def main(items: str, sides: str) -> int:
    """Write the single responses of a file of pairs; return how many."""
    return write_items(sides, split_pairs(read_items(items)))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(items=snakemake.input[0], sides=snakemake.output[0])
