"""Make tables/{table}.csv as the table's module in judgemerge/report/tables/ computes it."""

from judgemerge.core.logs import logged
from judgemerge.report.making import make_table

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        make_table(**snakemake.params.table, path=snakemake.output[0])
