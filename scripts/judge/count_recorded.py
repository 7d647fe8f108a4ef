"""Make tables/recorded.{csv,html}: what the files of recorded judges hold, and what of it was not understood."""

import pandas as pd

from judgemerge.core import files
from judgemerge.core.items import VerdictFile, read_benchmark
from judgemerge.core.logs import logged
from judgemerge.judge import failures
from judgemerge.report import pages

INTRO = (
    "What the files of judges that others ran hold: rows, verdicts on the items by outcome, rows that belong to no "
    "item (not_joined) with the first of their ids (unknown_id), and values that no label explains (unmapped), which "
    "count as errors. A value that means something is a gap in options.labels of config/recorded.yaml, not an error "
    "of the judge. A file that could not be read is `not judged`, with the reason."
)
COLUMNS = ["judge", "benchmark", "file", "count", "name", "value"]


def main(counts: dict[tuple[str, str], VerdictFile], table: str, page: str) -> None:
    """Write one row per judge, benchmark and count; `counts` has the file of (benchmark, judge)."""
    read, reasons = failures.divide(counts)
    rows = [row for (benchmark, judge), file in read.items() for row in _rows(judge, *file)]
    missing = failures.missing((judge, name, failures.NOTE + reason) for (name, judge), reason in reasons.items())
    rows += [(judge, benchmark, "", "not judged", reason, 0) for (benchmark, judge), reason in reasons.items()]
    frame = pd.DataFrame(rows, columns=COLUMNS)
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    with files.atomic_writer(page) as file:
        file.write(pages.page("Recorded judges", INTRO + missing, [("Counts", pages.frame(frame.astype(str)))]))


def _rows(judge: str, path: str, benchmark: str) -> list[tuple]:
    (counts,) = read_benchmark(path, benchmark)
    rows = [(judge, benchmark, "", "outcome", name, n) for name, n in counts["outcomes"].items()]
    for count in ("rows", "not_joined"):
        rows += [(judge, benchmark, role, count, "", n) for role, n in counts.get(count, {}).items()]
    for role, names in counts.get("unknown_ids", {}).items():
        rows += [(judge, benchmark, role, "unknown_id", name, 1) for name in names]
    for role, values in counts.get("unmapped", {}).items():
        rows += [(judge, benchmark, role, "unmapped", name, n) for name, n in values.items()]
    return rows


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            counts={
                (benchmark, judge): VerdictFile(path, benchmark)
                for (benchmark, judge), path in zip(snakemake.params.judged, snakemake.input, strict=True)
            },
            table=snakemake.output.table,
            page=snakemake.output.page,
        )
