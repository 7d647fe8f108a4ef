"""Make README.md and index.html of a study: what came out, the figures that matter, and what was not run."""

from judgemerge.core.logs import logged
from judgemerge.report import first_page
from judgemerge.report.inert import unpacked

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        first_page.write(
            **unpacked(snakemake.params.page),
            tables=dict(zip(snakemake.params.names, snakemake.input.tables, strict=True)),
            readme=snakemake.output.readme,
            page=snakemake.output.page,
        )
