"""Figures of bias.csv: how far the place and the length of an answer sway a judge."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from judgemerge.report.figures.panels import (
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
    worth_showing,
)

_LENGTHS = (("accuracy_longer_better", "^", True), ("accuracy_shorter_better", "v", False))


def position(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark, one row per judge: how much more often than half the answer shown first wins."""
    rows = table[(table["aspect"] == "position") & (table["metric"] == "first_shown_excess")]
    shown, missing = worth_showing(rows, kinds)
    parts = {name: rows[rows["benchmark"] == name].set_index("judge") for name in shown}
    judges = {name: list(part.index) for name, part in parts.items()}
    label = "← second    share won by the answer shown first, minus ½    first →"
    footnote = left_out(missing, "no judge but baselines was recorded in both orders")
    marks = kind_marks(rows["judge"], kinds)
    if is_crowded(judges):
        cells = {name: {judge: cell_of(row) for judge, row in part.iterrows()} for name, part in parts.items()}
        return finish(heat_map(cells, kinds, diverging=True), label, marks, footnote)
    figure, axes, names = judge_panels(judges, in_order(rows["judge"], kinds))
    for name, part in parts.items():
        axes[name].axvline(0, color="#555555", linewidth=0.8, zorder=0)
        for judge, row in part.iterrows():
            dot(axes[name], names[name].index(judge), row, colour(judge, kinds))
        head(axes[name], name)
    if shown:
        reach = max(0.05, 1.1 * rows[["ci_low", "ci_high", "value"]].abs().max(axis=None))
        axes[shown[0]].set_xlim(-reach, reach)  # the panels share the axis; 0 is in the middle
    return finish(figure, label, marks, footnote)


def length(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark, one row per judge: accuracy where the longer answer is better, and the shorter."""
    rows = table[(table["aspect"] == "length") & table["metric"].isin([metric for metric, _, _ in _LENGTHS])]
    shown, missing = worth_showing(rows, kinds)
    parts = {name: rows[rows["benchmark"] == name].set_index(["metric", "judge"]) for name in shown}
    judges = {name: list(dict.fromkeys(part.index.get_level_values("judge"))) for name, part in parts.items()}
    label, footnote = (
        "accuracy, verdicts of all recorded orders",
        left_out(missing, "no judge has a verdict where it counts"),
    )
    marks = kind_marks(rows["judge"], kinds)
    if is_crowded(judges):
        cells = {
            f"{name}, {sign} {part.loc[metric, 'n'].max()}": {
                judge: cell_of(row) for judge, row in part.loc[metric].iterrows()
            }
            for name, part in parts.items()
            for (metric, _, _), sign in zip(_LENGTHS, "▲▽", strict=True)
        }
        footnote = f"▲: the longer answer is better, ▽: the shorter; with the number of verdicts. {footnote}"
        return finish(heat_map(cells, kinds), label, marks, footnote)
    figure, axes, names = judge_panels(judges, in_order(rows["judge"], kinds), height=1.25)
    for name, part in parts.items():
        sizes = []
        for offset, (metric, marker, filled) in zip((-0.15, 0.15), _LENGTHS, strict=True):
            for judge, row in part.loc[metric].iterrows():
                dot(axes[name], names[name].index(judge) + offset, row, colour(judge, kinds), marker, filled)
            sizes.append(part.loc[metric, "n"].max())
        head(axes[name], f"{name}\n▲ {sizes[0]}, ▽ {sizes[1]} verdicts")
    marks += [mark("longer answer is better", "^"), mark("shorter answer is better", "v", filled=False)]
    return finish(figure, label, marks, footnote)
