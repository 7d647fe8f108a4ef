"""Make tables/{table}.html: a table as a page of the report, as its module in judgemerge/report/tables/ shows it."""

from judgemerge.core.logs import logged
from judgemerge.report.making import render

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        render(
            module=snakemake.params.module,
            name=snakemake.wildcards.table,
            title=snakemake.params.title,
            table=snakemake.input.table,
            study=snakemake.wildcards.study,
            suites=snakemake.params.suites,
            labels=snakemake.params.labels,
            confidence=snakemake.params.confidence,
            parameters=snakemake.params.parameters,
            path=snakemake.output[0],
        )
