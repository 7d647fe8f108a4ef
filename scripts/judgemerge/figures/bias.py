"""Figures of bias.csv: how far the place and the length of an answer sway a judge."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from judgemerge.figures.panels import (
    colour,
    dot,
    finish,
    in_order,
    judge_rows,
    kind_marks,
    left_out,
    mark,
    panel_grid,
    worth_showing,
)

_LENGTHS = (("accuracy_longer_better", "^", True), ("accuracy_shorter_better", "v", False))


def position(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark, one row per judge: how much more often than half the answer shown first wins."""
    rows = table[(table["aspect"] == "position") & (table["metric"] == "first_shown_excess")]
    shown, missing = worth_showing(rows, kinds)
    parts = {name: rows[rows["benchmark"] == name].set_index("judge") for name in shown}
    figure, axes = panel_grid({name: len(part) for name, part in parts.items()})
    for name, part in parts.items():
        judges = in_order(part.index, kinds)
        axes[name].axvline(0, color="#555555", linewidth=0.8, zorder=0)
        for place, judge in enumerate(judges):
            dot(axes[name], place, part.loc[judge], colour(judge, kinds))
        judge_rows(axes[name], judges)
        axes[name].set_title(name)
    if shown:
        reach = max(0.05, 1.1 * rows[["ci_low", "ci_high", "value"]].abs().max(axis=None))
        axes[shown[0]].set_xlim(-reach, reach)  # the panels share the axis; 0 is in the middle
    label = "← second    share won by the answer shown first, minus ½    first →"
    footnote = left_out(missing, "no judge but baselines was recorded in both orders")
    return finish(figure, label, kind_marks(rows["judge"], kinds), footnote)


def length(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark, one row per judge: accuracy where the longer answer is better, and the shorter."""
    rows = table[(table["aspect"] == "length") & table["metric"].isin([metric for metric, _, _ in _LENGTHS])]
    shown, missing = worth_showing(rows, kinds)
    figure, axes = panel_grid({name: rows.loc[rows["benchmark"] == name, "judge"].nunique() * 1.25 for name in shown})
    for name in shown:
        part = rows[rows["benchmark"] == name].set_index(["metric", "judge"])
        judges = in_order(part.index.get_level_values("judge"), kinds)
        sizes = []
        for offset, (metric, marker, filled) in zip((-0.15, 0.15), _LENGTHS, strict=True):
            for place, judge in enumerate(judges):
                dot(axes[name], place + offset, part.loc[metric, judge], colour(judge, kinds), marker, filled)
            sizes.append(part.loc[metric, "n"].max())
        judge_rows(axes[name], judges)
        axes[name].set_title(f"{name}\n▲ {sizes[0]}, ▽ {sizes[1]} verdicts", fontsize=8.5)
    marks = kind_marks(rows["judge"], kinds)
    marks += [mark("longer answer is better", "^"), mark("shorter answer is better", "v", filled=False)]
    return finish(
        figure,
        "accuracy, verdicts of all recorded orders",
        marks,
        left_out(missing, "no judge has a verdict where it counts"),
    )
