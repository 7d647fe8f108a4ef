"""Figure of humans.csv: judges among people."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from judgemerge.figures.panels import (
    DARK,
    colour,
    dot,
    finish,
    in_order,
    judge_rows,
    kind_marks,
    left_out,
    mark,
    panel_grid,
)

HUMANS = "humans"
_VOTES = ("single votes", "single votes, ties left out")
_BAND = "#e9c46a"


def humans(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """Two panels per benchmark, one row per judge, people on top and as a band behind all rows.

    Left: agreement with the majority of the other people, where people reach their ceiling (a judge stands in for each
    person in turn). Right: agreement with single votes, with ties and, hollow, without; benchmarks of pairs only.
    """
    pooled = table[table["kind"].isin([HUMANS, "judge"])]
    shown = list(pooled.loc[pooled["against"] == "others", "benchmark"].unique())
    sizes: dict[str, int] = {}
    for name in shown:
        part = pooled[pooled["benchmark"] == name]
        n_raters = part.loc[part["against"] == "others", "rater"].nunique()
        sizes |= {name: n_raters, f"{name}: votes" if part["against"].isin(_VOTES).any() else f"-{name}": n_raters}
    figure, axes = panel_grid(sizes, columns=2, width=3.9)
    for name in shown:
        part = pooled[pooled["benchmark"] == name]
        metric = "accuracy" if "accuracy" in set(part["metric"]) else "spearman"
        ceiling = part[(part["against"] == "others") & (part["metric"] == metric)].set_index("rater")
        against = "the majority of the others" if metric == "accuracy" else "the mean of the others, Spearman"
        _panel(axes[name], [ceiling], kinds, f"{name}: {against}")
        if f"{name}: votes" in axes:
            votes = [part[part["against"] == setting].set_index("rater") for setting in _VOTES]
            _panel(axes[f"{name}: votes"], votes, kinds, f"{name}: single votes")
    marks = [mark("humans", shade=DARK), *kind_marks(pooled.loc[pooled["kind"] == "judge", "rater"], kinds)]
    marks.append(mark("single votes, ties left out", filled=False))
    missing = [name for name in table["benchmark"].unique() if name not in shown]
    footnote = left_out(missing, "no item has the votes of two people")
    return finish(figure, "agreement with people (band: people among themselves)", marks, footnote)


def _panel(axes: Axes, series: Sequence[pd.DataFrame], kinds: dict[str, str], title: str) -> None:
    """Draw one row per rater with a mark for each series, filled for the first; each is indexed by rater."""
    raters = [HUMANS, *in_order((rater for rater in series[0].index if rater != HUMANS), kinds)]
    offsets = [0.0] if len(series) == 1 else [-0.16, 0.16]
    for offset, part, filled in zip(offsets, series, (True, False), strict=False):
        for position, rater in enumerate(raters):
            shade = DARK if rater == HUMANS else colour(rater, kinds)
            dot(axes, position + offset, part.loc[rater], shade, filled=filled)
        people = part.loc[HUMANS]
        if not np.isnan(people["ci_low"]):
            axes.axvspan(people["ci_low"], people["ci_high"], color=_BAND, alpha=0.4 if filled else 0.2, zorder=0, lw=0)
    judge_rows(axes, raters)
    axes.set_title(f"{title} (n = {series[0].loc[HUMANS, 'n']})", fontsize=9)
