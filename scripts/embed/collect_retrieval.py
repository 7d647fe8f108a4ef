"""Make tables/retrieval.csv and retrieval_differences.csv: every embedding model on every task and against the base."""

from judgemerge.core.logs import logged
from judgemerge.embed.retrieval_tables import write_tables
from judgemerge.settings.report import Statistics

if "snakemake" in globals():
    params = snakemake.params
    with logged(snakemake.log[0]):
        settings = Statistics.of(params.statistics)
        write_tables(
            **snakemake.input,
            roles=params.roles,
            others=params.others,
            k=params.k,
            settings=settings,
            tables=snakemake.output,
        )
