"""Make figures/{figure}.svg and .png from the one table that the figure's rule gives it."""

from judgemerge import figures, files
from judgemerge.frames import read_table
from judgemerge.logs import logged


def main(figure: str, table: str, kinds: dict[str, str], panels: list[str], svg: str, png: str) -> None:
    """Draw one figure of judgemerge.figures.FIGURES in both formats, without a time stamp inside."""
    figures.use_style()
    drawn = figures.FIGURES[figure](read_table(table), kinds, panels)
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
            svg=snakemake.output.svg,
            png=snakemake.output.png,
        )
