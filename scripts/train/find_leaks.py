"""Make recipes/{expert}.left_out.json: the training items whose prompts stand in benchmarks, by item set."""

from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.data import overlap


def main(sets: dict[str, str], benchmarks: dict[str, str], left_out: str) -> None:
    """Write {item set: {item id: benchmark}}; a set without such items has an empty entry."""
    items_by_benchmark = {name: read_items(path) for name, path in benchmarks.items()}
    files.write_json(
        left_out, {name: overlap.leaks(read_items(path), items_by_benchmark) for name, path in sets.items()}
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            sets=dict(zip(snakemake.params.sets, snakemake.input.item_sets, strict=True)),
            benchmarks=dict(zip(snakemake.params.benchmarks, snakemake.input.benchmarks, strict=True)),
            left_out=snakemake.output[0],
        )
