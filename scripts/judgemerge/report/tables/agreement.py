"""agreement.csv: every metric of every judge on every benchmark, against the gold labels."""

import functools
import html
import math
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.report import drawing
from judgemerge.report.addresses import Linked
from judgemerge.report.drawing import Estimate, HeatMap, Panel, Series
from judgemerge.report.markup import Crosstab, grid, notes, span
from judgemerge.report.standings import shown_first
from judgemerge.report.table import (
    ESTIMATE,
    Axes,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Page,
    Section,
    Study,
    Table,
    View,
    has_judges,
    in_order,
    judges_grades,
    judges_pairs,
    models_of,
    of_kind,
)

if TYPE_CHECKING:
    import numpy as np

COLUMNS = {
    "judge": Column("name of the judge, annotator or constant judge"),
    "benchmark": Column("name of the item set, or of an average over several"),
    "protocol": Column("pairwise or pointwise"),
    "metric": Column("name of the metric; `_first` and `_swapped` are one order of the pairs"),
    **ESTIMATE,
    "n": Column("number of items that the value is computed from"),
    "errors": Column("number of replies that could not be parsed; never counted as ties"),
    "clusters": Column("number of prompts that the items share; empty where the interval does not use them"),
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


def page_inputs(study: Study) -> Inputs:
    """Return the table of shared prompts, if there is one, and the prompt files: they say whose words these are."""
    names = dict.fromkeys(name for prompts in study.asked_prompts.values() for name in prompts.values())
    overlap = ["overlap"] if study.overlap_pairs else []
    return Inputs(tables=overlap, files=[f"config/prompts/{name}.yaml" for name in names])


def page_parameters(study: Study) -> dict[str, Any]:
    """Return what the page says besides the numbers; judges are named by their words."""
    return {
        "excluded_suites": study.left_out_suites,
        "prompts": {study.labels[judge]: names for judge, names in study.asked_prompts.items()},
        "overlap": bool(study.overlap_pairs),
    }


def page(
    table: Frame, view: View, excluded_suites: Sequence[str], prompts: Mapping[str, Mapping[str, str]], overlap: bool
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


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
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


def _judges_by_metric(rows: Frame, judges: Sequence[str]) -> str:
    from judgemerge.evaluate.score import TOO_NARROW

    metrics = [metric for metric in rows.metric.unique() if not _is_redundant(rows, metric)]
    counts = rows.groupby("judge")[["n", "errors"]].max()
    table = Crosstab(rows, "judge", "metric").html(
        ["judge", "n", "errors"], in_order(rows.judge, judges), metrics, lambda judge: [judge, *counts.loc[judge]]
    )
    warned = rows[rows.metric.isin(metrics) & rows.note.astype(str).str.contains(TOO_NARROW, regex=False)]
    return table + notes(zip(warned.metric, warned.note, strict=True))


def _is_redundant(rows: Frame, metric: str) -> bool:
    """Return whether a metric of one order says no more than the pooled one: every judge was recorded in both orders.

    Accuracy is shown in each order whatever judges there are.
    """
    pooled = next((metric.removesuffix(ending) for ending in ENDINGS if metric.endswith(ending)), None)
    if pooled is None or pooled == "accuracy":
        return False
    values = rows.pivot_table(index="judge", columns="metric", values="value")
    return metric not in values or (pooled in values and values.loc[values[metric].notna(), pooled].notna().all())


def _metrics_by_judge(rows: Frame, judges: Sequence[str]) -> str:
    sizes = rows.groupby("metric").n.agg(["min", "max"])
    table = Crosstab(rows, "metric", "judge").html(
        ["metric", "n"],
        columns=in_order(rows.judge, judges),
        names=lambda metric: [metric, "–".join(map(str, dict.fromkeys(sizes.loc[metric])))],
    )
    return table + notes(zip(rows.metric, rows.note, strict=True))


# ---- first page ----

METRIC_WORDS = {
    "accuracy": "accuracy",
    "accuracy_first": "accuracy in the original order",
    "spearman": "Spearman correlation with the labels",
}


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return who agrees best with the labels of each benchmark: models, base, panels, recorded judges, baselines."""
    bases = of_kind(kinds, "base")
    sides = {
        "best model of the study": [judge for judge in models_of(kinds) if judge not in bases],
        "its base": bases,
        "best jury or cascade": of_kind(kinds, "jury", "cascade"),
        "best recorded judge": of_kind(kinds, "recorded"),
        "best baseline": of_kind(kinds, "baseline"),
    }
    sides = {side: judges for side, judges in sides.items() if judges}
    sentences, lines = {}, []
    for benchmark, rows in table[table.rules == "house"].groupby("benchmark", sort=False):
        main = shown_first(rows, "value").dropna(subset="value")
        best = (_best(main, judges) for judges in sides.values())
        lines.append([Linked(str(benchmark), str(benchmark)), str(rows.n.max()), *map(_in_words, best)])
        if sentence := _sentence(str(benchmark), main, kinds):
            sentences.setdefault(rows.protocol.iloc[0], sentence)  # one for each skill; the table has the rest
    if not lines:
        return []
    note = (
        "The best of several is chosen on the items that it is measured on, which flatters it a little; intervals are "
        "of each judge alone, prompts resampled."
    )
    head = ["benchmark", "n", *sides]
    return [Finding("Who agrees best with the labels", [*sentences.values(), note], head, lines)]


def _sentence(benchmark: str, rows: Frame, kinds: Mapping[str, str]) -> str:
    """Return what the best model of the study has, bases included, else the best recorded judge; empty without both."""
    models = rows[rows.judge.isin(models_of(kinds))]
    best = _best(models, models_of(kinds)) or _best(rows, of_kind(kinds, "recorded"))
    if best is None:
        return ""
    name = f"{best.judge}, the best of {len(models)} models," if len(models) > 1 else best.judge
    metric, value = METRIC_WORDS.get(best.metric, best.metric), span(best.value, best.ci_low, best.ci_high)
    return f"{benchmark}: {name} has {metric} {value} (n {best.n}, {best.errors} errors)."


def _best(rows: Frame, judges: Collection[str]) -> Any:
    """Return the row with the greatest value among these judges, None where there is none."""
    rows = rows[rows.judge.isin(judges)]
    return next(rows.sort_values("value", ascending=False, kind="stable").itertuples(), None)


def _in_words(row: Any) -> str:
    if row is None:
        return "–"
    metric = "" if row.metric in SKILL_METRICS else f", {METRIC_WORDS.get(row.metric, row.metric)}"
    errors = f", {row.errors} errors" if row.errors else ""
    return Linked(f"{row.judge} {span(row.value, row.ci_low, row.ci_high)}{metric}{errors}", row.benchmark, row.judge)


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


def select(table: Frame, metric: str | None) -> Frame:
    """Return the rows of one metric under our own rules."""
    return table[(table.metric == metric) & (table.rules == "house")]


def by_judge(metric: str, table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark, one row per judge: the metric with its interval; many judges are a heat map."""
    other, meaning = _INSTEAD.get(metric, (None, ""))
    rows, others = select(table, metric), select(table, other)
    panels = {
        name: _panel(name, metric, _with_others(part, others[others.benchmark == name]))
        for name, part in rows.groupby("benchmark", sort=False)
    }
    hollow = any(not mark.filled for panel in panels.values() for mark in panel.series[0].estimates.values())
    label = NAMES.get(metric, metric)
    crowd = HeatMap(f"{label} ± half its interval", f"¹ {meaning}. {UNDEFINED}" if hollow else UNDEFINED)
    marks = [drawing.mark(meaning, filled=False)] if hollow else []
    return drawing.judge_figure(panels, rows.judge, kinds, label, marks=marks, crowd=crowd)[0]


def _panel(name: str, metric: str, rows: Sequence[Any], label: str = "") -> Panel:
    """Return the panel of a benchmark; a mark is hollow where it is another metric's."""
    title = f"{name} (n = {max(row.n for row in rows)})"
    marks = {row.judge: Estimate.of(row, row.metric == metric, "" if row.metric == metric else "¹") for row in rows}
    baseline = marks["majority"].value if "majority" in marks else math.nan
    return Panel(title, [Series(marks, title)], label, baseline)


def _with_others(rows: Frame, others: Frame) -> list[Any]:
    """Return the row of each judge, or the one of another metric where it has no value of this one."""
    substitutes = {row.judge: row for row in others.itertuples() if not math.isnan(row.value)}
    return [substitutes.get(row.judge, row) if math.isnan(row.value) else row for row in rows.itertuples()]


def consistency(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark: position consistency against accuracy, a point with both intervals per judge.

    A judge far below its neighbours changes its mind when the answers are swapped.
    """
    accuracies, keys = select(table, "accuracy"), ["benchmark", "judge"]
    both = accuracies.merge(select(table, "consistency"), on=keys, suffixes=("", "_y"))
    both = both.dropna(subset=["value", "value_y"])
    visible, _ = drawing.worth_showing(both, kinds)
    parts = {name: both[both.benchmark == name] for name in visible}
    judges = in_order((judge for part in parts.values() for judge in part.judge), kinds)
    most = max(map(len, parts.values()), default=0)
    numbered = most > MOST_NAMES or max(map(len, judges), default=0) > LONGEST_NAME
    words = {judge: str(number) if numbered else judge for number, judge in enumerate(judges, 1)}
    crowded = most > 3 * MOST_NAMES
    figure, axes = drawing.panel_grid(dict.fromkeys(visible, 18 if crowded else 9), width=4.6 if crowded else 3.2)
    for name, part in parts.items():
        for row in part.itertuples():
            _point(axes[name], row, drawing.colour(row.judge, kinds), most > MOST_NAMES)
        axes[name].set(xlim=_LIMITS, ylim=_LIMITS, xlabel=None, ylabel=None)
        drawing.head(axes[name], f"{name} (n = {part.n.max()})")
        _name_points(axes[name], part.assign(word=part.judge.map(words)))
    if visible:
        figure.supylabel(NAMES["consistency"], fontsize=9)
    missing = [name for name in accuracies.benchmark.unique() if name not in visible]
    undrawn = in_order(set(accuracies.judge) - set(both.judge), kinds)
    footnotes = (
        drawing.not_shown(missing, "no judge but baselines was recorded in both orders"),
        drawing.not_shown(undrawn, "these judges have no verdicts in both orders"),
    )
    drawing.finish(figure, NAMES["accuracy"], drawing.kind_marks(judges, kinds), " ".join(filter(None, footnotes)))
    if visible and numbered:
        _explain_numbers(figure, judges, kinds)
    return figure


def _point(axes: Axes, row: Any, shade: str, many: bool) -> None:
    """Draw a judge's point with both intervals, smaller where there are many."""
    axes.errorbar(
        row.value,
        row.value_y,
        xerr=_whiskers(row.value, row.ci_low, row.ci_high),
        yerr=_whiskers(row.value_y, row.ci_low_y, row.ci_high_y),
        fmt="o",
        markersize=3.5 if many else 4.5,
        linewidth=0.9,
        elinewidth=0.4 if many else 0.9,
        color=shade,
    )


def _explain_numbers(figure: Drawing, judges: Sequence[str], kinds: dict[str, str]) -> None:
    """Write beside the figure which judge each number is."""
    from matplotlib.lines import Line2D

    entries = [
        Line2D(
            [], [], marker="o", markersize=4, linestyle="", color=drawing.colour(judge, kinds), label=f"{n}  {judge}"
        )
        for n, judge in enumerate(judges, 1)
    ]
    columns = math.ceil(0.16 * len(judges) / (figure.get_figheight() - 1.4))
    figure.set_figwidth(figure.get_figwidth() + columns * (0.4 + 0.055 * (3 + max(map(len, judges)))))
    figure.legend(handles=entries, loc="outside right center", ncols=columns, frameon=False, fontsize=7)


def _whiskers(value: float, low: float, high: float) -> "np.ndarray":
    import numpy as np

    return np.nan_to_num(np.clip([value - low, high - value], 0, None)).reshape(2, 1)


# Where a name may stand, seen from its point: in one of the four corners of its whiskers, beside it, or further away.
_PLACES = [
    (dx * far, dy * far, side)
    for far in range(1, 9)
    for dx, dy, side in ((0.012, 0.04, "left"), (0.012, -0.04, "left"), (-0.012, 0.04, "right"),
                         (-0.012, -0.04, "right"), (0.025, 0, "left"), (-0.025, 0, "right"))
]  # fmt: skip
_LIMITS = (-0.03, 1.1)


def _name_points(axes: Axes, points: Frame) -> None:
    """Write each judge's name where it covers no other name and fewest points and whiskers, and stays inside."""
    obstacles, names = [], []
    for row in points.itertuples():
        obstacles.append((row.value - 0.015, row.value + 0.015, row.value_y - 0.02, row.value_y + 0.02))
        obstacles.append((row.ci_low, row.ci_high, row.value_y - 0.004, row.value_y + 0.004))
        obstacles.append((row.value - 0.004, row.value + 0.004, row.ci_low_y, row.ci_high_y))
    dots = list(zip(points.value, points.value_y, strict=True))
    for row in points.sort_values(["value_y", "value"]).itertuples():
        x, y = row.value, row.value_y
        choices = [_box(x + dx, y + dy, side, row.word) for dx, dy, side in _PLACES]
        costs = [_cost(box, obstacles + 9 * names) + 0.5 * _is_nearer(box, (x, y), dots) for box in choices]
        best = costs.index(min(costs))
        dx, dy, side = _PLACES[best]
        names.append(choices[best])
        axes.annotate(
            row.word,
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
    start = x if side == "left" else x - width
    return start, start + width, y - 0.026, y + 0.026


def _cost(box: tuple, obstacles: Sequence[tuple]) -> float:
    """Return how many others a box lies on, and a hundred times how far it sticks out of the panel."""
    first, last, low, high = box
    start, end = _LIMITS
    outside = sum(max(0, excess) for excess in (start - first, last - end, start - low, high - end))
    return 100 * outside + sum(first < r and x < last and low < h and y < high for x, r, y, h in obstacles)


def _is_nearer(box: tuple, point: tuple[float, float], others: Sequence[tuple[float, float]]) -> bool:
    """Return whether the middle of a box is nearer to another point than to its own."""
    middle = ((box[0] + box[1]) / 2, (box[2] + box[3]) / 2)
    return any(math.dist(middle, other) < math.dist(middle, point) for other in others)


def merges(table: Frame, kinds: dict[str, str], panels: Sequence[str]) -> Drawing:
    """Base, experts and merges, row by row, on one benchmark of pairs and one of grades."""
    models = {judge: kind for judge, kind in kinds.items() if kind in ("base", "expert", "merge")}
    skills = {}
    for benchmark, metric in zip(panels, SKILL_METRICS, strict=True):
        rows = list(select(table[table.benchmark == benchmark], metric).itertuples())
        panel = _panel(benchmark, metric, rows, NAMES[metric])
        marks = panel.series[0].estimates
        visible = {judge: marks[judge] for judge in models if judge in marks}
        skills[benchmark] = panel._replace(series=[Series(visible)])
    return drawing.judge_figure(skills, models, kinds, "", columns=2, width=3.2, share=False)[0]


def skill_benchmarks(study: Study) -> list[str]:
    """Return the first benchmark of pairs and the first of grades: the two skills that merges are shown on."""
    return [benchmarks[0] for benchmarks in (judges_pairs(study), judges_grades(study)) if benchmarks]


def merges_two_skills(study: Study) -> bool:
    """The study has merges, and benchmarks of both skills."""
    return bool(study.merges) and judges_pairs(study) and judges_grades(study)


HEAT_MAP = "With more than 20 judges on several benchmarks a field of the heat map is the value ± half its interval."
TABLE = Table(
    title="Judge–human agreement",
    caption="Every metric of every judge on every benchmark, with interval, n and errors. The same numbers, unrounded, "
    "are in ``agreement.csv``. The last section names the prompt of every judge that was asked, and whose words it is.",
    columns=COLUMNS,
    condition=has_judges,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    page_parameters=page_parameters,
    in_record=True,
    findings=findings,
    figures={
        "accuracy": Figure(
            label="Accuracy by judge and benchmark",
            caption="Accuracy against the human label, mean of both orders, with 95 % intervals (prompts resampled). "
            "The dashed line is ``majority``, the best that a judge with one constant answer can reach. A hollow mark "
            f"is the accuracy of a judge that was recorded in one order only. {HEAT_MAP}",
            draw=functools.partial(by_judge, "accuracy"),
            condition=judges_pairs,
            on_first_page=True,
        ),
        "consistency": Figure(
            label="Position consistency and accuracy",
            caption="Position consistency (the same verdict when the two responses change places) against accuracy. A "
            "judge high on the right is both accurate and consistent; one that follows the position lies low. A judge "
            "recorded in one order has no consistency. Where there are more than ten judges, or long names, points "
            "have numbers, explained beside the figure.",
            draw=consistency,
            condition=judges_pairs,
        ),
        "grading": Figure(
            label="Direct assessment: rank correlation by judge",
            caption="Spearman's rank correlation between a judge's grade and the human grade, with 95 % intervals. A "
            f"constant judge has none. {HEAT_MAP}",
            draw=functools.partial(by_judge, "spearman"),
            condition=judges_grades,
            on_first_page=True,
        ),
        "merges": Figure(
            label="Merge methods on both skills",
            caption="Base, experts and merges on both skills: pairwise ranking (left) and direct assessment (right). "
            "Each expert was trained on one skill; a useful merge preserves both.",
            draw=merges,
            condition=merges_two_skills,
            panels=skill_benchmarks,
            on_first_page=True,
        ),
    },
)
