"""Figures of a study, drawn from agreement.csv alone: every point with its interval, nothing without a name."""

from collections.abc import Callable, Sequence

import matplotlib

matplotlib.use("Agg")  # no display on a cluster node

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure

COLOURS = {
    "base": "#4c6a92",
    "expert": "#2a9d8f",
    "merge": "#d1495b",
    "recorded": "#8d6a9f",
    "baseline": "#9a9a9a",
    "model": "#4c6a92",
}
NAMES = {
    "accuracy": "accuracy (mean of both orders)",
    "consistency": "position consistency (same verdict in both orders)",
    "spearman": "Spearman correlation with the human grade",
}
_ROW_HEIGHT = 0.27
_COLUMNS = 3


def use_style() -> None:
    """Set the look of all figures; SVG text stays text, so that it can be searched and copied."""
    sns.set_theme(style="whitegrid", context="paper", font_scale=0.95)
    matplotlib.rcParams.update(
        {"svg.fonttype": "none", "svg.hashsalt": "judgemerge", "figure.dpi": 150, "axes.titlesize": 10}
    )


def select(table: pd.DataFrame, metric: str, benchmarks: Sequence[str] | None = None) -> pd.DataFrame:
    """Return the rows of one metric under our own rules, benchmarks in the order of the table."""
    chosen = table[(table["metric"] == metric) & (table["rules"] == "house")]
    return chosen if benchmarks is None else chosen[chosen["benchmark"].isin(benchmarks)]


def metric_by_judge(table: pd.DataFrame, kinds: dict[str, str], metric: str) -> Figure:
    """One panel per benchmark, one row per judge: the metric with its interval.

    `kinds` maps every judge to a key of COLOURS, in the order in which they are shown.
    """
    rows = select(table, metric)
    benchmarks = list(rows["benchmark"].unique())
    n_columns = min(_COLUMNS, len(benchmarks))
    panels = [benchmarks[start : start + n_columns] for start in range(0, len(benchmarks), n_columns)]
    n_judges = [max(rows[rows["benchmark"].isin(line)].groupby("benchmark")["judge"].nunique()) for line in panels]
    figure, grid = plt.subplots(
        len(panels),
        n_columns,
        figsize=(1.0 + 3.1 * n_columns, sum(0.75 + _ROW_HEIGHT * n for n in n_judges) + 0.8),
        gridspec_kw={"height_ratios": [n + 1 for n in n_judges]},
        squeeze=False,
        sharex=True,
    )
    for axes, benchmark in zip(grid.flat, benchmarks, strict=False):
        _dots(axes, rows[rows["benchmark"] == benchmark], kinds)
        n_items = rows.loc[rows["benchmark"] == benchmark, "n"].max()
        axes.set_title(f"{benchmark} (n = {n_items})")
    for axes in grid.flat[len(benchmarks) :]:
        axes.set_visible(False)
    figure.supxlabel(NAMES.get(metric, metric), fontsize=10)
    _legend(figure, [kinds[judge] for judge in rows["judge"].unique()])
    return figure


def _dots(axes: Axes, rows: pd.DataFrame, kinds: dict[str, str]) -> None:
    shown = [judge for judge in kinds if judge in set(rows["judge"])]
    rows = rows.set_index("judge").loc[shown]
    for position, (judge, row) in enumerate(rows.iterrows()):
        colour = COLOURS[kinds[judge]]
        if np.isnan(row["value"]):
            axes.text(
                0.02,
                position,
                row["note"] or "undefined",
                transform=axes.get_yaxis_transform(),
                va="center",
                fontsize=6,
            )
            continue
        axes.plot(
            [row["ci_low"], row["ci_high"]], [position, position], color=colour, linewidth=1.6, solid_capstyle="round"
        )
        axes.plot(row["value"], position, "o", color=colour, markersize=4.5)
    if "majority" in shown and not np.isnan(rows.loc["majority", "value"]):
        axes.axvline(rows.loc["majority", "value"], color=COLOURS["baseline"], linewidth=0.8, linestyle="--", zorder=0)
    axes.set_yticks(range(len(shown)), shown, fontsize=8)
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def _legend(figure: Figure, kinds: Sequence[str]) -> None:
    used = [kind for kind in COLOURS if kind in kinds]
    handles = [plt.Line2D([], [], marker="o", linestyle="", color=COLOURS[kind], label=kind) for kind in used]
    figure.tight_layout(rect=(0, 0, 1, 0.97))
    figure.legend(handles=handles, loc="upper center", ncols=len(handles), frameon=False, fontsize=8)


def consistency_and_accuracy(table: pd.DataFrame, kinds: dict[str, str]) -> Figure:
    """One panel per benchmark: position consistency against accuracy, a point with both intervals per judge.

    A judge far below the diagonal of its neighbours changes its mind when the answers are swapped.
    """
    wide = {metric: select(table, metric).set_index(["benchmark", "judge"]) for metric in ("accuracy", "consistency")}
    both = (
        wide["accuracy"].join(wide["consistency"], rsuffix="_consistency").dropna(subset=["value", "value_consistency"])
    )
    benchmarks = list(dict.fromkeys(both.index.get_level_values("benchmark")))
    n_columns = max(1, min(_COLUMNS, len(benchmarks)))
    n_rows = max(1, -(-len(benchmarks) // n_columns))
    figure, grid = plt.subplots(
        n_rows, n_columns, figsize=(0.6 + 3.4 * n_columns, 0.8 + 3.1 * n_rows), squeeze=False, sharex=True, sharey=True
    )
    for axes, benchmark in zip(grid.flat, benchmarks, strict=False):
        points = both.loc[benchmark]
        for judge, row in points.iterrows():
            axes.errorbar(
                row["value"],
                row["value_consistency"],
                xerr=_error(row, ""),
                yerr=_error(row, "_consistency"),
                fmt="o",
                markersize=4.5,
                linewidth=0.9,
                color=COLOURS[kinds[judge]],
            )
        _name_points(axes, points)
        axes.set_title(benchmark)
        axes.set(xlim=(-0.03, 1.06), ylim=(-0.03, 1.06), xlabel=None, ylabel=None)
    for axes in grid.flat[len(benchmarks) :]:
        axes.set_visible(False)
    figure.supxlabel(NAMES["accuracy"], fontsize=10)
    figure.supylabel(NAMES["consistency"], fontsize=10)
    _legend(figure, [kinds[judge] for judge in both.index.get_level_values("judge")])
    return figure


def _error(row: pd.Series, suffix: str) -> np.ndarray:
    value = row["value" + suffix]
    bounds = [value - row["ci_low" + suffix], row["ci_high" + suffix] - value]
    return np.nan_to_num(np.clip(bounds, 0, None)).reshape(2, 1)


def _name_points(axes: Axes, points: pd.DataFrame) -> None:
    """Write each judge's name beside its point, moved up where it would cover a name written before."""
    taken: list[tuple[float, float]] = []
    for judge, row in points.sort_values("value_consistency").iterrows():
        x, y = row["value"] + 0.02, row["value_consistency"]
        while any(abs(x - other_x) < 0.3 and abs(y - other_y) < 0.052 for other_x, other_y in taken):
            y += 0.012
        taken.append((x, y))
        axes.annotate(
            judge,
            (row["value"], row["value_consistency"]),
            xytext=(x, y),
            fontsize=6.5,
            va="center",
            arrowprops={"arrowstyle": "-", "linewidth": 0.3, "color": "#999999"},
        )


def merges_on_both_skills(table: pd.DataFrame, kinds: dict[str, str], pairwise: str, pointwise: str) -> Figure:
    """Base, experts and merges, row by row, on one benchmark of pairs and one of grades."""
    models = {judge: kind for judge, kind in kinds.items() if kind in ("base", "expert", "merge")}
    figure, (left, right) = plt.subplots(1, 2, figsize=(7.4, 1.3 + 0.33 * len(models)), sharey=True)
    for axes, metric, benchmark in ((left, "accuracy", pairwise), (right, "spearman", pointwise)):
        rows = select(table, metric, [benchmark])
        _dots(axes, rows[rows["judge"].isin(models)], models)
        axes.set_title(f"{benchmark} (n = {rows['n'].max()})")
        axes.set_xlabel(NAMES[metric])
        baseline = rows[rows["judge"] == "majority"]
        if len(baseline) and not np.isnan(baseline["value"].iloc[0]):
            axes.axvline(baseline["value"].iloc[0], color=COLOURS["baseline"], linewidth=0.8, linestyle="--", zorder=0)
    _legend(figure, list(models.values()))
    return figure


FIGURES: dict[str, Callable[..., Figure]] = {
    "accuracy": lambda table, kinds, panels: metric_by_judge(table, kinds, "accuracy"),
    "grading": lambda table, kinds, panels: metric_by_judge(table, kinds, "spearman"),
    "consistency": lambda table, kinds, panels: consistency_and_accuracy(table, kinds),
    "merges": lambda table, kinds, panels: merges_on_both_skills(table, kinds, *panels),
}
