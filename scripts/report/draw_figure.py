"""Make figures/{figure}.svg and .png from the one table that the figure's rule gives it."""

from judgemerge.core import files
from judgemerge.core.frames import of_judges, read_table, with_labels
from judgemerge.core.logs import logged
from judgemerge.report import figures


def main(
    figure: str,
    table: str,
    kinds: dict[str, str],
    panels: list[str],
    svg: str,
    png: str,
    labels: dict[str, str] | None = None,
    chosen: list[str] | None = None,
) -> None:
    """Draw one figure of judgemerge.report.figures.FIGURES in both formats, without a time stamp inside.

    `labels` are the words for judges, `chosen` those to be shown (all when there are none).
    """
    figures.use_style()
    rows = of_judges(read_table(table), chosen, kinds) if chosen else read_table(table)
    words = {judge: " ".join((labels or {}).get(judge, judge).split()) for judge in kinds}
    shown = {words[judge]: kind for judge, kind in kinds.items() if not chosen or judge in chosen}
    drawn = figures.FIGURES[figure](with_labels(rows, words), shown, panels)
    if len(shown) < len(kinds):
        figures.add_footnote(drawn, f"{len(shown)} of {len(kinds)} judges, chosen in display.judges.")
    for path, kind, metadata in ((svg, "svg", {"Date": None}), (png, "png", {})):
        with files.atomic_writer(path, "wb") as file:
            drawn.savefig(file, format=kind, metadata=metadata, bbox_inches="tight")


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            figure=snakemake.params.figure,
            table=snakemake.input.table,
            kinds=snakemake.params.kinds,
            panels=snakemake.params.panels,
            labels=snakemake.params.get("labels"),
            chosen=snakemake.params.get("chosen"),
            svg=snakemake.output.svg,
            png=snakemake.output.png,
        )
