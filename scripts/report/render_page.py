"""Make tables/{table}.html: a table as a page of the report, as its module in judgemerge/report/tables/ shows it."""

from judgemerge.core.logs import logged
from judgemerge.report.inert import unpacked
from judgemerge.report.making import render

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        render(**unpacked(snakemake.params.page), table=snakemake.input.table, path=snakemake.output[0])
