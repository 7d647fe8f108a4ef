"""Figure of humans.csv: judges among people."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from judgemerge.report.figures.panels import (
    DARK,
    cell_of,
    colour,
    dot,
    finish,
    head,
    heat_map,
    in_order,
    is_crowded,
    judge_panels,
    kind_marks,
    left_out,
    mark,
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
    series: dict[str, list[pd.DataFrame]] = {}
    titles: dict[str, str] = {}
    for name in shown:
        part = pooled[pooled["benchmark"] == name]
        metric = "accuracy" if "accuracy" in set(part["metric"]) else "spearman"
        against = "the majority of the others" if metric == "accuracy" else "the mean of the others, Spearman"
        series[name] = [part[(part["against"] == "others") & (part["metric"] == metric)].set_index("rater")]
        titles[name] = f"{name}: {against}"
        if part["against"].isin(_VOTES).any():
            votes = f"{name}: votes"
            series[votes] = [part[part["against"] == setting].set_index("rater") for setting in _VOTES]
            titles[votes] = f"{name}: single votes"
    raters = {panel: list(parts[0].index) for panel, parts in series.items()}
    titles = {panel: f"{text} (n = {series[panel][0].loc[HUMANS, 'n']})" for panel, text in titles.items()}
    missing = [name for name in table["benchmark"].unique() if name not in shown]
    footnote = left_out(missing, "no item has the votes of two people")
    marks = [mark("humans", shade=DARK), *kind_marks(pooled.loc[pooled["kind"] == "judge", "rater"], kinds)]
    if is_crowded(raters):
        cells = {
            titles[panel]: {rater: cell_of(row) for rater, row in parts[0].iterrows()}
            for panel, parts in series.items()
        }
        label = "agreement with people ± half its interval; single votes with ties"
        return finish(heat_map(cells, {HUMANS: "baseline"} | kinds), label, marks, footnote)
    judges = in_order((rater for own in raters.values() for rater in own if rater != HUMANS), kinds)
    figure, axes, names = judge_panels(raters, [HUMANS, *judges], columns=2, width=3.6)
    for panel, parts in series.items():
        _panel(axes[panel], parts, names[panel], kinds, titles[panel])
    marks.append(mark("single votes, ties left out", filled=False))
    return finish(figure, "agreement with people (band: people among themselves)", marks, footnote)


def _panel(axes: Axes, series: Sequence[pd.DataFrame], names: Sequence[str], kinds: dict[str, str], title: str) -> None:
    """Draw a mark in the row of each rater for each series, filled for the first; each is indexed by rater."""
    offsets = [0.0] if len(series) == 1 else [-0.16, 0.16]
    for offset, part, filled in zip(offsets, series, (True, False), strict=False):
        for rater, row in part.iterrows():
            shade = DARK if rater == HUMANS else colour(rater, kinds)
            dot(axes, names.index(rater) + offset, row, shade, filled=filled)
        people = part.loc[HUMANS]
        if not np.isnan(people["ci_low"]):
            axes.axvspan(people["ci_low"], people["ci_high"], color=_BAND, alpha=0.4 if filled else 0.2, zorder=0, lw=0)
    head(axes, title, 3.6)
