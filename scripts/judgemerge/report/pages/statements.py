"""The page of statements.csv."""

import pandas as pd

from judgemerge.report.pages.markup import frame

INTRO = (
    "Judges that state a score per dimension say the same thing three times: in the dimensions, in the overall "
    "score and in the verdict. Each row is the share of replies in which two of them fit, with its {confidence} "
    "interval, prompts resampled as clusters; mean and weighted (dimensions 1 and 2 twice) are rounded. The last "
    "rows say how often the verdict that follows from the scores agrees with people. n counts replies that state "
    "enough, errors the others."
)


def statement_sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per benchmark: statements as rows, judges as columns."""
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        cells = rows.assign(cell=[_cell(row) for row in rows.itertuples()])
        wide = cells.pivot(index="statement", columns="judge", values="cell")
        wide = wide.loc[list(dict.fromkeys(rows["statement"])), list(dict.fromkeys(rows["judge"]))]
        sections.append((benchmark, frame(wide.reset_index())))
    return sections


def _cell(row) -> str:
    if pd.isna(row.value):
        return f"– (n = 0, errors {row.errors})"
    interval = "" if pd.isna(row.ci_low) else f" [{row.ci_low:.3f}, {row.ci_high:.3f}]"
    return f"{row.value:.3f}{interval} (n = {row.n}, errors {row.errors})"
