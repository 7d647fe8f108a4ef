"""agreement.csv: every metric of every judge on every benchmark, against the gold labels."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.report.drawing import (
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
from judgemerge.report.markup import crosstab, grid, notes, ordered
from judgemerge.report.table import (
    Column,
    Figure,
    Inputs,
    Page,
    Section,
    Table,
    View,
    has_judges,
    judges_grades,
    judges_pairs,
)

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from judgemerge.study.study import Study

COLUMNS = {
    "judge": Column("name of the judge, annotator or constant judge"),
    "benchmark": Column("name of the item set, or of an average over several"),
    "protocol": Column("pairwise or pointwise"),
    "metric": Column("name of the metric; `_first` and `_swapped` are one order of the pairs"),
    "value": Column("the metric; empty where it is undefined"),
    "ci_low": Column("lower end of the confidence interval"),
    "ci_high": Column("upper end of the confidence interval"),
    "n": Column("number of items that the value is computed from"),
    "errors": Column("number of replies that could not be parsed; never counted as ties"),
    "rules": Column("house: the protocol of this workflow; published: that of the benchmark's paper"),
    "note": Column("why a value is undefined, or why the judge has none"),
    "prompt": Column("prompt that the judge was asked with; empty where nobody asked it"),
}
INTRO = (
    "Each cell is the value with its {confidence} interval, prompts resampled as clusters. n counts items, errors "
    "counts replies that could not be read; an error is never a tie. A dash is a value that does not exist; hover over "
    "it for the reason."
)
NOT_RUN = " Not run, because neither a mirror nor downloads are set: {suites}."
WARNING = (
    " Warning: {benchmarks} share prompts with sets that judges were or may have been trained on; see the table "
    "'Contamination: overlap with training data'."
)
ENDINGS = ("_first", "_swapped")  # metrics of one order

# ---- page ----


def page_inputs(study: "Study") -> Inputs:
    """Return the table of shared prompts, if there is one, and the prompt files: they say whose words these are."""
    names = dict.fromkeys(name for prompts in study.asked_prompts.values() for name in prompts.values())
    overlap = ["overlap"] if study.overlap_pairs else []
    return Inputs(tables=overlap, files=[f"config/prompts/{name}.yaml" for name in names])


def page_parameters(study: "Study") -> dict[str, Any]:
    """Return what the page says besides the numbers; judges are named by their words."""
    return {
        "excluded_suites": study.left_out_suites,
        "prompts": {study.labels[judge]: names for judge, names in study.asked_prompts.items()},
        "overlap": bool(study.overlap_pairs),
    }


def page(
    table: "pd.DataFrame",
    view: View,
    excluded_suites: Sequence[str],
    prompts: Mapping[str, Mapping[str, str]],
    overlap: bool,
) -> Page:
    """Return a section per benchmark and rules, then the prompts of the judges."""
    from judgemerge.data.overlap import affected
    from judgemerge.prompting.prompts import load_template

    names = dict.fromkeys(name for by_protocol in prompts.values() for name in by_protocol.values())
    wordings = {name: load_template(f"config/prompts/{name}.yaml").wording for name in names}
    more = view.material.failed_judges()
    more += NOT_RUN.format(suites=", ".join(excluded_suites)) if excluded_suites else ""
    shared = affected(view.material.table("overlap").itertuples()) if overlap else []
    more += WARNING.format(benchmarks=", ".join(shared)) if shared else ""
    return view.page([*sections(table, view.judges), *prompt_sections(prompts, wordings)], more)


def sections(table: "pd.DataFrame", judges: Sequence[str]) -> list[Section]:
    """Return one section per benchmark and rules.

    House rules: a row per judge, a column per metric, `value [low, high]`. Published rules have many metrics and no
    intervals: a row per metric, a column per judge; people (annotators, constant judges) come after the judges.
    """
    return [
        (
            f"{benchmark} ({protocol}, {rules} rules)",
            _metrics_by_judge(rows, judges) if rules == "published" else _judges_by_metric(rows, judges),
        )
        for (benchmark, protocol, rules), rows in table.groupby(["benchmark", "protocol", "rules"], sort=False)
    ]


def prompt_sections(prompts: Mapping[str, Mapping[str, str]], wordings: Mapping[str, str]) -> list[Section]:
    """Return a section with the prompts of every judge that was asked, none without such judges.

    `prompts` is judge → protocol → prompt, `wordings` prompt → whose words these are, own or published.
    """
    lines = []
    for judge, names in prompts.items():
        words = {protocol: wordings[name] for protocol, name in names.items()}
        if len(set(words.values())) > 1:
            words = {protocol: f"{word} ({protocol})" for protocol, word in words.items()}
        cells = [judge, names.get("pairwise", ""), names.get("pointwise", ""), ", ".join(dict.fromkeys(words.values()))]
        lines.append([html.escape(cell) for cell in cells])
    return [("Prompts", grid(["judge", "pairwise prompt", "pointwise prompt", "whose words"], lines))] if lines else []


def _judges_by_metric(rows: "pd.DataFrame", judges: Sequence[str]) -> str:
    metrics = [metric for metric in rows["metric"].unique() if not _is_redundant(rows, metric)]
    counts = rows.groupby("judge")[["n", "errors"]].max()
    return crosstab(rows, "judge", "metric").html(
        ["judge", "n", "errors"], ordered(rows["judge"], judges), metrics, lambda judge: [judge, *counts.loc[judge]]
    )


def _is_redundant(rows: "pd.DataFrame", metric: str) -> bool:
    """Return whether a metric of one order says no more than the pooled one: every judge was recorded in both orders.

    Accuracy is shown in each order whatever judges there are.
    """
    pooled = next((metric.removesuffix(ending) for ending in ENDINGS if metric.endswith(ending)), None)
    if pooled is None or pooled == "accuracy":
        return False
    values = rows.pivot_table(index="judge", columns="metric", values="value")
    return metric not in values or (pooled in values and values.loc[values[metric].notna(), pooled].notna().all())


def _metrics_by_judge(rows: "pd.DataFrame", judges: Sequence[str]) -> str:
    sizes = rows.groupby("metric")["n"].agg(["min", "max"])
    table = crosstab(rows, "metric", "judge").html(
        ["metric", "n"],
        columns=ordered(rows["judge"], judges),
        names=lambda metric: [metric, "–".join(map(str, dict.fromkeys(sizes.loc[metric])))],
    )
    return table + notes(zip(rows["metric"], rows["note"], strict=True))


# ---- figures ----

NAMES = {
    "accuracy": "accuracy (mean of both orders)",
    "consistency": "position consistency (same verdict in both orders)",
    "spearman": "Spearman correlation with the human grade",
}
SKILL_METRICS = ("accuracy", "spearman")
UNDEFINED = "–: undefined, see the note in the table."
MOST_NAMES, LONGEST_NAME = 10, 25  # points in a panel, letters of a name: beyond, points are numbered
# Shown, with a hollow mark, for a judge that has no value of the metric.
_INSTEAD = {"accuracy": ("accuracy_first", "one order recorded")}


def select(table: "pd.DataFrame", metric: str, benchmarks: Sequence[str] | None = None) -> "pd.DataFrame":
    """Return the rows of one metric under our own rules, benchmarks in the order of the table."""
    selected = table[(table["metric"] == metric) & (table["rules"] == "house")]
    return selected if benchmarks is None else selected[selected["benchmark"].isin(benchmarks)]


def accuracy(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str] = ()) -> "Drawing":
    """Accuracy of every judge on every benchmark of pairs."""
    return _by_judge(table, kinds, "accuracy")


def grading(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str] = ()) -> "Drawing":
    """Rank correlation of every judge on every benchmark of grades."""
    return _by_judge(table, kinds, "spearman")


def _by_judge(table: "pd.DataFrame", kinds: dict[str, str], metric: str) -> "Drawing":
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
        if "majority" in part.index and not math.isnan(part.loc["majority", "value"]):
            axes[name].axvline(part.loc["majority", "value"], color=COLOURS["baseline"], lw=0.8, ls="--", zorder=0)
        head(axes[name], titles[name])
    return finish(figure, NAMES.get(metric, metric), marks + ([mark(meaning, filled=False)] if replaced else []))


def _part(rows: "pd.DataFrame", benchmark: str) -> "pd.DataFrame":
    """Return the rows of one benchmark by judge; none when it has none."""
    return rows.loc[benchmark] if benchmark in rows.index else rows.iloc[:0].droplevel("benchmark")


def _with_instead(rows: "pd.DataFrame", instead: "pd.DataFrame") -> "pd.DataFrame":
    """Return the rows by judge, for judges without a value the row that they have instead; `instead` marks those."""
    import pandas as pd

    there = instead[instead["value"].notna()].index
    replaced = rows["value"].isna() & rows.index.isin(there)
    return pd.concat([rows[~replaced], instead.loc[rows.index[replaced]]]).assign(
        instead=[judge in rows.index[replaced] for judge in [*rows.index[~replaced], *rows.index[replaced]]]
    )


def consistency(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str] = ()) -> "Drawing":
    """One panel per benchmark: position consistency against accuracy, a point with both intervals per judge.

    A judge far below its neighbours changes its mind when the answers are swapped.
    """
    wide = {metric: select(table, metric).set_index(["benchmark", "judge"]) for metric in ("accuracy", "consistency")}
    both = wide["accuracy"].join(wide["consistency"], rsuffix="_y").dropna(subset=["value", "value_y"])
    visible, _ = worth_showing(both.reset_index(), kinds)
    missing = [name for name in select(table, "accuracy")["benchmark"].unique() if name not in visible]
    plotted = both.loc[visible] if visible else both.iloc[:0]
    judges = in_order(plotted.index.get_level_values("judge"), kinds)
    most = plotted.groupby(level="benchmark").size().max() if visible else 0
    numbered = most > MOST_NAMES or max(map(len, judges), default=0) > LONGEST_NAME
    words = {judge: str(number) if numbered else judge for number, judge in enumerate(judges, 1)}
    crowded = most > 3 * MOST_NAMES
    figure, axes = panel_grid(dict.fromkeys(visible, 18 if crowded else 9), width=4.6 if crowded else 3.2)
    for name in visible:
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
    if visible:
        figure.supylabel(NAMES["consistency"], fontsize=9)
    marks = kind_marks(judges, kinds)
    because = "no judge but baselines was recorded in both orders"
    undrawn = in_order(set(select(table, "accuracy")["judge"]) - set(both.index.get_level_values("judge")), kinds)
    footnotes = left_out(missing, because), left_out(undrawn, "these judges have no verdicts in both orders")
    finish(figure, NAMES["accuracy"], marks, " ".join(filter(None, footnotes)))
    if visible and numbered:
        _explain_numbers(figure, judges, kinds)
    return figure


def _explain_numbers(figure: "Drawing", judges: Sequence[str], kinds: dict[str, str]) -> None:
    """Write beside the figure which judge each number is."""
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], marker="o", markersize=4, linestyle="", color=colour(judge, kinds), label=f"{n}  {judge}")
        for n, judge in enumerate(judges, 1)
    ]
    columns = math.ceil(0.16 * len(judges) / (figure.get_figheight() - 1.4))
    figure.set_figwidth(figure.get_figwidth() + columns * (0.4 + 0.055 * (3 + max(map(len, judges)))))
    figure.legend(handles=entries, loc="outside right center", ncols=columns, frameon=False, fontsize=7)


def _error(row: "pd.Series", suffix: str) -> "np.ndarray":
    import numpy as np

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


def _name_points(axes: "Axes", points: "pd.DataFrame") -> None:
    """Write each judge's name where it covers no other name and fewest points and whiskers, and stays inside."""
    obstacles, names = [], []
    for row in points.itertuples():
        obstacles.append((row.value - 0.015, row.value + 0.015, row.value_y - 0.02, row.value_y + 0.02))
        obstacles.append((row.ci_low, row.ci_high, row.value_y - 0.004, row.value_y + 0.004))
        obstacles.append((row.value - 0.004, row.value + 0.004, row.ci_low_y, row.ci_high_y))
    dots = list(zip(points["value"], points["value_y"], strict=True))
    for row in points.sort_values(["value_y", "value"]).itertuples():
        x, y = row.value, row.value_y
        choices = [_box(x + dx, y + dy, side, str(row.Index)) for dx, dy, side in _PLACES]
        costs = [_cost(box, obstacles + 9 * names) + 0.5 * _is_nearer(box, (x, y), dots) for box in choices]
        best = costs.index(min(costs))
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


def _cost(box: tuple, obstacles: Sequence[tuple]) -> float:
    """Return how many others a box lies on, and a hundred times how far it sticks out of the panel."""
    left, right, low, high = box
    start, end = _LIMITS
    outside = sum(max(0, excess) for excess in (start - left, right - end, start - low, high - end))
    return 100 * outside + sum(left < r and x < right and low < h and y < high for x, r, y, h in obstacles)


def _is_nearer(box: tuple, point: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    """Return whether the middle of a box is nearer to another point than to its own."""
    middle = ((box[0] + box[1]) / 2, (box[2] + box[3]) / 2)
    return any(math.dist(middle, other) < math.dist(middle, point) for other in others)


def merges(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str]) -> "Drawing":
    """Base, experts and merges, row by row, on one benchmark of pairs and one of grades."""
    models = {judge: kind for judge, kind in kinds.items() if kind in ("base", "expert", "merge")}
    rows = {
        benchmark: select(table, metric, [benchmark]).set_index("judge")
        for benchmark, metric in zip(panels, SKILL_METRICS, strict=True)
    }
    judges = {benchmark: [judge for judge in models if judge in part.index] for benchmark, part in rows.items()}
    figure, axes, names = judge_panels(judges, list(models), columns=2, width=3.2, share=False)
    for (benchmark, part), metric in zip(rows.items(), SKILL_METRICS, strict=True):
        for judge in judges[benchmark]:
            dot(axes[benchmark], names[benchmark].index(judge), part.loc[judge], colour(judge, kinds))
        baseline = part["value"].get("majority", math.nan)
        if not math.isnan(baseline):
            axes[benchmark].axvline(baseline, color=COLOURS["baseline"], linewidth=0.8, linestyle="--", zorder=0)
        head(axes[benchmark], f"{benchmark} (n = {part['n'].max()})", 3.2)
        axes[benchmark].set_xlabel(NAMES[metric], fontsize=8)
    return finish(figure, "", kind_marks(models, kinds))


def skill_benchmarks(study: "Study") -> list[str]:
    """Return the first benchmark of pairs and the first of grades: the two skills that merges are shown on."""
    by_protocol = {study.protocol(name): name for name in reversed(study.benchmarks)}
    return [by_protocol[protocol] for protocol in ("pairwise", "pointwise") if protocol in by_protocol]


def merges_two_skills(study: "Study") -> bool:
    """The study has merges, and benchmarks of both skills."""
    return bool(study.merges) and judges_pairs(study) and judges_grades(study)


HEAT_MAP = "With more than 20 judges on several benchmarks a field of the heat map is the value ± half its interval."
TABLE = Table(
    title="Judge–human agreement",
    caption="Every metric of every judge on every benchmark, with interval, n and errors. The same numbers, unrounded, "
    "are in ``agreement.csv``. The last section names the prompt of every judge that was asked, and whose words it is.",
    columns=COLUMNS,
    wanted=has_judges,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    in_record=True,
    figures={
        "accuracy": Figure(
            label="Accuracy by judge and benchmark",
            caption="Accuracy against the human label, mean of both orders, with 95 % intervals (prompts resampled). "
            "The dashed line is ``majority``, the best that a judge with one constant answer can reach. A hollow mark "
            f"is the accuracy of a judge that was recorded in one order only. {HEAT_MAP}",
            draw=accuracy,
            wanted=judges_pairs,
        ),
        "consistency": Figure(
            label="Position consistency and accuracy",
            caption="Position consistency (the same verdict when the two responses change places) against accuracy. A "
            "judge high on the right is both accurate and consistent; one that follows the position lies low. A judge "
            "recorded in one order has no consistency. Where there are more than ten judges, or long names, points "
            "have numbers, explained beside the figure.",
            draw=consistency,
            wanted=judges_pairs,
        ),
        "grading": Figure(
            label="Direct assessment: rank correlation by judge",
            caption="Spearman's rank correlation between a judge's grade and the human grade, with 95 % intervals. A "
            f"constant judge has none. {HEAT_MAP}",
            draw=grading,
            wanted=judges_grades,
        ),
        "merges": Figure(
            label="Merge methods on both skills",
            caption="Base, experts and merges on both skills: pairwise ranking (left) and direct assessment (right). "
            "Each expert was trained on one skill; a useful merge preserves both.",
            draw=merges,
            wanted=merges_two_skills,
            panels=skill_benchmarks,
        ),
    },
)
