"""Figure of comparisons.csv: how far each judge is from the best one."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from judgemerge.agreement.headlines import SIGNIFICANT, against, best_judge, headline_rows
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
)

METRICS = {"accuracy": "", "accuracy_first": ", original order", "spearman": ", Spearman"}


def differences(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark, one row per judge: its difference from the best judge there, with interval.

    The title names the best judge and the metric, unless it is accuracy over both orders; a filled mark is a difference
    that stays significant after Holm.
    """
    rows = {name: headline_rows(part) for name, part in table.groupby("benchmark", sort=False)}
    best = {name: best_judge(part) for name, part in rows.items()}
    shown = {name: against(rows[name], judge) for name, judge in best.items() if judge is not None}
    figure, axes = panel_grid({name: len(part) for name, part in shown.items()})
    judges = []
    for name, part in shown.items():
        part = part.rename(columns={"difference": "value"})
        present = in_order(part.index, kinds)
        for position, judge in enumerate(present):
            row = part.loc[judge]
            dot(axes[name], position, row, colour(judge, kinds), filled=bool(row["p_holm"] < SIGNIFICANT))
        judge_rows(axes[name], present)
        axes[name].axvline(0, color="#555555", linewidth=0.8, zorder=0)
        metric, n = part["metric"].iloc[0], part["n"].max()
        axes[name].set_title(f"{name} (n = {n})\nminus {best[name]}{METRICS[metric]}", fontsize=8.5)
        judges += present
    marks = kind_marks(judges, kinds)
    marks += [mark(f"p < {SIGNIFICANT} after Holm", filled=True), mark("not significant", filled=False)]
    missing = left_out([name for name in rows if name not in shown], "no two judges can be compared")
    return finish(
        figure, "accuracy (or Spearman correlation) minus that of the best judge of the benchmark", marks, missing
    )
