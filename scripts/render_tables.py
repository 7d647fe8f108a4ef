"""Make tables/agreement.html and tables/items.html: the CSV tables as pages for the report."""

import pandas as pd

from judgemerge import files, overlap, pages
from judgemerge.logs import logged

AGREEMENT = (
    "Each cell is the value with its 95 % interval, prompts resampled as clusters. n counts items, errors counts "
    "replies that could not be read; an error is never a tie. A dash is a value that does not exist; hover over it "
    "for the reason."
)
WARNING = (
    " Warning: {benchmarks} share prompts with sets that judges were or may have been trained on; see the table "
    "'Overlap with training data'."
)
ITEMS = "What every item set holds, and what was mended or set aside on the way."


def main(
    agreement: str,
    items: str,
    overlap_tables: list[str],
    judges: list[str],
    left_out: list[str],
    agreement_page: str,
    items_page: str,
) -> None:
    """Write both pages; `overlap_tables` is the table of shared prompts, or empty where nothing was compared."""
    table = pd.read_csv(agreement)
    note = f" Not run, because neither a mirror nor downloads are set: {', '.join(left_out)}." if left_out else ""
    for path in overlap_tables:
        shared = overlap.affected(pd.read_csv(path).fillna({"note": ""}).to_dict("records"))
        note += WARNING.format(benchmarks=", ".join(shared)) if shared else ""
    sections = pages.agreement_sections(table, judges)
    with files.atomic_writer(agreement_page) as file:
        file.write(pages.page("Agreement", AGREEMENT + note, sections))
    counts = pd.read_csv(items, dtype=str).pivot(index="benchmark", columns="count", values="value")
    first = [name for name in ("protocol", "rows", "items", "judgeable", "not_public", "clusters") if name in counts]
    counts = counts[[*first, *(name for name in counts if name not in first)]].reset_index()
    with files.atomic_writer(items_page) as file:
        file.write(pages.page("Items", ITEMS, [("Counts", pages.frame(counts))]))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            agreement=snakemake.input.agreement,
            items=snakemake.input.item_counts,
            overlap_tables=list(snakemake.input.overlap),
            judges=snakemake.params.judges,
            left_out=snakemake.params.left_out,
            agreement_page=snakemake.output.agreement,
            items_page=snakemake.output.item_counts,
        )
