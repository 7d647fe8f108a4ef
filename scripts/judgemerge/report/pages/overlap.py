"""The page of overlap.csv."""

import html
from collections.abc import Sequence

import pandas as pd

from judgemerge.report.pages.markup import frame


def overlap_sections(table: pd.DataFrame, warnings: Sequence[str]) -> list[tuple[str, str]]:
    """Return the warnings, then one section per benchmark of overlap.csv."""
    listed = "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings)
    sections = [("Shared prompts", f"<ul class='warning'>{listed}</ul>")] if warnings else []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        shown = rows.drop(columns="benchmark").astype({"share": object})
        shown["share"] = [f"{value:.1%}" if pd.notna(value) else "–" for value in rows["share"]]
        sections.append((benchmark, frame(shown)))
    return sections
