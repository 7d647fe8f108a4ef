"""corrected_{name}.csv: what judges alone, people's labels of a part alone, and both together say."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.report.drawing import DARK, dot, finish, judge_rows, mark, panel_grid
from judgemerge.report.markup import Crosstab, details, grid, notes, part, span
from judgemerge.report.material import Material
from judgemerge.report.table import DETECTABLE, INTERVAL, Column, Drawing, Figure, Frame, Inputs, Section, Study, Table
from judgemerge.study.layout import JUDGED_ANSWERS, JUDGED_BY, QUESTIONS, Layout

if TYPE_CHECKING:
    from judgemerge.settings.comparisons import LabelledPart

COLUMNS = {
    "judge": Column("name of the judge"),
    "judge_b": Column("the other judge of an accuracy_difference; empty elsewhere"),
    "metric": Column(
        "win_rate (a tie is half a win), wins_minus_losses, mean_grade or a metric's name, accuracy, and differences"
    ),
    "subject": Column("whose: a model, two models (first − second), or the first answer; empty for judges themselves"),
    "slice": Column("what the items are grouped by; empty for all items"),
    "group": Column("the group"),
    "estimator": Column("judge alone, labels alone, corrected (PPI++), or judge minus people where both have spoken"),
    "value": Column("the estimate; empty where it is undefined or refused"),
    **INTERVAL,
    **DETECTABLE,
    "n": Column("number of units that the judge was asked about: pairs or answers"),
    "labels": Column("number of units that people labelled"),
    "prompts": Column("number of prompts with a label"),
    "errors": Column("number of units of which no reply could be read"),
    "judge_share": Column("λ: for how much the judge counts; 0 is the labels alone"),
    "correlation": Column("Pearson's correlation of judge and people over the labelled units"),
    "worth": Column("how many labels alone would give the corrected number this variance"),
    "note": Column("why a value is undefined or refused"),
}
INTRO = (
    "People labelled a part of what the judges judged. Judge alone: the judge's mean of everything, which is off by an "
    "amount that only labels show. Labels alone: the mean of the labels. Corrected: the judge's mean, moved by how far "
    "people and judge are apart where both have spoken (tuned PPI++, arXiv:2311.01453); it is right on average "
    "whatever the judge is like, and as narrow as the judge is good. {confidence} intervals, prompts as clusters. "
    "Worth: how many labels alone would say as much. How to read it, and what it rests on: docs/corrected.md."
)
JUDGE_ALONE, LABELS_ALONE, CORRECTED = "judge alone", "labels alone", "corrected"
MANY = 12  # more differences of judges are folded away


def labelled_parts(study: Study) -> list[str]:
    """Return the benchmarks that are run, and the comparisons, of which a part is labelled."""
    there = {*study.benchmarks, *study.settings.model_comparisons}
    return [name for name in study.settings.corrected if name in there]


def pairs(study: Study, name: str) -> list[tuple[str, str]]:
    """Return (judge, benchmark) for every judge of a benchmark; none for a comparison."""
    return [(judge, name) for judge in study.judges_of(name)] if name in study.benchmarks else []


def vote_files(study: Study, name: str) -> list[str]:
    """Return the files that people's votes, and what was drawn, are read from."""
    entry = study.settings.corrected[name]
    return [path for path in (entry.votes, entry.draw) if path]


def inputs(study: Study, name: str) -> Inputs:
    """Return items and verdicts, or questions and what judges said of the answers, and the files of votes."""
    votes = vote_files(study, name)
    if name in study.benchmarks:
        return Inputs.of_pairs(pairs(study, name), files=votes)
    layout = Layout(study.name)
    return Inputs(files=[layout.path(QUESTIONS, name), layout.path(JUDGED_ANSWERS, name), *votes])


def parameters(study: Study, name: str) -> dict[str, Any]:
    """Return what was labelled, by whom it was judged, and how intervals are computed."""
    entry, layout = study.settings.corrected[name], Layout(study.name)
    told = {"labelled": entry.plain(), "seed": study.settings.seed, "confidence": study.settings.statistics.confidence}
    if name in study.benchmarks:
        panel = [judge for judge in study.judges_of(name) if study.kind(judge) != "baseline"]
        return told | {"pairs": pairs(study, name), "panel": panel}
    comparison = study.settings.model_comparisons[name]
    return told | {
        "models": list(comparison.models),
        "questions": layout.path(QUESTIONS, name),
        "results": {judge: layout.path(JUDGED_BY, name, judge) for judge in comparison.judges},
    }


def rows(material: Material, labelled: Mapping, seed: int, confidence: float, **more: Any) -> Frame:
    """Return the rows of all judges."""
    import pandas as pd

    from judgemerge.settings.comparisons import LabelledPart

    of_part = _benchmark_rows if "pairs" in more else _comparison_rows
    lines = of_part(material, LabelledPart.of(labelled), seed, confidence, **more)
    return pd.DataFrame(lines, columns=list(COLUMNS))


def _benchmark_rows(
    material: Material, labelled: "LabelledPart", seed: int, confidence: float, pairs: list, panel: list[str]
) -> list:
    from judgemerge.evaluate.corrected_rows import benchmark_rows
    from judgemerge.evaluate.labels import read_labels, truths_of

    verdicts = {judge: some for (judge, _), some in material.verdicts_of(pairs).items()}
    every = material.items(pairs[0][1])
    items = [item for item in every if item.judgeable] or every
    if labelled.from_truth:
        votes, drawn = truths_of(items, labelled.from_truth, seed), None
    else:
        votes, drawn = read_labels(labelled, items[0].protocol, [item.id for item in items])
    present = [judge for judge in panel if judge in verdicts]
    return benchmark_rows(items, votes, drawn, verdicts, present, labelled.slices, confidence)


def _comparison_rows(
    material: Material, labelled: "LabelledPart", seed: int, confidence: float, models: list[str], questions: str,
    results: dict[str, str],
) -> list:  # fmt: skip
    from judgemerge.compare.answer_judging import PAIRS, read_results
    from judgemerge.compare.corrected_answers import comparison_rows, units_of
    from judgemerge.core.items import read_items
    from judgemerge.evaluate.labels import read_labels

    said = {judge: read_results(path) for judge, path in results.items()}
    protocol = "pairwise" if labelled.metric == PAIRS else "pointwise"
    units = units_of(next(iter(said.values())), labelled.metric)
    votes, drawn = read_labels(labelled, protocol, list(units), may_lack=True)
    clusters = {item.id: item.cluster for item in read_items(questions)}
    return comparison_rows(said, models, clusters, votes, drawn, labelled.metric, confidence)


# ---- page ----


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return all items, then every slice: the three numbers side by side, a table per metric."""
    found = []
    for (name, group), some in table.fillna({"slice": "", "group": ""}).groupby(["slice", "group"], sort=False):
        heading = f"{name}: {group}" if name else "Everything"
        metrics = some.groupby("metric", sort=False)
        found.append((heading, "".join(_metric(metric, of_metric) for metric, of_metric in metrics)))
    return found or [("Nothing to show", "<p>No judge judged what was labelled.</p>")]


def _metric(metric: str, rows: Frame) -> str:
    """Return a row per judge and subject; what is refused stands below, folded away."""
    rows = rows.fillna({"judge_b": "", "subject": ""})
    both = {(row.judge, row.judge_b, row.subject): row for row in rows[rows.estimator == CORRECTED].itertuples()}
    table = Crosstab(rows, ("judge", "judge_b", "subject"), "estimator", _cell)
    has_differences = any(not math.isnan(row.detectable) for row in both.values())
    lines = [
        [
            html.escape(_name(*key)),
            *(table.cells.get((key, name), "") for name in table.columns),
            *(_number(value) for value in (row.judge_share, row.correlation)),
            *map(str, (_number(row.worth, ".0f"), row.labels, row.n)),
            *([_number(row.detectable, ".3f")] if has_differences else []),
        ]
        for key, row in both.items()
        if not math.isnan(row.value)
    ]
    more = ["corrected shows from"] if has_differences else []
    shown = (
        grid(["", *map(str, table.columns), "λ", "correlation", "worth", "labels", "n", *more], lines) if lines else ""
    )
    refused = [(_name(*key), row.note) for key, row in both.items() if math.isnan(row.value)]
    if refused:
        shown += details(f"Not given for {len(refused)} of {len(both)}: too few labels", notes(refused))
    return details(f"{metric}: {len(lines)} rows", shown) if len(lines) > MANY else part(metric, shown)


def _name(judge: str, other: str, subject: str) -> str:
    return f"{judge} − {other}" if other else f"{judge}: {subject}" if subject else judge


def _cell(row: Any) -> str:
    return html.escape(span(row.value, row.ci_low, row.ci_high))


def _number(value: float, form: str = ".2f") -> str:
    return "–" if math.isnan(value) else format(value, form)


# ---- figure ----

MARKS = {JUDGE_ALONE: ("#b0654f", "s", -0.24), LABELS_ALONE: ("#888888", "^", 0.0), CORRECTED: (DARK, "o", 0.24)}


def draw(table: Frame, kinds: Mapping[str, str], panels: Sequence[str] = ()) -> Drawing:
    """Draw a panel per metric and subject, a row per judge: the judge alone, the labels alone, and corrected."""
    rows = table.fillna({"slice": "", "judge_b": "", "subject": ""})
    rows = rows[(rows.slice == "") & (rows.judge_b == "") & rows.estimator.isin(MARKS)]
    parts = dict(list(rows.groupby(["metric", "subject"], sort=False)))
    titles = {key: f"{key[0]}: {key[1]}" if key[1] else key[0] for key in parts}
    names = {key: list(dict.fromkeys(some.judge)) for key, some in parts.items()}
    figure, axes = panel_grid({titles[key]: 1.6 * len(names[key]) for key in parts}, share=False)
    for key, some in parts.items():
        panel = axes[titles[key]]
        judge_rows(panel, names[key])
        for row in some.itertuples():
            shade, marker, offset = MARKS[row.estimator]
            dot(panel, names[key].index(row.judge) + offset, row, shade, marker)
        panel.set_title(titles[key])
    marks = [mark(name, marker, shade) for name, (shade, marker, _) in MARKS.items()]
    return finish(figure, "", marks, "Intervals take prompts as clusters. λ, and what the judge is worth: table.")


TABLE = Table(
    title="Corrected by labels: {part}",
    caption="Win rates, mean grades, accuracies and their differences as the judges alone have them, as people's "
    "labels of a part have them, and as both together have them (PPI++), with intervals clustered by prompt.",
    columns=COLUMNS,
    condition=labelled_parts,
    parts=labelled_parts,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    sections=sections,
    in_record=True,
    figures={
        "corrected": Figure(
            label="Corrected by labels: {part}",
            caption="The judge alone, the labels alone, and the judge corrected by the labels, each with its interval.",
            draw=draw,
        ),
    },
)
