"""Make tables/overlap.csv: which prompts of the benchmarks stand in training data."""

import pandas as pd

from judgemerge.core.frames import write_table
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.data import overlap

Pair = tuple[str, str]


def main(items: dict[str, str], pairs: list[Pair], used_by: dict[str, str], notes: dict[Pair, str], table: str) -> None:
    """Compare the sets pair by pair."""
    vocabulary: dict[str, int] = {}
    sets = {name: overlap.prepare(read_items(path), vocabulary) for name, path in items.items()}
    rows = overlap.overlap_rows(sets, pairs, used_by, notes)
    frame = pd.DataFrame(rows, columns=list(overlap.Overlap._fields))
    write_table(table, frame)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=dict(zip(snakemake.params.sets, snakemake.input, strict=True)),
            pairs=[tuple(pair) for pair in snakemake.params.pairs],
            used_by=snakemake.params.used_by,
            notes={tuple(pair): note for pair, note in snakemake.params.notes.items()},
            table=snakemake.output.table,
        )
