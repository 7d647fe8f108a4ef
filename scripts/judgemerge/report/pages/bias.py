"""The page of bias.csv: position, length, own writing, and kinds of task, one section per benchmark."""

import html
from collections.abc import Sequence

import pandas as pd

from judgemerge.report.pages.markup import details, grid, part, undefined_notes, value_cell

INTRO = (
    "What sways the judges besides quality; {confidence} intervals, prompts resampled as clusters. Rates pool the "
    "orders that were recorded. n is what a value is a share or mean of; errors are unreadable verdicts."
)
_PARTS = {"position": "Position", "length": "Length", "self_preference": "Own writing"}
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
    "Own writing": (
        "On pairs with one answer by the judge's own model: how often it chooses that answer, how often people do, and "
        "the difference. For grades: how much more generous it is with its own answers."
    ),
    "Kinds of task": (
        "Accuracy (for grades Spearman's correlation) within each group of items; small groups have wide intervals."
    ),
}
_SHOWN_GROUPS = 12


def bias_sections(table: pd.DataFrame, judges: Sequence[str]) -> list[tuple[str, str]]:
    """Return what the numbers mean, then one section per benchmark; `judges` says in which order judges are shown."""
    meanings = "".join(f"<p><b>{name}.</b> {html.escape(text)}</p>" for name, text in _MEANINGS.items())
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        present = list(dict.fromkeys(rows["judge"]))
        order = [judge for judge in judges if judge in present] + [judge for judge in present if judge not in judges]
        parts = []
        for aspect, chosen in rows.groupby("aspect", sort=False):
            if aspect in _PARTS:
                parts.append(part(_PARTS[aspect], _by_metric(chosen, order)))
            else:
                parts.append(_breakdown(str(aspect), chosen, order))
        sections.append((str(benchmark), "".join(parts)))
    sections = sections or [("Nothing to show", "<p>No benchmark has pairs, categories or known authors.</p>")]
    return [("How to read this page", meanings), *sections]


def _by_metric(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    """Return a row per judge, a column per metric."""
    metrics = list(dict.fromkeys(rows["metric"]))
    cells = {(row.judge, row.metric): value_cell(row, with_n=True) for row in rows.itertuples()}
    errors = rows.groupby("judge")["errors"].max()
    lines = [
        [html.escape(judge), errors[judge], *(cells.get((judge, metric), "") for metric in metrics)]
        for judge in judges
        if judge in errors.index
    ]
    return grid(["judge", "errors", *metrics], lines) + undefined_notes(rows, rows["judge"])


def _breakdown(aspect: str, rows: pd.DataFrame, judges: Sequence[str]) -> str:
    """Return a row per group, a column per judge: accuracy, for grades Spearman's correlation.

    A judge without any accuracy over both orders is shown with its accuracy in the original order, and called so.
    """
    defined = rows.dropna(subset="value").groupby("judge")["metric"].agg(set)
    main = "accuracy" if "accuracy" in set(rows["metric"]) else "spearman"
    metric = {
        judge: "accuracy_first" if main == "accuracy" and defined.get(judge, set()) == {"accuracy_first"} else main
        for judge in judges
    }
    shown = rows[[metric[judge] == name for judge, name in zip(rows["judge"], rows["metric"], strict=True)]]
    cells = {(row.group, row.judge): value_cell(row) for row in shown.itertuples()}
    sizes = shown.groupby("group", sort=False)["n"].max()
    lines = [
        [html.escape(str(group)), n, *(cells.get((group, judge), "") for judge in judges)] for group, n in sizes.items()
    ]
    first = [judge if name == main else f"{judge} (original order)" for judge, name in metric.items()]
    content = grid([aspect, "n", *first], lines) + undefined_notes(shown, shown["judge"])
    if len(sizes) > _SHOWN_GROUPS:
        return details(f"By {aspect}: {len(sizes)} groups, {main}", content)
    return part(f"By {aspect}", content)
