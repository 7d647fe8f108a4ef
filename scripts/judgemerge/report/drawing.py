"""What all figures share: the look, a grid of panels, a row per judge, and a legend that explains every mark.

Matplotlib is imported where it is needed: the Snakefile reads the tables that use these functions.
"""

import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from judgemerge.report.table import in_order

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

DARK = "#333333"
COLOURS = {
    "humans": DARK,
    "base": "#4c6a92",
    "expert": "#2a9d8f",
    "merge": "#d1495b",
    "quantization": "#c58b2a",
    "derived": "#e09f3e",
    "recorded": "#8d6a9f",
    "jury": "#3f7d3f",
    "cascade": "#8a5a44",
    "baseline": "#9a9a9a",
    "model": "#4c6a92",
}
_ROW_HEIGHT = 0.24
_COLUMNS = 3
TITLE_INCHES = 0.075  # of a letter of a title in 9 points
LONGEST_REASON = 60  # letters of a reason; the table has all of it
MOST_ROWS = 20  # more judges than that on several benchmarks are a heat map


def pyplot() -> ModuleType:
    """Return matplotlib.pyplot, which needs no display: a cluster node has none."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot

    return matplotlib.pyplot


def use_style() -> None:
    """Set the look of all figures; SVG text stays text, so that it can be searched and copied."""
    import matplotlib
    import seaborn as sns

    pyplot()
    sns.set_theme(style="whitegrid", context="paper", font_scale=0.95)
    matplotlib.rcParams.update(
        {
            "svg.fonttype": "none",
            "text.parse_math": False,  # a dollar sign in a name or in an error is a dollar sign
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
) -> tuple["Figure", dict[str, "Axes"]]:
    """Return a figure with one panel per name, as high as its number of rows, read line by line.

    A name that starts with "-" leaves its place empty. With `share` all panels have the same x axis, labelled at the
    lowest panel of each column. Without names the figure is one empty panel.
    """
    names = list(rows) or ["-"]
    columns = min(columns, len(names))
    lines = [names[start : start + columns] for start in range(0, len(names), columns)]
    heights = [max(rows.get(name, 1) for name in line) for line in lines]
    figure, grid = pyplot().subplots(
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
        visible = [axes for axes in column if axes.get_visible()]
        if visible and share:
            visible[-1].xaxis.set_tick_params(labelbottom=True)
    return figure, panels


def judge_panels(
    rows: Mapping[str, Sequence[str]],
    order: Sequence[str],
    columns: int = _COLUMNS,
    width: float = 2.6,
    height: float = 1,
    share: bool = True,
) -> tuple["Figure", dict[str, "Axes"], dict[str, list[str]]]:
    """Return a figure with a panel per name, the panels, and the row names of each from the top.

    `rows` are the names that a panel has something to say about, `order` all names in the order in which they are
    shown. Panels side by side have the same rows, named once, at the left; they stand in one line only when their names
    are nearly the same, so that no panel is stretched to the height of another. `height` is that of a row. With `share`
    all panels have the same x axis, labelled at the lowest panel of each column.
    """
    lines = _lines(rows, columns)
    names = [sorted({name for panel in line for name in rows[panel]}, key=order.index) for line in lines]
    n_columns = max(map(len, lines), default=1)
    heights = [_ROW_HEIGHT * height * len(of_line) for of_line in names] or [1.0]
    longest = max((len(name) for of_line in names for name in of_line), default=0)
    size = max(4.2, 0.4 + 0.062 * longest + width * n_columns), 1.0 + sum(0.62 + of_line for of_line in heights)
    figure = pyplot().figure(figsize=size, layout="constrained")
    grid = figure.add_gridspec(max(len(lines), 1), n_columns, height_ratios=[0.3 + of_line for of_line in heights])
    panels: dict[str, Axes] = {}
    for number, line in enumerate(lines):
        for column, panel in enumerate(line):
            axes = figure.add_subplot(grid[number, column], sharex=next(iter(panels.values()), None) if share else None)
            judge_rows(axes, names[number])
            axes.tick_params(labelleft=column == 0)
            below = any(len(other) > column for other in lines[number + 1 :])
            axes.tick_params(labelbottom=not (below and share))
            panels[panel] = axes
    if not panels:
        figure.add_subplot(grid[0, 0]).set_visible(False)
    return figure, panels, {panel: of_line for line, of_line in zip(lines, names, strict=True) for panel in line}


def _lines(rows: Mapping[str, Sequence[str]], columns: int) -> list[list[str]]:
    """Return the panels of each line: a panel joins the first line with room whose rows are nearly its own."""
    lines: list[list[str]] = []
    for panel in rows:
        for line in lines:
            sets = [set(rows[other]) for other in (*line, panel)]
            if len(line) < columns and len(set.union(*sets)) <= 1 + 1.3 * min(map(len, sets)):
                line.append(panel)
                break
        else:
            lines.append([panel])
    return lines


def is_crowded(rows: Mapping[str, Sequence[str]]) -> bool:
    """Return whether a heat map shows more than panels do: more than 20 judges on several benchmarks."""
    return len(rows) > 1 and max(map(len, rows.values())) > MOST_ROWS


@dataclass(frozen=True)
class Estimate:
    """A value with the ends of its interval, and how it is marked; `words` stand for it in a heat map where it is NaN.

    In a panel its mark is filled or hollow, and the note says why there is none; in a heat map the sign follows it.
    """

    value: float = math.nan
    ci_low: float = math.nan
    ci_high: float = math.nan
    note: str = ""
    filled: bool = True
    sign: str = ""
    words: str = "–"

    @classmethod
    def of(cls, row: Any, filled: bool = True, sign: str = "") -> "Estimate":
        """Return that of a row of a table."""
        return cls(row.value, row.ci_low, row.ci_high, row.note, filled, sign)

    @property
    def text(self) -> str:
        """The value with half the width of its interval; the sign follows."""
        if math.isnan(self.value):
            return self.words
        width = f"{(self.ci_high - self.ci_low) / 2:.2f}".removeprefix("0")
        return f"{self.value:.2f}{'' if math.isnan(self.ci_low) else f' ±{width}'}{self.sign}"


def estimates(rows: "pd.DataFrame", judge: str = "judge", filled: bool = True) -> dict[str, Estimate]:
    """Return the estimate of every row by its judge."""
    return {getattr(row, judge): Estimate.of(row, filled) for row in rows.itertuples()}


class Series(NamedTuple):
    """A mark per judge in one panel: `offset` is how far below its row it is, `column` its heading in a heat map.

    A series without a heading is in panels only.
    """

    estimates: Mapping[str, Estimate]
    column: str = ""
    marker: str = "o"
    offset: float = 0.0


class Panel(NamedTuple):
    """A panel with a row per judge: its title and marks, the value of a constant judge, the name of its x axis."""

    title: str
    series: Sequence[Series]
    label: str = ""
    baseline: float = math.nan
    about_zero: bool = False

    @property
    def judges(self) -> list[str]:
        """Those that have a mark, or a reason why they have none."""
        return list(dict.fromkeys(judge for series in self.series for judge in series.estimates))

    def draw(self, axes: "Axes", judges: Sequence[str], kinds: Mapping[str, str], width: float) -> None:
        """Draw everything in axes that have a row for each of `judges`."""
        for series in self.series:
            for judge, estimate in series.estimates.items():
                dot(axes, judges.index(judge) + series.offset, estimate, colour(judge, kinds), series.marker)
        if self.about_zero:
            axes.axvline(0, color="#555555", linewidth=0.8, zorder=0)
        if not math.isnan(self.baseline):
            axes.axvline(self.baseline, color=COLOURS["baseline"], linewidth=0.8, linestyle="--", zorder=0)
        if self.label:
            axes.set_xlabel(self.label, fontsize=8)
        head(axes, self.title, width)


class HeatMap(NamedTuple):
    """How a figure of judges is a heat map where there are too many of them for panels; with `diverging` 0 is white."""

    label: str
    footnote: str = ""
    diverging: bool = False


def judge_figure(
    panels: Mapping[str, Panel],
    judges: Iterable[str],
    kinds: Mapping[str, str],
    label: str,
    footnote: str = "",
    marks: Sequence["Line2D"] = (),
    crowd: HeatMap | None = None,
    width: float = 2.6,
    **grid: Any,
) -> tuple["Figure", dict[str, "Axes"]]:
    """Return the figure of panels with a row per judge, and its panels; that of a crowd is a heat map without any.

    The legend explains the kinds of all `judges` and, in panels, the `marks`; `grid` is what `judge_panels` takes.
    """
    judges = list(judges)
    rows = {name: panel.judges for name, panel in panels.items()}
    kinds_marks = kind_marks(judges, kinds)
    if crowd and is_crowded(rows):
        columns = {series.column: series.estimates for panel in panels.values() for series in panel.series}
        columns.pop("", None)
        figure = heat_map(columns, kinds, crowd.diverging)
        return finish(figure, crowd.label, kinds_marks, crowd.footnote), {}
    figure, axes, names = judge_panels(rows, in_order(judges, kinds), width=width, **grid)
    for name, panel in panels.items():
        panel.draw(axes[name], names[name], kinds, width)
    return finish(figure, label, [*kinds_marks, *marks], footnote), axes


def heat_map(
    cells: Mapping[str, Mapping[str, Estimate]], kinds: Mapping[str, str], diverging: bool = False
) -> "Figure":
    """Return a figure with a row per judge and a column per benchmark; a judge without a field there has a blank.

    `cells` is title of the column → judge → field, a title may have a second line. With `diverging` 0 is white.
    """
    import numpy as np
    import seaborn as sns

    judges = in_order((judge for column in cells.values() for judge in column), kinds)
    values = np.full((len(judges), len(cells)), np.nan)
    for x, column in enumerate(cells.values()):
        for judge, cell in column.items():
            values[judges.index(judge), x] = cell.value
    longest = max(map(len, judges), default=0)
    size = 0.9 + 0.062 * longest + 0.85 * len(cells), 2.0 + 0.19 * len(judges)
    figure, axes = pyplot().subplots(figsize=size, layout="constrained")
    reach = np.nanmax(np.abs(values), initial=0.01)
    lowest = -reach if diverging else np.nanmin(values, initial=1)
    highest = reach if diverging else np.nanmax(values, initial=0)
    shades = (
        sns.diverging_palette(250, 15, s=60, l=65, as_cmap=True)
        if diverging
        else sns.light_palette("#4c8c8a", as_cmap=True)
    )
    axes.imshow(values, cmap=shades, vmin=lowest, vmax=highest, aspect="auto")
    for x, column in enumerate(cells.values()):
        for judge, cell in column.items():
            axes.text(x, judges.index(judge), cell.text, ha="center", va="center", fontsize=5.8, color="#222222")
    axes.set_xticks(range(len(cells)), list(cells), fontsize=7.5, rotation=35, ha="left", rotation_mode="anchor")
    axes.xaxis.tick_top()
    axes.set_yticks(range(len(judges)), judges, fontsize=7)
    for label, judge in zip(axes.get_yticklabels(), judges, strict=True):
        label.set_color(DARK if judge not in kinds else COLOURS[kinds[judge]])
    axes.grid(visible=False)
    axes.tick_params(length=0)
    return figure


def head(axes: "Axes", text: str, inches: float = 2.6) -> None:
    """Write the title of a panel of this width: a line too long goes on below, a long name gets smaller letters."""
    lines = text.split("\n")
    for ending in (" (n = ", " minus ", ": "):
        for number, line in enumerate(lines):
            place = line.rfind(ending)
            if len(line) * TITLE_INCHES > inches and place > 0:
                start = place + (2 if ending == ": " else 1)
                lines[number : number + 1] = [line[:start].rstrip(), line[start:]]
    fitting = 9 * inches / TITLE_INCHES / max(map(len, lines))
    axes.set_title("\n".join(lines), fontsize=max(5.5, min(9, fitting)))


def judge_rows(axes: "Axes", judges: Sequence[str]) -> None:
    """Give the panel one row per judge, the first on top."""
    axes.set_yticks(range(len(judges)), judges, fontsize=8)
    axes.set_ylim(len(judges) - 0.4, -0.6)
    axes.grid(axis="y", visible=False)


def colour(judge: str, kinds: Mapping[str, str]) -> str:
    """Return the colour of a judge's kind."""
    return COLOURS[kinds.get(judge, "model")]


def dot(axes: "Axes", y: float, row: Any, shade: str, marker: str = "o") -> None:
    """Draw a value with its interval at height y; an undefined value is its reason in words.

    `row` is an estimate, or a row of a table with value, ci_low, ci_high and note.
    """
    if math.isnan(row.value):
        reason(axes, y, row.note)
        return
    axes.plot([row.ci_low, row.ci_high], [y, y], color=shade, linewidth=1.4, solid_capstyle="round")
    point(axes, row.value, y, shade, marker, getattr(row, "filled", True))


def point(
    axes: "Axes", x: float, y: float, shade: str, marker: str = "o", filled: bool = True, size: float = 4.5
) -> None:
    """Draw a mark, filled or hollow."""
    face = shade if filled else "white"
    axes.plot(x, y, marker, color=shade, markerfacecolor=face, markersize=size, markeredgewidth=1.1)


def reason(axes: "Axes", y: float, note: str) -> None:
    """Write at height y why there is nothing to be seen."""
    text = textwrap.shorten(note, LONGEST_REASON, placeholder=" …") if isinstance(note, str) and note else "undefined"
    box = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
    place = axes.get_yaxis_transform()
    axes.text(0.02, y, text, transform=place, va="center", fontsize=6, style="italic", color="#666666", bbox=box)


def mark(label: str, marker: str = "o", shade: str = DARK, filled: bool = True) -> "Line2D":
    """Return the legend's entry for a marker."""
    from matplotlib.lines import Line2D

    face = shade if filled else "white"
    return Line2D([], [], marker=marker, linestyle="", color=shade, markerfacecolor=face, label=label)


def kind_marks(judges: Iterable[str], kinds: Mapping[str, str]) -> list["Line2D"]:
    """Return the legend's entries for the kinds of these judges."""
    present = {kinds.get(judge, "model") for judge in judges}
    return [mark(kind, shade=shade) for kind, shade in COLOURS.items() if kind in present]


def finish(figure: "Figure", xlabel: str, marks: Sequence["Line2D"], footnote: str = "") -> "Figure":
    """Put the legend above, the name of the x axis and a footnote below; return the figure."""
    if not any(axes.get_visible() for axes in figure.axes):
        figure.text(0.5, 0.5, footnote or "nothing to show", ha="center", va="center", fontsize=8, wrap=True)
        return figure
    figure.supxlabel(xlabel, fontsize=9)
    if marks:
        wide = sum(0.45 + 0.07 * len(entry.get_label()) for entry in marks)
        columns = min(len(marks), max(1, int(len(marks) * figure.get_figwidth() / wide)))
        figure.legend(handles=marks, loc="outside upper center", ncols=columns, frameon=False, fontsize=8)
    if footnote:
        add_footnote(figure, footnote)
    return figure


def add_footnote(figure: "Figure", footnote: str) -> None:
    """Write below the figure, and below what was written there before; it is saved with everything that sticks out."""
    n_above = sum(1 + text.get_text().count("\n") for text in figure.texts if text.get_position()[1] < 0)
    lines = wrapped(footnote, int(figure.get_figwidth() * 18))
    place = -(0.08 + 0.115 * n_above) / figure.get_figheight()
    figure.text(0.01, place, "\n".join(lines), fontsize=6.5, va="top", color="#666666")


def wrapped(text: str, characters: int) -> list[str]:
    """Return the text in lines of at most so many characters; names are not broken."""
    lines = [""]
    for word in text.split():
        if lines[-1] and len(lines[-1]) + 1 + len(word) > characters:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}".strip()
    return lines


def worth_showing(rows: "pd.DataFrame", kinds: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the benchmarks where a judge other than a baseline has a value, and the others.

    Where baselines are all there is, their benchmarks are shown: a study of baselines has figures, too.
    """
    benchmarks = list(rows.benchmark.unique())
    defined = rows.dropna(subset="value")
    real = defined[[kinds.get(judge) != "baseline" for judge in defined.judge]]
    visible = set((real if len(real) else defined).benchmark)
    return [name for name in benchmarks if name in visible], [name for name in benchmarks if name not in visible]


def not_shown(benchmarks: Sequence[str], because: str) -> str:
    """Return the footnote for benchmarks that are not shown."""
    return f"Not shown, because {because}: {', '.join(benchmarks)}." if benchmarks else ""
