"""Make explorer.html of a study, and the copy of it that stands in the report."""

from judgemerge.core.logs import logged
from judgemerge.report import explorer
from judgemerge.report.inert import unpacked

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        explorer.write(
            **unpacked(snakemake.params.page),
            page=snakemake.output.page,
            page_in_report=snakemake.output.page_in_report,
        )
