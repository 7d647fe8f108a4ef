"""recorded.csv: what the files of published judgments hold, and what of it no item and no label explains."""

from judgemerge.report.markup import TEXT, formatted
from judgemerge.report.material import Material
from judgemerge.report.table import Column, Frame, Inputs, Page, Pair, Study, Table, View, judging_pairs

COLUMNS = {
    "judge": Column("name of the recorded judge"),
    "benchmark": Column("name of the item set"),
    "file": Column("role of the file that is counted in; empty for all files together", TEXT),
    "count": Column("what is counted: outcome, rows, not_joined, unknown_id, unmapped, or `not judged`"),
    "name": Column("which outcome, id or value", TEXT),
    "value": Column("how often", TEXT),
}
INTRO = (
    "Contents of the files of recorded judges: rows, verdicts on the items by outcome, rows that belong "
    "to no item (not_joined) with the first of their ids (unknown_id), and values without a label "
    "(unmapped), which count as errors. A meaningful value is a gap in options.labels of "
    "config/recorded.yaml, not an error of the judge. A file that could not be read is `not judged`, with"
    " the reason."
)
NOT_JUDGED = "not judged"


def recorded_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for every recorded judge on the benchmarks that are run."""
    return judging_pairs(study, "recorded")


def inputs(study: Study) -> Inputs:
    """Return what was counted while their files were read."""
    return Inputs(verdict_counts=recorded_pairs(study))


def parameters(study: Study) -> dict[str, list[Pair]]:
    """Return the pairs."""
    return {"pairs": recorded_pairs(study)}


def rows(material: Material, pairs: list[Pair]) -> Frame:
    """Return one row per judge, benchmark and count; files that could not be read come last."""
    import pandas as pd

    reasons = {pair: material.reason(*pair, kind="verdict_counts") for pair in pairs}
    lines = [
        (*pair, *line) for pair in pairs if not reasons[pair] for line in count_lines(material.verdict_counts(*pair))
    ]
    lines += [(*pair, "", NOT_JUDGED, reason, 0) for pair, reason in reasons.items() if reason]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def count_lines(counts: dict) -> list[tuple]:
    """Return (file, count, name, value) of everything that was counted."""
    lines = [("", "outcome", name, n) for name, n in counts["outcomes"].items()]
    for count in ("rows", "not_joined"):
        lines += [(role, count, "", n) for role, n in counts.get(count, {}).items()]
    for role, names in counts.get("unknown_ids", {}).items():
        lines += [(role, "unknown_id", name, 1) for name in names]
    for role, values in counts.get("unmapped", {}).items():
        lines += [(role, "unmapped", name, n) for name, n in values.items()]
    return lines


def page(table: Frame, view: View) -> Page:
    """Return all rows, and which judges are missing."""
    from judgemerge.judge import failures

    failed = table[table["count"] == NOT_JUDGED]
    missing = failures.missing((row.judge, row.benchmark, failures.NOTE + row.name) for row in failed.itertuples())
    return view.page([("Counts", formatted(table, COLUMNS))], missing)


TABLE = Table(
    title="Published judgments as read",
    caption="Contents of the files of recorded judges, with rows that belong to no item and values without a label.",
    columns=COLUMNS,
    condition=recorded_pairs,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    page=page,
)
