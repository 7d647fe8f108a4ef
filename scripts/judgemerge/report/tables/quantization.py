"""quantization.csv: what each quantization costs in agreement with people, and what it gains in size and speed."""

import html
import math
from collections.abc import Mapping, Sequence

from judgemerge.report.drawing import DARK, colour, dot, finish, judge_rows, kind_marks, panel_grid, reason
from judgemerge.report.markup import grid, in_form, notes, span, undefined_notes, value_cell
from judgemerge.report.table import (
    DETECTABLE,
    ESTIMATE,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Pair,
    Section,
    Study,
    Table,
    judging_pairs,
)

COLUMNS = {
    "judge": Column("name of the judge"),
    "parent": Column("model that it is made from; itself where it is not quantized"),
    "type": Column("type of the weights by llama.cpp's name, or unquantized"),
    "file_bytes": Column("size of the weights on disk"),
    "bits_per_weight": Column("bits per weight, counted from the file"),
    "fallbacks": Column("matrices whose rows did not fit the type, by the type they have instead"),
    "benchmark": Column("name of the item set"),
    "protocol": Column("pairwise or pointwise"),
    "metric": Column("agreement with people, or with the unquantized judge"),
    **ESTIMATE,
    "n": Column("number of items"),
    "errors": Column("number of unreadable verdicts"),
    **DETECTABLE,
    "items_per_second": Column("items judged per second of one whole run of the suite"),
    "prompt_tokens_per_second": Column("prompt tokens read per second of that run"),
    "speed_note": Column("how the speed was measured, or why there is none"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "Each quantization beside the model it is made from. Size is that of the weights on disk; bits per weight are "
    "counted from the file, so they show matrices whose rows did not fit the type. Speed is that of one whole run of "
    "the suite, weights already loaded; a suite put together from several runs has none. Same verdict: share of "
    "verdicts that can be read and are the unquantized judge's, order by order; changed: share with another outcome, "
    "one that can no longer be read (or only now) included; flipped: share in which the winner is the other response. "
    "What is neither the same nor changed could be read from neither. What agreement with people it costs is a paired "
    "difference; beside it, the smallest one that these items would have shown (power .8). Values have {confidence} "
    "intervals, prompts resampled as clusters."
)
_TITLES = {
    "accuracy": "accuracy",
    "spearman": "Spearman with people",
    "accuracy_minus_parent": "accuracy − unquantized",
    "spearman_minus_parent": "Spearman − unquantized",
    "same_verdict": "same verdict",
    "changed": "changed",
    "flipped": "flipped",
    "spearman_with_parent": "Spearman with the unquantized",
}


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one section per benchmark: a line per model, the unquantized ones first."""
    table = table.fillna({"fallbacks": "", "speed_note": ""})
    return [
        (f"{benchmark} (n = {rows.n.max()})", _benchmark(rows))
        for benchmark, rows in table.groupby("benchmark", sort=False)
    ]


def _benchmark(rows: Frame) -> str:
    metrics = [metric for metric in _TITLES if metric in set(rows.metric)]
    lines = [_line(of_judge, metrics) for _, of_judge in rows.groupby("judge", sort=False)]
    head = ["judge", "made from", "type", "MB", "bits per weight", "items / s", *map(_TITLES.get, metrics), "errors"]
    speeds = [(row.judge, f"speed: {row.speed_note}") for row in rows.itertuples()]
    fallbacks = [
        (row.judge, f"rows that do not fit the type: {row.fallbacks}") for row in rows.itertuples() if row.fallbacks
    ]
    undefined = undefined_notes(rows, rows.judge + ", " + rows.metric)
    return grid(head, lines) + undefined + notes(speeds + fallbacks)


def _line(rows: Frame, metrics: list[str]) -> list[str]:
    by_metric = {row.metric: row for row in rows.itertuples()}
    first = next(iter(by_metric.values()))
    return [
        html.escape(first.judge),
        html.escape(first.parent) if first.parent != first.judge else "",
        html.escape(first.type),
        f"{first.file_bytes / 1e6:,.1f}",
        f"{first.bits_per_weight:.2f}",
        in_form(first.items_per_second, ".2f"),
        *(value_cell(by_metric[metric]) if metric in by_metric else "" for metric in metrics),
        str(first.errors),
    ]


# ---- figure ----

PEOPLE = ("accuracy", "spearman")


def quantization(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """Three panels per benchmark, one row per model: agreement with people, verdicts kept, items judged per second.

    Rows name the type and the size of the weights; models that are not quantized come first and have no second panel.
    """
    table = table.fillna({"speed_note": ""})
    parts = dict(list(table.groupby("benchmark", sort=False)))
    sizes = {f"{name}/{panel}": part.judge.nunique() for name, part in parts.items() for panel in range(3)}
    figure, axes = panel_grid(sizes, columns=3, share=False)
    for name, part in parts.items():
        people, same, speed = (axes[f"{name}/{panel}"] for panel in range(3))
        names = []
        for position, (judge, rows) in enumerate(part.groupby("judge", sort=False)):
            by_metric, shade = {row.metric: row for row in rows.itertuples()}, colour(judge, kinds)
            model = next(iter(by_metric.values()))
            names.append(f"{judge} ({model.type}, {_size(model.file_bytes)})")
            dot(people, position, next(by_metric[metric] for metric in PEOPLE if metric in by_metric), shade)
            if "same_verdict" in by_metric:
                dot(same, position, by_metric["same_verdict"], shade)
            if math.isnan(model.items_per_second):
                reason(speed, position, model.speed_note)
            else:
                speed.barh(position, model.items_per_second, height=0.55, color=shade)
        judge_rows(people, names)
        for other in (same, speed):
            judge_rows(other, [""] * len(names))
        metric = next(_TITLES[metric] for metric in PEOPLE if metric in set(part.metric))
        people.set_title(f"{name} (n = {part.n.max()})\n{metric}", fontsize=8.5)
        same.set_title("same verdict as the\nunquantized judge", fontsize=8.5)
        speed.set_title("items judged\nper second", fontsize=8.5)
        same.axvline(1, color=DARK, linewidth=0.8, zorder=0)
        speed.set_xlim(left=0)
    return finish(figure, "", kind_marks(table.judge.unique(), kinds))


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return how much smaller each quantization is, and how often its verdicts are those of its parent."""
    sizes = table.drop_duplicates("judge").set_index("judge").file_bytes
    kept = table[(table.judge != table.parent) & table.metric.isin(["same_verdict", "spearman_with_parent"])]
    sentences = [
        f"{row.judge} has {100 * row.file_bytes / sizes[row.parent]:.0f} % of the size of {row.parent}; "
        f"on {row.benchmark} its {_TITLES[row.metric]} is {span(row.value, row.ci_low, row.ci_high)} "
        f"(n {row.n}, {row.errors} errors)."
        for row in kept.dropna(subset="value").itertuples()
        if row.parent in sizes
    ]
    return [Finding("What quantization costs", sentences)] if sentences else []


def quantized_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for every quantization that answers a benchmark."""
    return [pair for pair in judging_pairs(study) if pair[0] in study.quantizations]


TABLE = Table(
    title="Quantization: size, speed, agreement",
    caption="What each quantization costs and gains against the model it is made from: size, bits per weight, items "
    "judged per second, agreement with people, and how often its verdicts are the same.",
    columns=COLUMNS,
    condition=quantized_pairs,
    intro=INTRO,
    sections=sections,
    findings=findings,
    figures={
        "quantization": Figure(
            label="Quantization: agreement, verdicts kept, speed",
            caption="Each quantization below the models that quantizations are made from, with its type and the size "
            "of its weights on disk: agreement with people, the share of verdicts that are those of the unquantized "
            "judge, and items judged per second. Lines are 95 % intervals, prompts resampled as clusters; speeds are "
            "single measurements of whole suites, so they compare models of one study on one machine.",
            draw=quantization,
        )
    },
)
