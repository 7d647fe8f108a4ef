"""The page of steadiness.csv."""

import html

import pandas as pd

from judgemerge.report.pages.markup import grid, notes, undefined_notes, value_cell

TITLE = "Steadiness of the judges"
INTRO = (
    "alpha_runs: Krippendorff's alpha (ordinal) over several draws of a grade; recorded_scores are the scores that the "
    "benchmark's own judge gave. transitivity: triples of answers without a circle, in the original order, among those "
    "without an equal verdict; equal_triples: how many have one. pair_minus_singly: accuracy by comparing minus "
    "accuracy by comparing two grades of the same judge, ties of people left out. redrawn: replies drawn again "
    "because they could not be read, redraws: how many further draws. Each value with its interval, n and the errors "
    "in brackets."
)


def sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per benchmark of steadiness.csv."""
    made = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        metrics = list(rows["metric"].unique())
        by_cell = {(row.judge, row.metric): row for row in rows.itertuples()}
        lines = [
            [html.escape(judge), *(_cell(by_cell.get((judge, metric))) for metric in metrics)]
            for judge in rows["judge"].unique()
        ]
        gaps = rows[(rows["metric"] == "pair_minus_singly") & rows["value"].notna()]
        about = notes((row.judge, f"{row.metric} {row.note}") for row in gaps.itertuples())
        names = rows["judge"] + ", " + rows["metric"]
        made.append((benchmark, grid(["judge", *metrics], lines) + about + undefined_notes(rows, names)))
    return made or [
        ("Nothing to show", "<p>No benchmark has pairs of several answers, several draws or derived judges.</p>")
    ]


def _cell(row) -> str:
    if row is None:
        return ""
    if row.metric == "redraws":
        return f"{row.value:.0f}"
    return value_cell(row, with_n=True) + (f" <small>({row.errors})</small>" if row.errors else "")
