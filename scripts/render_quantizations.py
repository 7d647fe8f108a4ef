"""Make tables/quantization.html: the table of quantizations as a page for the report."""

from judgemerge import files, pages
from judgemerge.frames import read_table
from judgemerge.logs import logged
from judgemerge.pages import quantization


def main(table: str, confidence: float, page: str) -> None:
    """Write the page, one section per benchmark."""
    intro = quantization.INTRO.format(confidence=f"{100 * confidence:g} %")
    with files.atomic_writer(page) as file:
        file.write(pages.page("Quantization", intro, quantization.quantization_sections(read_table(table))))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(table=snakemake.input[0], confidence=snakemake.params.confidence, page=snakemake.output[0])
