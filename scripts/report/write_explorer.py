"""Make explorer.html of a study, and the copy of it that stands in the report."""

from judgemerge.core.logs import logged
from judgemerge.report import explorer

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        explorer.write(
            **snakemake.params.page,
            page=snakemake.output.page,
            page_in_report=snakemake.output.page_in_report,
        )
