"""Make tables/retrieval.csv and retrieval_differences.csv: every embedding model on every task and against the base."""

from pathlib import Path

from judgemerge.core import files
from judgemerge.core.frames import write_table
from judgemerge.core.logs import logged
from judgemerge.embed import decisions as rounds
from judgemerge.embed import retrieval, retrieval_tables
from judgemerge.settings.report import Statistics


def main(
    ranks: list[str], reranked: list[str], decided: list[str], mixed: list[str], counts: list[str], roles: dict,
    others: dict[str, str], k: int, statistics: dict, table: str, differences: str,
) -> None:  # fmt: skip
    """Give every model its kind and its share of the tuned one; `tuned` is the iteration that was chosen."""
    shares = {Path(path).stem: files.read_json(path)["made_by"]["tuned_share"] for path in mixed}
    rows = {Path(path).stem: retrieval.read_ranks(path) for path in (*ranks, *reranked)}
    decisions = rounds.read(decided)
    models = retrieval_tables.ranked_models(rows, shares, [Path(path).stem for path in reranked], decisions, others)
    errors = {Path(path).name.split(".")[0]: files.read_json(path)["left_out"] for path in counts}
    settings = Statistics.of(statistics)
    frames = retrieval_tables.retrieval_tables(models, roles, errors, k, settings)
    for frame, path in zip(frames, (table, differences), strict=True):
        write_table(path, frame)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            ranks=list(snakemake.input.ranks),
            reranked=list(snakemake.input.reranked),
            decided=list(snakemake.input.decisions),
            mixed=list(snakemake.input.mixed),
            counts=list(snakemake.input.counts),
            roles=snakemake.params.roles,
            others=snakemake.params.others,
            k=snakemake.params.k,
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
            differences=snakemake.output.differences,
        )
