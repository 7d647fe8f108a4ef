"""Figures of ablation.csv and sweep.csv: variants beside a published table, and the curve over alpha."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from judgemerge.evaluate.variants import MEAN
from judgemerge.report.figures.panels import (
    DARK,
    colour,
    dot,
    finish,
    head,
    judge_panels,
    kind_marks,
    left_out,
    mark,
    panel_grid,
)

SIDES = {"direct": "grades: Pearson correlation", "pairwise": "pairs: accuracy without human ties"}


def ablation(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str]) -> Figure:
    """One panel per column of one published table, one row per variant: ours filled, the quoted value hollow."""
    rows = table[table["table"].isin(panels) & (table["column"] != MEAN)]
    keys = list(rows[["side", "column"]].drop_duplicates().itertuples(index=False, name=None))
    shown = [key for key in keys if _of(rows, key)["value"].notna().any() or _of(rows, key)["n"].max() > 0]
    names = list(rows["row"].unique())
    figure, axes, _ = judge_panels(
        {"/".join(key): names for key in shown}, list(dict.fromkeys(names)), width=2.8, share=False
    )
    for key in shown:
        own, place = _of(rows, key).set_index("row"), axes["/".join(key)]
        for position, name in enumerate(names):
            if name not in own.index:  # a column of this row's judge alone
                continue
            row = own.loc[name]
            dot(place, position, row, colour(row["judge"], kinds))
            if not np.isnan(row["published"]):
                place.plot(
                    row["published"], position, "D", color=DARK, markerfacecolor="none", markersize=4.5, zorder=5
                )
        head(place, _named(own["benchmark"].iloc[0], own), 2.8)
        place.set_xlabel(SIDES[key[0]], fontsize=8)
    marks = [*kind_marks(rows["judge"], kinds), mark("published, quoted", marker="D", filled=False)]
    missing = [column for side, column in keys if (side, column) not in shown]
    return finish(figure, "", marks, left_out(missing, "the benchmark is not part of this run"))


def _named(benchmark: str, rows: pd.DataFrame) -> str:
    """Return the benchmark with its items, and how many verdicts could not be read for the judge with the most."""
    unread = int(rows["errors"].max())
    return f"{benchmark} (n = {rows['n'].max()}{f', up to {unread} unread' if unread else ''})"


def _of(rows: pd.DataFrame, key: tuple[str, str]) -> pd.DataFrame:
    return rows[(rows["side"] == key[0]) & (rows["column"] == key[1])]


def sweep(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """A panel for grades and one for pairs: a line per benchmark over alpha, with its interval."""
    sides = [side for side in SIDES if (table["side"] == side).any()]
    figure, axes = panel_grid(dict.fromkeys(sides, 9), columns=2, width=4.2, share=False)
    for side in sides:
        for number, (benchmark, rows) in enumerate(table[table["side"] == side].groupby("benchmark", sort=False)):
            rows = rows.sort_values("alpha")
            shade = f"C{number}"
            axes[side].plot(rows["alpha"], rows["value"], "o-", color=shade, markersize=4, linewidth=1.3,
                            label=_named(benchmark, rows))  # fmt: skip
            axes[side].fill_between(
                rows["alpha"], rows["ci_low"], rows["ci_high"], color=shade, alpha=0.13, linewidth=0
            )
        axes[side].set_title(SIDES[side])
        axes[side].set_xlim(-0.03, 1.03)
        axes[side].set_xlabel("alpha: share of the first parent", fontsize=8)
        axes[side].legend(fontsize=7, frameon=False, loc="upper center", bbox_to_anchor=(0.5, -0.16))
    return finish(figure, "", [])
