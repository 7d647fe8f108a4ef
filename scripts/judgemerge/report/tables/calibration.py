"""calibration.csv: how far the probabilities can be trusted that judges give their verdicts, raw and calibrated."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.report.drawing import COLOURS, DARK, finish, head, mark, panel_grid, pyplot
from judgemerge.report.markup import Crosstab, by_benchmark, details, grid, part, undefined_notes, value_cell
from judgemerge.report.table import (
    ESTIMATE,
    Axes,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Material,
    Pair,
    Section,
    Study,
    Table,
    in_order,
)

COLUMNS = {
    "judge": Column("name of the judge"),
    "benchmark": Column("name of the item set"),
    "metric": Column(
        "agreement, confidence, overconfidence (the second minus the first), ece (expected calibration error, ten bins "
        "of equal width) and what chance alone makes of it, brier with its parts (reliability − resolution + "
        "uncertainty + within_bins), log_loss, aurc (area under the risk–coverage curve), temperature; a point of the "
        "reliability diagram (bin) or of the risk–coverage curve (selective). In brackets: how the probabilities were "
        "calibrated, and where the point is"
    ),
    **ESTIMATE,
    "calibration": Column("raw, or temperature or isotonic: fitted on the development sets of the suite"),
    "at": Column("of a bin its lower edge, of a point of the curve the share of items that is answered"),
    "confidence": Column("of a bin the mean confidence in it, of a point of the curve the lowest that is answered"),
    "n": Column("number of items with a probability; of a temperature, development items"),
    "errors": Column("items that the judge was asked about and that have no verdict with a probability"),
    "rules": Column("house"),
    "note": Column("what a calibration is fitted on, or why there is none, or why an interval is missing"),
}
INTRO = (
    "When a judge says that it is 80 % sure, is it right in 80 % of its verdicts? Confidence is the probability of the "
    "verdict itself; both orders of a pair are mapped back and averaged. The expected calibration error (ECE) is the "
    "distance between confidence and agreement, in ten bins; it is never 0 on few items, so what chance makes of a "
    "perfectly calibrated judge stands beside it. Agreement is with the gold label, to which a judge that cannot say "
    "`tie` is wrong wherever people tie. {confidence} intervals, prompts as clusters. docs/calibration.md explains "
    "every number."
)
RAW = "raw"
_MAIN = {
    "agreement": "agreement",
    "confidence": "confidence",
    "overconfidence": "confidence − agreement",
    "ece": "ECE",
    "ece_by_chance": "by chance",
    "brier": "Brier score",
    "log_loss": "log loss",
    "aurc": "AURC",
}
_PARTS = {
    "brier": "Brier score",
    "brier_reliability": "= reliability (less is better)",
    "brier_resolution": "− resolution (more is better)",
    "brier_uncertainty": "+ uncertainty",
    "brier_within_bins": "+ within bins",
}
_CALIBRATED = {"overconfidence": "confidence − agreement", "ece": "ECE", "brier": "Brier score", "log_loss": "log loss"}
_COVERAGES = (0.2, 0.4, 0.6, 0.8, 1.0)  # that the page shows; the table and the figure have every tenth
_WAYS = {RAW: "raw", "temperature": "temperature", "isotonic": "isotonic"}


# ---- rows ----


def pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) wherever verdicts have probabilities."""
    return study.probability_pairs


def development(study: Study) -> dict[str, list[str]]:
    """Return benchmark → the development sets that probabilities on it are calibrated on, where there are any."""
    sets = {
        benchmark: study.calibration_sets(benchmark) for benchmark in dict.fromkeys(name for _, name in pairs(study))
    }
    return {benchmark: names for benchmark, names in sets.items() if names}


def inputs(study: Study) -> Inputs:
    """Return the verdicts with probabilities, on benchmarks and on development sets."""
    held = [
        (judge, name)
        for judge, benchmark in pairs(study)
        for name in study.calibration_sets(benchmark)
        if study.answers(judge, name)
    ]
    return Inputs.of_pairs([*pairs(study), *dict.fromkeys(held)])


def parameters(study: Study) -> dict[str, Any]:
    """Return the pairs of judge and benchmark, and the development sets."""
    held = {name: study.judges_of(name) for names in development(study).values() for name in names}
    return {
        "pairs": pairs(study),
        "development": development(study),
        "held": held,
        "statistics": study.settings.statistics.plain(),
    }


def rows(
    material: Material,
    pairs: Sequence[Pair],
    development: Mapping[str, Sequence[str]],
    held: Mapping[str, Sequence[str]],
    statistics: Mapping[str, Any],
) -> Frame:
    """Return the rows of every benchmark."""
    from judgemerge.evaluate import calibration_rows
    from judgemerge.settings.report import Statistics

    settings = Statistics.of(statistics)
    lines = []
    for benchmark in dict.fromkeys(benchmark for _, benchmark in pairs):
        judges = [judge for judge, name in pairs if name == benchmark]
        sets = [
            _set_of(material, name, [judge for judge in judges if judge in held[name]])
            for name in development.get(benchmark, ())
        ]
        lines += calibration_rows.rows(_set_of(material, benchmark, judges), sets, settings)
    return calibration_rows.table_of(lines)


def _set_of(material: Material, name: str, judges: Sequence[str]) -> Any:
    """Return the items of a set with every judge's verdicts; none of one that could not judge."""
    from judgemerge.evaluate.calibration_rows import Set

    verdicts = material.verdicts_of((judge, name) for judge in judges)
    return Set(name, material.items(name), {judge: verdicts.get((judge, name), []) for judge in judges})


# ---- page ----


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return a section per benchmark; in a study whose judges gave no probability after all, one that says so."""
    if not len(table):
        return [("Nothing to show", "<p>No verdict has a probability.</p>")]
    return by_benchmark(table, lambda lines: _benchmark(lines, in_order(lines.judge, judges)))


def _benchmark(lines: Frame, order: Sequence[str]) -> str:
    raw = lines[lines.calibration == RAW]
    return (
        _wide(raw, _MAIN, order, with_sizes=True)
        + undefined_notes(lines, lines.judge)
        + _answering_less(raw, order)
        + _calibrated(lines, order)
        + details("The Brier score in parts", _wide(raw, _PARTS, order))
        + details("The reliability diagram in numbers", _bins(raw, order))
    )


def _wide(lines: Frame, headings: Mapping[str, str], order: Sequence[str], with_sizes: bool = False) -> str:
    lines = lines[lines.metric.isin(headings)]
    sizes = lines.groupby("judge")[["n", "errors"]].max()
    return Crosstab(lines, "judge", "metric").html(
        ["judge", "items", "without"] if with_sizes else ["judge"],
        [judge for judge in order if judge in sizes.index],
        headings,
        lambda judge: [judge, *sizes.loc[judge]] if with_sizes else [judge],
        headings.__getitem__,
    )


def _answering_less(raw: Frame, order: Sequence[str]) -> str:
    """Return the agreement where a judge answers only the items that it is most sure of."""
    lines = raw[raw.metric.isin([f"selective[{coverage:.1f}]" for coverage in _COVERAGES])]
    table = Crosstab(lines, "judge", "at")
    shown = table.html(["judge"], [judge for judge in order if judge in table.lines], titles=lambda at: f"{at:.0%}")
    return part("Agreement when only the surest share of the items is answered", shown) if len(lines) else ""


def _calibrated(lines: Frame, order: Sequence[str]) -> str:
    """Return what the calibrations do, raw first; nothing where there are none."""
    fitted = lines[lines.metric == "temperature"]
    if not len(fitted):
        return ""
    about = {row.judge: row for row in fitted.itertuples()}
    metrics = {f"{metric}[{way}]" if way != RAW else metric: (metric, way) for metric in _CALIBRATED for way in _WAYS}
    cells = {(row.judge, row.metric): value_cell(row) for row in lines.itertuples() if row.metric in metrics}
    names = [judge for judge in order if judge in about]
    body = [
        [html.escape(judge), f"{about[judge].value:.2f}", *(cells.get((judge, metric), "") for metric in metrics)]
        for judge in names
    ]
    headings = ["judge", "temperature", *(f"{_CALIBRATED[metric]}, {_WAYS[way]}" for metric, way in metrics.values())]
    words = f"{fitted.note.iloc[0]}: {fitted.n.min()} to {fitted.n.max()} items per judge"
    return part(f"Calibrated, {words}", grid(headings, body))


def _bins(raw: Frame, order: Sequence[str]) -> str:
    lines = raw[raw.metric.str.startswith("bin[")]
    body = [
        [
            html.escape(judge),
            f"{row.at:.1f} – {row.at + 0.1:.1f}",
            str(row.n),
            f"{row.confidence:.3f}",
            value_cell(row),
        ]
        for judge in order
        for row in lines[lines.judge == judge].itertuples()
    ]
    return grid(["judge", "confidence", "items", "mean confidence", "agreement"], body)


# ---- first page ----


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return for each benchmark which judges are too sure of themselves, which too modest, and which neither."""
    lines = table[(table.metric == "overconfidence") & table.value.notna()]
    sentences = []
    for benchmark, rows in lines.groupby("benchmark", sort=False):
        groups: dict[str, list[str]] = {}
        for row in rows.itertuples():
            tendency = "too sure" if row.ci_low > 0 else "too modest" if row.ci_high < 0 else "as right as they say"
            points = "" if tendency == "as right as they say" else f" by {100 * abs(row.value):.0f} points"
            groups.setdefault(tendency, []).append(f"{row.judge}{points}")
        said = "; ".join(f"{tendency}: {', '.join(judges)}" for tendency, judges in groups.items())
        sentences.append(f"Are judges of {benchmark} as often right as they say? {said[0].upper()}{said[1:]}.")
    return [Finding("Can their probabilities be trusted?", sentences, in_short=False)] if sentences else []


# ---- figures ----

MOST_COLUMNS = 5
PANEL = 2.0  # inches of a reliability diagram, width and height
CYCLE = ("#4c6a92", "#d1495b", "#2a9d8f", "#e09f3e", "#8d6a9f", "#6b8e23", "#a0522d", "#333333", "#c58b2a", "#9a9a9a")


def reliability(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark and judge: agreement over confidence, the area of a point being its number of items."""
    lines = table[table.metric.str.startswith("bin[") & (table.calibration == RAW)]
    calibrated = table[table.metric.str.startswith("bin[temperature")]
    names = [
        (str(benchmark), judge)
        for benchmark, rows in lines.groupby("benchmark", sort=False)
        for judge in in_order(rows.judge, kinds)
    ]
    titles = {name: f"{name[1]}\n{name[0]}" for name in names}
    most = lines.groupby("benchmark").judge.nunique().max() if names else 1
    figure, axes = _square_panels(list(titles.values()), min(MOST_COLUMNS, most))
    for name, title in titles.items():
        points = lines[(lines.benchmark == name[0]) & (lines.judge == name[1])]
        _diagram(axes[title], points, COLOURS[kinds.get(name[1], "model")])
        after = calibrated[(calibrated.benchmark == name[0]) & (calibrated.judge == name[1])]
        axes[title].plot(after.confidence, after.value, "x--", color=DARK, markersize=4, linewidth=0.7)
        head(axes[title], title, PANEL)
    marks = [mark("agreement at a confidence, with its interval")]
    marks += [mark("after the temperature", "x")] if len(calibrated) else []
    finish(figure, "confidence", marks, "Diagonal: perfectly calibrated; below it the judge is too sure of itself.")
    if names:
        figure.supylabel("agreement", fontsize=9)
    return figure


def _square_panels(titles: Sequence[str], columns: int) -> tuple[Drawing, dict[str, Axes]]:
    """Return a figure with a square panel per title."""
    if not titles:
        return panel_grid({})
    columns = min(columns, len(titles))
    n_lines = -(-len(titles) // columns)
    size = (0.5 + PANEL * columns, 0.9 + (PANEL + 0.35) * n_lines)
    figure, grid = pyplot().subplots(n_lines, columns, figsize=size, squeeze=False, layout="constrained")
    for axes in grid.flat[len(titles) :]:
        axes.set_visible(False)
    return figure, dict(zip(titles, grid.flat, strict=False))


def _diagram(axes: Axes, points: Frame, shade: str) -> None:
    """Draw the diagonal, and the agreement in each bin with its interval."""
    axes.plot([0, 1], [0, 1], color=COLOURS["baseline"], linewidth=0.8, linestyle="--", zorder=0)
    for row in points.itertuples():
        axes.plot([row.confidence] * 2, [row.ci_low, row.ci_high], color=shade, linewidth=1.2)
    sizes = 8 + 90 * points.n / max(points.n.sum(), 1)
    axes.plot(points.confidence, points.value, color=shade, linewidth=0.9)
    axes.scatter(points.confidence, points.value, s=sizes, color=shade, zorder=3)
    axes.set_xlim(-0.02, 1.02)
    axes.set_ylim(-0.02, 1.02)
    axes.tick_params(labelsize=7)


def risk_coverage(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark, one line per judge: agreement over the share of items that is answered."""
    lines = table[table.metric.str.startswith("selective[") & (table.calibration == RAW)]
    judges = in_order(lines.judge, kinds)
    shades = {judge: CYCLE[number % len(CYCLE)] for number, judge in enumerate(judges)}
    names = [str(name) for name in lines.benchmark.unique()]
    figure, axes = _square_panels(names, MOST_COLUMNS)
    for name in names:
        for number, judge in enumerate(judges):
            points = lines[(lines.benchmark == name) & (lines.judge == judge)]
            shift = 0.006 * (number - (len(judges) - 1) / 2)  # so that intervals do not hide each other
            style = "-" if number < len(CYCLE) else "--"
            axes[name].plot(points["at"] + shift, points.value, f"o{style}", color=shades[judge], markersize=3.5)
            axes[name].vlines(points["at"] + shift, points.ci_low, points.ci_high, color=shades[judge], linewidth=0.8)
        axes[name].set_xlim(0.1, 1.05)
        axes[name].tick_params(labelsize=7)
        head(axes[name], name, PANEL)
    finish(figure, "share of items answered, the surest first", [mark(judge, shade=shades[judge]) for judge in judges])
    if names:
        figure.supylabel("agreement", fontsize=9)
    return figure


TABLE = Table(
    title="Can the judges' probabilities be trusted?",
    caption="How well the confidence of each judge in its verdicts fits its agreement with people: calibration error, "
    "Brier score with its parts, log loss, agreement when only the surest items are answered; as the judge says it, "
    "and calibrated on development sets.",
    columns=COLUMNS,
    condition=pairs,
    inputs=inputs,
    parameters=parameters,
    rows=rows,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    findings=findings,
    in_record=True,
    figures={
        "reliability": Figure(
            label="Can the judges' probabilities be trusted?",
            caption="Reliability diagrams: how often verdicts of a confidence agree with people. On the diagonal a "
            "judge is right as often as it says.",
            draw=reliability,
        ),
        "risk_coverage": Figure(
            label="What does it gain to answer only what a judge is sure of?",
            caption="Agreement with people among the items that a judge is surest of, by the share of items answered.",
            draw=risk_coverage,
        ),
    },
)
