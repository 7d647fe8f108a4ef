"""Make tables/retrieval.html: what fine-tuning gave, what was forgotten, and what happened to the data on the way."""

from judgemerge.core import files
from judgemerge.core.frames import read_table
from judgemerge.core.logs import logged
from judgemerge.report import pages
from judgemerge.report.pages import retrieval


def main(
    table: str, differences: str, published: str, decided: list[str], documents: str, counts: list[str],
    losses: list[str], confidence: float, page: str,
) -> None:  # fmt: skip
    """Write the page; the published tables of LM-Cocktail stand beside ours, with their source."""
    sections = retrieval.sections(
        read_table(table),
        read_table(differences),
        retrieval.read_published(published),
        list(map(files.read_json, decided)),
        files.read_json(documents),
        {path: files.read_json(path) for path in counts},
        [found for found in map(files.read_json, losses) if "losses" in found["made_by"]],
    )
    with files.atomic_writer(page) as file:
        file.write(pages.page("Retrieval", retrieval.INTRO.format(confidence=f"{100 * confidence:g} %"), sections))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            table=snakemake.input.table,
            differences=snakemake.input.differences,
            published=snakemake.input.published,
            decided=list(snakemake.input.decisions),
            documents=snakemake.input.documents,
            counts=list(snakemake.input.counts),
            losses=list(snakemake.input.mixed),
            confidence=snakemake.params.confidence,
            page=snakemake.output[0],
        )
