"""bias.csv: judge biases: position, length, self-preference, and kinds of task."""

import html
from collections.abc import Sequence

from judgemerge.report.drawing import HeatMap, Panel, Series, estimates, judge_figure, mark, not_shown, worth_showing
from judgemerge.report.markup import Crosstab, by_benchmark, details, part, sized_cell, undefined_notes
from judgemerge.report.table import (
    ESTIMATE,
    Column,
    Drawing,
    Figure,
    Frame,
    Section,
    Table,
    has_judges,
    in_order,
    judges_pairs,
)

COLUMNS = {
    "judge": Column("name of the judge"),
    "benchmark": Column("name of the item set"),
    "aspect": Column("position, length, self_preference, or the grouping of items that the row is about"),
    "group": Column("one group of that grouping; empty where there is none"),
    "metric": Column("name of the metric; the page explains each"),
    **ESTIMATE,
    "n": Column("number of verdicts or items that the value is a share or mean of"),
    "errors": Column("number of unreadable verdicts"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "Influences on verdicts other than quality; {confidence} intervals, prompts resampled as clusters. Rates pool the "
    "orders that were recorded. n is what a value is a share or mean of; errors are unreadable verdicts."
)
_PARTS = {"position": "Position", "length": "Length", "self_preference": "Self-preference"}
_MEANINGS = {
    "Position": (
        "first_shown_excess: share of verdicts with a winner that the answer shown first wins, minus ½. position_only: "
        "share of items where the place alone decides; first_of_position_only: how often that is the first place."
    ),
    "Length": (
        "Accuracy where the longer answer is better, where the shorter one is, and the gap. longer_chosen beside "
        "longer_better: how often the longer answer wins, and deserves to. length_coefficient: log-odds of winning per "
        "doubling of an answer's length, alone and given the truth."
    ),
    "Self-preference": (
        "On pairs with one answer by the judge's own model: how often it chooses that answer, how often people do, and "
        "the difference. For grades: how much more generous it is with its own answers."
    ),
    "Kinds of task": (
        "Accuracy (for grades Spearman's correlation) within each group of items; small groups have wide intervals."
    ),
}
_SHOWN_GROUPS = 12


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return what the numbers mean, then one section per benchmark; `judges` says in which order judges are shown."""
    meanings = "".join(f"<p><b>{name}.</b> {html.escape(text)}</p>" for name, text in _MEANINGS.items())
    benchmarks = by_benchmark(table, lambda rows: _aspects(rows, in_order(rows.judge, judges)))
    benchmarks = benchmarks or [("Nothing to show", "<p>No benchmark has pairs, categories or known authors.</p>")]
    return [("How to read this page", meanings), *benchmarks]


def _aspects(rows: Frame, judges: Sequence[str]) -> str:
    parts = [
        part(_PARTS[aspect], _by_metric(of_aspect, judges))
        if aspect in _PARTS
        else _breakdown(str(aspect), of_aspect, judges)
        for aspect, of_aspect in rows.groupby("aspect", sort=False)
    ]
    return "".join(parts)


def _by_metric(rows: Frame, judges: Sequence[str]) -> str:
    """Return a row per judge, a column per metric."""
    errors = rows.groupby("judge").errors.max()
    table = Crosstab(rows, "judge", "metric", sized_cell).html(
        ["judge", "errors"],
        [judge for judge in judges if judge in errors.index],
        names=lambda judge: [judge, errors[judge]],
    )
    return table + undefined_notes(rows, rows.judge)


def _breakdown(aspect: str, rows: Frame, judges: Sequence[str]) -> str:
    """Return a row per group, a column per judge: accuracy, for grades Spearman's correlation.

    A judge without any accuracy over both orders is shown with its accuracy in the original order, and called so.
    """
    defined = rows.dropna(subset="value").groupby("judge").metric.agg(set)
    main = "accuracy" if "accuracy" in set(rows.metric) else "spearman"
    metric = {
        judge: "accuracy_first" if main == "accuracy" and defined.get(judge, set()) == {"accuracy_first"} else main
        for judge in judges
    }
    visible = rows[[metric[judge] == name for judge, name in zip(rows.judge, rows.metric, strict=True)]]
    sizes = visible.groupby("group", sort=False).n.max()
    table = Crosstab(visible, "group", "judge").html(
        [aspect, "n"],
        sizes.index,
        judges,
        names=lambda group: [group, sizes[group]],
        titles=lambda judge: judge if metric[judge] == main else f"{judge} (original order)",
    )
    content = table + undefined_notes(visible, visible.judge)
    if len(sizes) > _SHOWN_GROUPS:
        return details(f"By {aspect}: {len(sizes)} groups, {main}", content)
    return part(f"By {aspect}", content)


# ---- figures ----

_LENGTHS = (("accuracy_longer_better", "^", "▲", -0.15), ("accuracy_shorter_better", "v", "▽", 0.15))


def position(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark, one row per judge: how much more often than half the answer shown first wins."""
    rows = table[(table.aspect == "position") & (table.metric == "first_shown_excess")]
    visible, missing = worth_showing(rows, kinds)
    drawings = {
        name: Panel(name, [Series(estimates(rows[rows.benchmark == name]), name)], about_zero=True) for name in visible
    }
    label = "← second    share won by the answer shown first, minus ½    first →"
    footnote = not_shown(missing, "no judge but baselines was recorded in both orders")
    crowd = HeatMap(label, footnote, diverging=True)
    figure, axes = judge_figure(drawings, rows.judge, kinds, label, footnote, crowd=crowd)
    if axes:
        reach = max(0.05, 1.1 * rows[["ci_low", "ci_high", "value"]].abs().max(axis=None))
        axes[visible[0]].set_xlim(-reach, reach)  # the panels share the axis; 0 is in the middle
    return figure


def length(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark, one row per judge: accuracy where the longer answer is better, and the shorter."""
    rows = table[(table.aspect == "length") & table.metric.isin([metric for metric, *_ in _LENGTHS])]
    visible, missing = worth_showing(rows, kinds)
    drawings = {name: _lengths(name, rows[rows.benchmark == name]) for name in visible}
    label = "accuracy, verdicts of all recorded orders"
    footnote = not_shown(missing, "no judge has a verdict where it counts")
    crowd = HeatMap(label, f"▲: the longer answer is better, ▽: the shorter; with the number of verdicts. {footnote}")
    marks = [mark("longer answer is better", "^"), mark("shorter answer is better", "v", filled=False)]
    return judge_figure(drawings, rows.judge, kinds, label, footnote, marks, crowd, height=1.25)[0]


def _lengths(name: str, rows: Frame) -> Panel:
    """Return the panel of a benchmark: two marks per judge, and in the title of how many verdicts each is."""
    series, sizes = [], []
    for metric, marker, sign, offset in _LENGTHS:
        part = rows[rows.metric == metric]
        sizes.append(f"{sign} {part.n.max()}")
        series.append(Series(estimates(part, filled=sign == "▲"), f"{name}, {sizes[-1]}", marker, offset))
    return Panel(f"{name}\n{', '.join(sizes)} verdicts", series)


TABLE = Table(
    title="Judge biases: position, length, self-preference",
    caption="Influences on verdicts other than quality: the position of an answer, its length, its author, and the "
    "kind of task. ``bias.csv`` has every value with interval, n and errors.",
    columns=COLUMNS,
    condition=has_judges,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    in_record=True,
    figures={
        "bias_position": Figure(
            label="Position bias",
            caption="Position: of the verdicts that name a winner, the share won by the answer shown first, minus one "
            "half, with 95 % intervals. Every pair is shown both ways, so a judge without bias is at 0 whatever the "
            "gold label. A judge recorded in one order has no value.",
            draw=position,
            condition=judges_pairs,
        ),
        "bias_length": Figure(
            label="Length bias",
            caption="Length: accuracy on pairs whose better answer is the longer one (filled) and on those whose "
            "better answer is the shorter one (hollow), with 95 % intervals. Where the two are far apart the judge "
            "follows the length; the judge ``longer`` does nothing else.",
            draw=length,
            condition=judges_pairs,
        ),
    },
)
