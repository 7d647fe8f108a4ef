"""Make tables/overlap.csv and overlap.html: which prompts of the benchmarks stand in training data."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.data import overlap
from judgemerge.report import pages

WARNING = (
    "Warning: benchmarks share prompts with sets that judges were or may have been trained on. What a judge gets right "
    "there it may remember. {how}"
)
NO_WARNING = "No benchmark shares a prompt with the sets that were looked for. {how}"
HOW = (
    "Compared are all sets that models of the study are trained on and all that the study names in overlap.also. A "
    "prompt is the first user turn, counted once however many items share it. Exact: letter by letter; folded: case "
    "and white space are ignored; normalised: punctuation as well; 13gram: a run of 13 words in common. A prompt of "
    "fewer than 13 words is too short for that, which does not make it clean."
)

Pair = tuple[str, str]


def main(
    items: dict[str, str], pairs: list[Pair], used_by: dict[str, str], notes: dict[Pair, str], table: str, page: str
) -> None:
    """Compare the sets pair by pair; write the table, and the page with a warning on top when prompts are shared."""
    vocabulary: dict[str, int] = {}
    sets = {name: overlap.prepare(read_items(path), vocabulary) for name, path in items.items()}
    rows = overlap.overlap_rows(sets, pairs, used_by, notes)
    frame = pd.DataFrame(rows, columns=list(overlap.COLUMNS))
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    warnings = overlap.warnings(rows)
    intro = (WARNING if warnings else NO_WARNING).format(how=HOW)
    with files.atomic_writer(page) as file:
        file.write(pages.page("Overlap with training data", intro, pages.overlap_sections(frame, warnings)))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=dict(zip(snakemake.params.sets, snakemake.input, strict=True)),
            pairs=[tuple(pair) for pair in snakemake.params.pairs],
            used_by=snakemake.params.used_by,
            notes={tuple(pair): note for pair, note in snakemake.params.notes.items()},
            table=snakemake.output.table,
            page=snakemake.output.page,
        )
