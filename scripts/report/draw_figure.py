"""Make figures/{figure}.svg and .png from the table that the figure belongs to."""

from judgemerge.core.logs import logged
from judgemerge.report.inert import unpacked
from judgemerge.report.making import draw

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        draw(
            **unpacked(snakemake.params.figure),
            table=snakemake.input.table,
            svg=snakemake.output.svg,
            png=snakemake.output.png,
        )
