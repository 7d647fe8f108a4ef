"""Make tables/endpoints.{csv,html}: what the replies of every endpoint cost."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.judge import endpoints, failures
from judgemerge.report import pages

INTRO = (
    "Tokens as the endpoint counted them, and their price; equal prompts are paid once. Discounts and attempts without "
    "a reply are not counted. Errors are prompts without a reply."
)


def main(replies: list[str], units: list[tuple[str, str]], entries: dict[str, dict], table: str, page: str) -> None:
    """Write one row per judge and suite; `units` names them in the order of `replies`."""
    rows = [
        endpoints.table_row(judge, entries[judge], suite, files.read_jsonl(path))
        for (judge, suite), path in zip(units, replies, strict=True)
        if not failures.reason_of(path)
    ]
    frame = pd.DataFrame(rows, columns=endpoints.TABLE)
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    with files.atomic_writer(page) as file:
        file.write(pages.page("Endpoints", INTRO, [("Replies and their cost", pages.frame(frame))]))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=list(snakemake.input.replies),
            units=snakemake.params.units,
            entries=snakemake.params.endpoints,
            table=snakemake.output.table,
            page=snakemake.output.page,
        )
