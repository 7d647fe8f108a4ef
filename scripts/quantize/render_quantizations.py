"""Make tables/quantization.html: the table of quantizations as a page for the report."""

from judgemerge.core import files
from judgemerge.core.frames import read_table, with_labels
from judgemerge.core.logs import logged
from judgemerge.report import pages
from judgemerge.report.pages import quantization


def main(table: str, confidence: float, labels: dict[str, str], page: str) -> None:
    """Write the page, one section per benchmark."""
    intro = quantization.INTRO.format(confidence=f"{100 * confidence:g} %")
    with files.atomic_writer(page) as file:
        file.write(
            pages.page(
                "Quantization", intro, quantization.quantization_sections(with_labels(read_table(table), labels))
            )
        )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            table=snakemake.input[0],
            confidence=snakemake.params.confidence,
            labels=snakemake.params.labels,
            page=snakemake.output[0],
        )
