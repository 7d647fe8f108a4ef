"""Figure of comparisons.csv: how far each judge is from the best one."""

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure

from judgemerge.evaluate.headlines import SIGNIFICANT, against, best_judge, headline_rows
from judgemerge.report.figures.panels import (
    Cell,
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
    reason,
)

METRICS = {"accuracy": "", "accuracy_first": ", original order", "spearman": ", Spearman"}


def differences(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark, one row per judge: its difference from the best judge there, with interval.

    The title names the best judge and the metric, unless it is accuracy over both orders; a filled mark is a difference
    that stays significant after Holm.
    """
    rows = {name: headline_rows(part) for name, part in table.groupby("benchmark", sort=False)}
    best = {name: best_judge(part) for name, part in rows.items()}
    shown = {
        name: against(rows[name], judge).rename(columns={"difference": "value"})
        for name, judge in best.items()
        if judge is not None
    }
    judges = {name: [*part.index, best[name]] for name, part in shown.items()}
    order = in_order((judge for own in judges.values() for judge in own), kinds)
    titles = {
        name: f"{name} (n = {part['n'].max()})\nminus {best[name]}{METRICS[part['metric'].iloc[0]]}"
        for name, part in shown.items()
    }
    marks = kind_marks(order, kinds)
    missing = left_out([name for name in rows if name not in shown], "no two judges can be compared")
    label = "accuracy (or Spearman correlation) minus that of the best judge of the benchmark"
    if is_crowded(judges):
        cells = {
            titles[name].replace("\n", ", ").partition(", minus")[0] + METRICS[part["metric"].iloc[0]]: {
                best[name]: Cell(words="best"),
                **{judge: cell_of(row, "*" if row["p_holm"] < SIGNIFICANT else "") for judge, row in part.iterrows()},
            }
            for name, part in shown.items()
        }
        star = f"* p < {SIGNIFICANT} after Holm. ± half the interval. {missing}"
        return finish(heat_map(cells, kinds, diverging=True), label, marks, star)
    figure, axes, names = judge_panels(judges, order)
    for name, part in shown.items():
        for judge, row in part.iterrows():
            filled = bool(row["p_holm"] < SIGNIFICANT)
            dot(axes[name], names[name].index(judge), row, colour(judge, kinds), filled=filled)
        reason(axes[name], names[name].index(best[name]), "the best judge here")
        axes[name].axvline(0, color="#555555", linewidth=0.8, zorder=0)
        head(axes[name], titles[name])
    marks += [mark(f"p < {SIGNIFICANT} after Holm", filled=True), mark("not significant", filled=False)]
    return finish(figure, label, marks, missing)
