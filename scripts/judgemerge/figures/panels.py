"""What all figures share: the look, a grid of panels, a row per judge, and a legend that explains every mark."""

from collections.abc import Iterable, Mapping, Sequence

import matplotlib

matplotlib.use("Agg")  # no display on a cluster node

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

COLOURS = {
    "base": "#4c6a92",
    "expert": "#2a9d8f",
    "merge": "#d1495b",
    "quantization": "#c58b2a",
    "derived": "#e09f3e",
    "recorded": "#8d6a9f",
    "baseline": "#9a9a9a",
    "model": "#4c6a92",
}
DARK = "#333333"
_ROW_HEIGHT = 0.24
_COLUMNS = 3


def use_style() -> None:
    """Set the look of all figures; SVG text stays text, so that it can be searched and copied."""
    sns.set_theme(style="whitegrid", context="paper", font_scale=0.95)
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "svg.hashsalt": "judgemerge",
            "figure.dpi": 150,
            "axes.titlesize": 10,
            "grid.color": "#dddddd",
            "grid.linewidth": 0.7,
            "axes.edgecolor": "#bbbbbb",
        }
    )


def panel_grid(
    rows: Mapping[str, float], columns: int = _COLUMNS, width: float = 3.1, share: bool = True
) -> tuple[Figure, dict[str, Axes]]:
    """Return a figure with one panel per name, as high as its number of rows, read line by line.

    A name that starts with "-" leaves its place empty. With `share` all panels have the same x axis, labelled at the
    lowest panel of each column. Without names the figure is one empty panel.
    """
    names = list(rows) or ["-"]
    columns = min(columns, len(names))
    lines = [names[start : start + columns] for start in range(0, len(names), columns)]
    heights = [max(rows.get(name, 1) for name in line) for line in lines]
    figure, grid = plt.subplots(
        len(lines),
        columns,
        figsize=(max(4.2, 0.4 + width * columns), 1.0 + sum(0.62 + _ROW_HEIGHT * height for height in heights)),
        gridspec_kw={"height_ratios": [height + 1.2 for height in heights]},
        squeeze=False,
        sharex=share,
        layout="constrained",
    )
    panels = {name: axes for name, axes in zip(names, grid.flat, strict=False) if not name.startswith("-")}
    for axes in set(grid.flat) - set(panels.values()):
        axes.set_visible(False)
    for column in grid.T:
        shown = [axes for axes in column if axes.get_visible()]
        if shown and share:
            shown[-1].xaxis.set_tick_params(labelbottom=True)
    return figure, panels


def judge_rows(axes: Axes, judges: Sequence[str]) -> None:
    """Give the panel one row per judge, the first on top."""
    axes.set_yticks(range(len(judges)), judges, fontsize=8)
    axes.set_ylim(len(judges) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def in_order(judges: Iterable[str], kinds: Mapping[str, str]) -> list[str]:
    """Return the judges in the order of `kinds`, those that are not in it after the others."""
    judges = list(dict.fromkeys(judges))
    return [judge for judge in kinds if judge in judges] + [judge for judge in judges if judge not in kinds]


def colour(judge: str, kinds: Mapping[str, str]) -> str:
    """Return the colour of a judge's kind."""
    return COLOURS[kinds.get(judge, "model")]


def dot(axes: Axes, y: float, row: pd.Series, shade: str, marker: str = "o", filled: bool = True) -> None:
    """Draw a value with its interval at height y; an undefined value is its reason in words."""
    value, low, high = (row[name] for name in ("value", "ci_low", "ci_high"))
    if np.isnan(value):
        reason(axes, y, row["note"])
        return
    axes.plot([low, high], [y, y], color=shade, linewidth=1.4, solid_capstyle="round")
    face = shade if filled else "white"
    axes.plot(value, y, marker, color=shade, markerfacecolor=face, markersize=4.5, markeredgewidth=1.1)


def reason(axes: Axes, y: float, note: str) -> None:
    """Write at height y why there is nothing to be seen."""
    text = note if isinstance(note, str) and note else "undefined"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    place = axes.get_yaxis_transform()
    axes.text(0.02, y, text, transform=place, va="center", fontsize=6, style="italic", color="#666666", bbox=box)


def mark(label: str, marker: str = "o", shade: str = DARK, filled: bool = True) -> Line2D:
    """Return the legend's entry for a marker."""
    face = shade if filled else "white"
    return Line2D([], [], marker=marker, linestyle="", color=shade, markerfacecolor=face, label=label)


def kind_marks(judges: Iterable[str], kinds: Mapping[str, str]) -> list[Line2D]:
    """Return the legend's entries for the kinds of these judges."""
    used = {kinds.get(judge, "model") for judge in judges}
    return [mark(kind, shade=shade) for kind, shade in COLOURS.items() if kind in used]


def finish(figure: Figure, xlabel: str, marks: Sequence[Line2D], footnote: str = "") -> Figure:
    """Put the legend above, the name of the x axis and a footnote below; return the figure."""
    if not any(axes.get_visible() for axes in figure.axes):
        figure.text(0.5, 0.5, footnote or "nothing to show", ha="center", va="center", fontsize=8, wrap=True)
        return figure
    figure.supxlabel(xlabel, fontsize=9)
    if marks:
        wide = sum(0.45 + 0.07 * len(entry.get_label()) for entry in marks)
        columns = min(len(marks), max(1, int(len(marks) * figure.get_figwidth() / wide)))
        figure.legend(handles=marks, loc="outside upper center", ncols=columns, frameon=False, fontsize=8)
    if footnote:  # below the figure: it is saved with everything that sticks out
        lines = wrapped(footnote, int(figure.get_figwidth() * 18))
        figure.text(0.01, -0.08 / figure.get_figheight(), "\n".join(lines), fontsize=6.5, va="top", color="#666666")
    return figure


def wrapped(text: str, characters: int) -> list[str]:
    """Return the text in lines of at most so many characters; names are not broken."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > characters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def worth_showing(rows: pd.DataFrame, kinds: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the benchmarks where a judge other than a baseline has a value, and the others.

    Where baselines are all there is, their benchmarks are shown: a study of baselines has figures, too.
    """
    every = list(rows["benchmark"].unique())
    defined = rows.dropna(subset="value")
    real = defined[[kinds.get(judge) != "baseline" for judge in defined["judge"]]]
    shown = set((real if len(real) else defined)["benchmark"])
    return [name for name in every if name in shown], [name for name in every if name not in shown]


def left_out(benchmarks: Sequence[str], because: str) -> str:
    """Return the footnote for benchmarks that are not shown."""
    return f"Not shown, because {because}: {', '.join(benchmarks)}." if benchmarks else ""
