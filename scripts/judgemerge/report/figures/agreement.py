"""Figures of agreement.csv: how well judges agree with the truth, and how steady they are."""

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from judgemerge.report.figures.panels import (
    COLOURS,
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
    panel_grid,
    worth_showing,
)

NAMES = {
    "accuracy": "accuracy (mean of both orders)",
    "consistency": "position consistency (same verdict in both orders)",
    "spearman": "Spearman correlation with the human grade",
}
METRICS_OF_SKILLS = ("accuracy", "spearman")
UNDEFINED = "–: undefined, see the note in the table."
MOST_NAMES, LONGEST_NAME = 10, 25  # points in a panel, letters of a name: beyond, points are numbered
# Shown, with a hollow mark, for a judge that has no value of the metric.
_INSTEAD = {"accuracy": ("accuracy_first", "one order recorded")}


def select(table: pd.DataFrame, metric: str, benchmarks: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of one metric under our own rules, benchmarks in the order of the table."""
    chosen = table[(table["metric"] == metric) & (table["rules"] == "house")]
    return chosen if benchmarks is None else chosen[chosen["benchmark"].isin(benchmarks)]


def accuracy(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """Accuracy of every judge on every benchmark of pairs."""
    return _by_judge(table, kinds, "accuracy")


def grading(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """Rank correlation of every judge on every benchmark of grades."""
    return _by_judge(table, kinds, "spearman")


def _by_judge(table: pd.DataFrame, kinds: dict[str, str], metric: str) -> Figure:
    """One panel per benchmark, one row per judge: the metric with its interval; many judges are a heat map."""
    rows = select(table, metric).set_index(["benchmark", "judge"])
    benchmarks = list(dict.fromkeys(rows.index.get_level_values("benchmark")))
    other, meaning = _INSTEAD.get(metric, (None, ""))
    instead = select(table, other).set_index(["benchmark", "judge"])
    parts = {name: _with_instead(rows.loc[name], _part(instead, name)) for name in benchmarks}
    replaced = any(part["instead"].any() for part in parts.values())
    judges = {name: list(part.index) for name, part in parts.items()}
    titles = {name: f"{name} (n = {part['n'].max()})" for name, part in parts.items()}
    marks = kind_marks(rows.index.get_level_values("judge"), kinds)
    if is_crowded(judges):
        cells = {
            titles[name]: {judge: cell_of(row, "¹" if row["instead"] else "") for judge, row in part.iterrows()}
            for name, part in parts.items()
        }
        label = f"{NAMES.get(metric, metric)} ± half its interval"
        return finish(heat_map(cells, kinds), label, marks, f"¹ {meaning}. {UNDEFINED}" if replaced else UNDEFINED)
    figure, axes, names = judge_panels(judges, in_order(rows.index.get_level_values("judge"), kinds))
    for name, part in parts.items():
        for judge, row in part.iterrows():
            dot(axes[name], names[name].index(judge), row, colour(judge, kinds), filled=not row["instead"])
        if "majority" in part.index and not np.isnan(part.loc["majority", "value"]):
            axes[name].axvline(part.loc["majority", "value"], color=COLOURS["baseline"], lw=0.8, ls="--", zorder=0)
        head(axes[name], titles[name])
    return finish(figure, NAMES.get(metric, metric), marks + ([mark(meaning, filled=False)] if replaced else []))


def _part(rows: pd.DataFrame, benchmark: str) -> pd.DataFrame:
    """Return the rows of one benchmark by judge; none when it has none."""
    return rows.loc[benchmark] if benchmark in rows.index else rows.iloc[:0].droplevel("benchmark")


def _with_instead(rows: pd.DataFrame, instead: pd.DataFrame) -> pd.DataFrame:
    """Return the rows by judge, for judges without a value the row that they have instead; `instead` marks those."""
    there = instead[instead["value"].notna()].index
    replaced = rows["value"].isna() & rows.index.isin(there)
    return pd.concat([rows[~replaced], instead.loc[rows.index[replaced]]]).assign(
        instead=[judge in rows.index[replaced] for judge in [*rows.index[~replaced], *rows.index[replaced]]]
    )


def consistency(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per benchmark: position consistency against accuracy, a point with both intervals per judge.

    A judge far below its neighbours changes its mind when the answers are swapped.
    """
    wide = {metric: select(table, metric).set_index(["benchmark", "judge"]) for metric in ("accuracy", "consistency")}
    both = wide["accuracy"].join(wide["consistency"], rsuffix="_y").dropna(subset=["value", "value_y"])
    shown, _ = worth_showing(both.reset_index(), kinds)
    missing = [name for name in select(table, "accuracy")["benchmark"].unique() if name not in shown]
    drawn = both.loc[shown] if shown else both.iloc[:0]
    judges = in_order(drawn.index.get_level_values("judge"), kinds)
    most = drawn.groupby(level="benchmark").size().max() if shown else 0
    numbered = most > MOST_NAMES or max(map(len, judges), default=0) > LONGEST_NAME
    words = {judge: str(number) if numbered else judge for number, judge in enumerate(judges, 1)}
    crowded = most > 3 * MOST_NAMES
    figure, axes = panel_grid(dict.fromkeys(shown, 18 if crowded else 9), width=4.6 if crowded else 3.2)
    for name in shown:
        points = both.loc[name]
        for judge, row in points.iterrows():
            axes[name].errorbar(
                row["value"],
                row["value_y"],
                xerr=_error(row, ""),
                yerr=_error(row, "_y"),
                fmt="o",
                markersize=3.5 if most > MOST_NAMES else 4.5,
                linewidth=0.9,
                elinewidth=0.4 if most > MOST_NAMES else 0.9,
                color=colour(judge, kinds),
            )
        axes[name].set(xlim=_LIMITS, ylim=_LIMITS, xlabel=None, ylabel=None)
        head(axes[name], f"{name} (n = {points['n'].max()})")
        _name_points(axes[name], points.rename(index=words))
    if shown:
        figure.supylabel(NAMES["consistency"], fontsize=9)
    marks = kind_marks(judges, kinds)
    because = "no judge but baselines was recorded in both orders"
    undrawn = in_order(set(select(table, "accuracy")["judge"]) - set(both.index.get_level_values("judge")), kinds)
    notes = left_out(missing, because), left_out(undrawn, "these judges have no verdicts in both orders")
    finish(figure, NAMES["accuracy"], marks, " ".join(filter(None, notes)))
    if shown and numbered:
        _explain_numbers(figure, judges, kinds)
    return figure


def _explain_numbers(figure: Figure, judges: Sequence[str], kinds: dict[str, str]) -> None:
    """Write beside the figure which judge each number is."""
    entries = [
        Line2D([], [], marker="o", markersize=4, linestyle="", color=colour(judge, kinds), label=f"{n}  {judge}")
        for n, judge in enumerate(judges, 1)
    ]
    columns = math.ceil(0.16 * len(judges) / (figure.get_figheight() - 1.4))
    figure.set_figwidth(figure.get_figwidth() + columns * (0.4 + 0.055 * (3 + max(map(len, judges)))))
    figure.legend(handles=entries, loc="outside right center", ncols=columns, frameon=False, fontsize=7)


def _error(row: pd.Series, suffix: str) -> np.ndarray:
    value = row["value" + suffix]
    bounds = [value - row["ci_low" + suffix], row["ci_high" + suffix] - value]
    return np.nan_to_num(np.clip(bounds, 0, None)).reshape(2, 1)


# Where a name may stand, seen from its point: in one of the four corners of its whiskers, beside it, or further away.
_PLACES = [
    (dx * far, dy * far, side)
    for far in range(1, 9)
    for dx, dy, side in ((0.012, 0.04, "left"), (0.012, -0.04, "left"), (-0.012, 0.04, "right"),
                         (-0.012, -0.04, "right"), (0.025, 0, "left"), (-0.025, 0, "right"))
]  # fmt: skip
_LIMITS = (-0.03, 1.1)


def _name_points(axes: Axes, points: pd.DataFrame) -> None:
    """Write each judge's name where it covers no other name and fewest points and whiskers, and stays inside."""
    taken, names = [], []
    for row in points.itertuples():
        taken.append((row.value - 0.015, row.value + 0.015, row.value_y - 0.02, row.value_y + 0.02))
        taken.append((row.ci_low, row.ci_high, row.value_y - 0.004, row.value_y + 0.004))
        taken.append((row.value - 0.004, row.value + 0.004, row.ci_low_y, row.ci_high_y))
    dots = list(zip(points["value"], points["value_y"], strict=True))
    for row in points.sort_values(["value_y", "value"]).itertuples():
        x, y = row.value, row.value_y
        choices = [_box(x + dx, y + dy, side, str(row.Index)) for dx, dy, side in _PLACES]
        costs = [_cost(box, taken + 9 * names) + 0.5 * _is_nearer(box, (x, y), dots) for box in choices]
        best = int(np.argmin(costs))
        dx, dy, side = _PLACES[best]
        names.append(choices[best])
        axes.annotate(
            row.Index,
            (x, y),
            xytext=(x + dx, y + dy),
            ha=side,
            va="center",
            fontsize=6.5,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.6, "pad": 0.3},
            arrowprops={"arrowstyle": "-", "linewidth": 0.3, "color": "#999999"} if best >= 6 else None,
        )


def _box(x: float, y: float, side: str, text: str) -> tuple[float, float, float, float]:
    width = 0.021 * len(text)
    left = x if side == "left" else x - width
    return left, left + width, y - 0.026, y + 0.026


def _cost(box: tuple, taken: Sequence[tuple]) -> float:
    """Return how many others a box lies on, and a hundred times how far it sticks out of the panel."""
    left, right, low, high = box
    start, end = _LIMITS
    outside = sum(max(0, excess) for excess in (start - left, right - end, start - low, high - end))
    return 100 * outside + sum(left < r and x < right and low < h and y < high for x, r, y, h in taken)


def _is_nearer(box: tuple, own: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    """Return whether the middle of a box is nearer to another point than to its own."""
    middle = ((box[0] + box[1]) / 2, (box[2] + box[3]) / 2)
    return any(math.dist(middle, other) < math.dist(middle, own) for other in others)


def merges(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str]) -> Figure:
    """Base, experts and merges, row by row, on one benchmark of pairs and one of grades."""
    models = {judge: kind for judge, kind in kinds.items() if kind in ("base", "expert", "merge")}
    rows = {
        benchmark: select(table, metric, [benchmark]).set_index("judge")
        for benchmark, metric in zip(panels, METRICS_OF_SKILLS, strict=True)
    }
    judges = {benchmark: [judge for judge in models if judge in part.index] for benchmark, part in rows.items()}
    figure, axes, names = judge_panels(judges, list(models), columns=2, width=3.2, share=False)
    for (benchmark, part), metric in zip(rows.items(), METRICS_OF_SKILLS, strict=True):
        for judge in judges[benchmark]:
            dot(axes[benchmark], names[benchmark].index(judge), part.loc[judge], colour(judge, kinds))
        baseline = part["value"].get("majority", np.nan)
        if not np.isnan(baseline):
            axes[benchmark].axvline(baseline, color=COLOURS["baseline"], linewidth=0.8, linestyle="--", zorder=0)
        head(axes[benchmark], f"{benchmark} (n = {part['n'].max()})", 3.2)
        axes[benchmark].set_xlabel(NAMES[metric], fontsize=8)
    return finish(figure, "", kind_marks(models, kinds))
