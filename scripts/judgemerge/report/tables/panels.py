"""panels.csv: what juries and cascades are worth beside their members, and what they cost."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.report.costs import Places, cost_files, cost_places, read_cost
from judgemerge.report.drawing import DARK, Estimate, HeatMap, Panel, Series, judge_figure, mark
from judgemerge.report.markup import Crosstab, by_benchmark, dash, grid, part, span, undefined_notes, value_cell
from judgemerge.report.table import (
    DETECTABLE,
    ESTIMATE,
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
    "judge": Column("name of the jury or cascade"),
    "benchmark": Column("name of the item set"),
    "metric": Column(
        "accuracy, accuracy_first or spearman of the panel, in brackets that of a member; difference from the best "
        "member; error_correlation, effective_votes; tokens_per_item, seconds_per_item; of a cascade share[member], "
        "coverage, selective_agreement, target. `agreement` where the panel could not judge"
    ),
    **ESTIMATE,
    **DETECTABLE,
    "n": Column("number of items; of selective_agreement, of those that are answered"),
    "errors": Column("number of verdicts that could not be read, or of items that nobody answers"),
    "rules": Column("house"),
    "note": Column("why a value is undefined, or how it is to be read"),
}
INTRO = (
    "Juries and cascades are assembled from the verdicts of their members; no model was asked for them. A jury gains "
    "by errors that cancel: k members whose errors have the mean correlation ρ are worth k / (1 + (k − 1) ρ) "
    "independent votes. The best member is chosen on the same items, so it is a little flattered; its difference shows "
    "what these items could have told apart. An item costs a jury what it costs all members, a cascade what it costs "
    "those that are asked. {confidence} intervals, prompts as clusters. docs/panels.md explains every number."
)
AGREEMENT = ("accuracy", "accuracy_first", "spearman")
_CASCADE = {"coverage": "answered", "selective_agreement": "agreement on these", "target": "target"}


# ---- rows ----


def panel_pairs(study: Study) -> list[Pair]:
    """Return (jury or cascade, benchmark) for all that are among the judges."""
    return study.panel_pairs


def inputs(study: Study) -> Inputs:
    """Return the verdicts of panels and members, and the files that say what asking cost."""
    members = _member_pairs(study)
    return Inputs.of_pairs([*panel_pairs(study), *members], files=cost_files(cost_places(study, members)))


def _member_pairs(study: Study) -> list[Pair]:
    pairs = [(member, name) for panel, name in panel_pairs(study) for member in study.panels[panel].members]
    return list(dict.fromkeys(pairs))


def parameters(study: Study) -> dict[str, Any]:
    """Return who the members are, what a cascade promises, and where costs are written down."""
    names = dict.fromkeys(panel for panel, _ in panel_pairs(study))
    targets = {name: study.settings.cascades[name].target for name in names if name in study.settings.cascades}
    return {
        "pairs": panel_pairs(study),
        "members": {name: list(study.panels[name].members) for name in names},
        "targets": targets,
        "costs": cost_places(study, _member_pairs(study)),
        "statistics": study.settings.statistics.plain(),
    }


def rows(
    material: Material,
    pairs: Sequence[Pair],
    members: Mapping[str, Sequence[str]],
    targets: Mapping[str, float],
    costs: Places,
    statistics: Mapping[str, Any],
) -> Frame:
    """Return the rows of every benchmark; of a panel that could not judge there is one, with the reason."""
    from judgemerge.evaluate import juries
    from judgemerge.evaluate.estimates import UNDEFINED
    from judgemerge.judge import failures
    from judgemerge.settings.report import Statistics

    settings, lines = Statistics.of(statistics), []
    for benchmark in dict.fromkeys(benchmark for _, benchmark in pairs):
        items, panels, verdicts = material.items(benchmark), [], {}
        for name in [judge for judge, other in pairs if other == benchmark]:
            if reason := material.reason(name, benchmark):
                note = failures.NOTE + reason
                lines.append(juries.Row(name, benchmark, "agreement", UNDEFINED.value, note=note))
                continue
            verdicts |= material.verdicts_of([(judge, benchmark) for judge in (name, *members[name])])
            known = {one: read_cost(costs[one][benchmark], benchmark, len(items)) for one in members[name]}
            panels.append(juries.PanelOfJudges(name, members[name], targets.get(name), known))
        by_judge = {judge: some for (judge, _), some in verdicts.items()}
        lines += juries.benchmark_rows(items, by_judge, panels, settings) if panels else []
    return juries.table_of(lines)


# ---- page ----


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return a section per benchmark: the panels, their members, and the cascades."""
    return by_benchmark(table, lambda lines: _benchmark(lines, in_order(lines.judge, judges)))


def _benchmark(lines: Frame, order: Sequence[str]) -> str:
    cells = {(row.judge, row.metric): row for row in lines.itertuples()}
    shown = grid(
        [
            "panel",
            "agreement",
            "best member",
            "difference",
            "error correlation",
            "effective votes",
            "tokens",
            "seconds",
        ],
        [_panel_line(judge, cells) for judge in order],
    )
    members = lines[lines.metric.str.partition("[")[0].isin(AGREEMENT) & lines.metric.str.endswith("]")]
    members = members.assign(member=members.metric.str.partition("[")[2].str.removesuffix("]"))
    explained = lines[~lines.metric.str.contains("_per_item[", regex=False)]
    cascades = lines[lines.metric.isin(_CASCADE) | lines.metric.str.startswith("share[")]
    return (
        shown
        + (part("Members", Crosstab(members, "judge", "member").html(["panel"], order)) if len(members) else "")
        + (part("Who answers", _cascades(cascades, order)) if len(cascades) else "")
        + undefined_notes(explained, explained.judge + ", " + explained.metric)
    )


def _panel_line(judge: str, cells: Mapping[tuple[str, str], Any]) -> list[str]:
    mine = {metric: row for (name, metric), row in cells.items() if name == judge}
    agreement = next((mine[metric] for metric in AGREEMENT if metric in mine), None)
    difference = next((row for metric, row in mine.items() if metric.startswith("difference")), None)
    best = difference.metric.partition("[")[2].removesuffix("]") if difference else ""
    n_members = sum(metric.startswith(f"{agreement.metric}[") for metric in mine) if agreement else 0
    votes = mine.get("effective_votes")
    return [
        html.escape(judge),
        value_cell(agreement) if agreement else dash(next(iter(mine.values())).note),
        html.escape(best),
        value_cell(difference) if difference else "",
        value_cell(mine["error_correlation"]) if votes else "",
        f"{value_cell(votes)} of {n_members}" if votes else "",
        *(_number(mine.get(f"{kind}_per_item"), form) for kind, form in (("tokens", ",.0f"), ("seconds", ",.3f"))),
    ]


def _number(row: Any, form: str) -> str:
    if row is None:
        return ""
    return dash(row.note) if math.isnan(row.value) else format(row.value, form)


def _cascades(lines: Frame, order: Sequence[str]) -> str:
    shares = [metric for metric in dict.fromkeys(lines.metric) if metric.startswith("share[")]
    return Crosstab(lines, "judge", "metric").html(
        ["cascade"],
        [judge for judge in order if judge in set(lines.judge)],
        [*shares, *_CASCADE],
        titles=lambda metric: _CASCADE.get(metric, metric.removeprefix("share[").removesuffix("]")),
    )


# ---- first page ----


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return what each jury is beside its best member, and what each cascade answers."""
    sentences = []
    for (judge, benchmark), lines in table.groupby(["judge", "benchmark"], sort=False):
        row_of = {row.metric: row for row in lines.itertuples() if not math.isnan(row.value)}
        metric = next((name for name in AGREEMENT if name in row_of), None)
        if metric is None:
            continue
        if "coverage" in row_of:
            sentences.append(f"{benchmark}, {judge}: {_answers(row_of)}")
            continue
        n_members = sum(name.startswith(f"{metric}[") for name in row_of)
        worth = f", {row_of['effective_votes'].value:.1f} votes of {n_members}" if "effective_votes" in row_of else ""
        best = next((name for name in row_of if name.startswith("difference[")), "")
        beside = f"; minus its best member: {_span(row_of[best])}" if best else ""
        sentences.append(
            f"{benchmark}, {judge}: {metric} {_span(row_of[metric])}{worth}{beside} (n {row_of[metric].n})."
        )
    return [Finding("What juries and cascades are worth", sentences)] if sentences else []


def _answers(row_of: Mapping[str, Any]) -> str:
    coverage, agreement = row_of["coverage"], row_of.get("selective_agreement")
    said = f"answers {coverage.value:.0%} of {coverage.n} items"
    return f"{said}, of these right {_span(agreement)}, target {row_of['target'].value:g}." if agreement else f"{said}."


def _span(row: Any) -> str:
    return span(row.value, row.ci_low, row.ci_high)


# ---- figure ----


def panels(table: Frame, kinds: dict[str, str], names: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark, one row per jury or cascade: it, its best member, and the votes it is worth."""
    drawings, worth = {}, {}
    for name, lines in table.groupby("benchmark", sort=False):
        metric = next((one for one in AGREEMENT if one in set(lines.metric)), None)
        if metric is None:
            continue
        mine = {row.judge: Estimate.of(row) for row in lines[lines.metric == metric].itertuples()}
        best = {judge: _best(lines[lines.judge == judge], metric) for judge in mine}
        answered = lines[lines.metric == "selective_agreement"]
        selective = {row.judge: Estimate.of(row) for row in answered.itertuples() if not math.isnan(row.value)}
        drawings[str(name)] = Panel(
            f"{name} (n = {lines[lines.metric == metric].n.max()})",
            [
                Series(mine, f"{name}"),
                Series({judge: one for judge, one in best.items() if one}, "", "D", 0.24),
                Series(selective, "", "^", -0.24),
            ],
        )
        votes = lines[lines.metric == "effective_votes"]
        worth[str(name)] = {row.judge: row.value for row in votes.itertuples() if not math.isnan(row.value)}
    marks = [mark("panel"), mark("its best member", "D", filled=False), mark("cascade, where it answers", "^")]
    label = "accuracy (or Spearman correlation) with people; right: effective votes"
    crowd = HeatMap("accuracy (or Spearman correlation) with people ± half its interval")
    everyone = dict.fromkeys(judge for drawing in drawings.values() for judge in drawing.judges)
    footnote = "" if drawings else "no jury and no cascade has a verdict"
    figure, axes = judge_figure(drawings, everyone, kinds, label, footnote, marks, crowd, height=1.6)
    for name, place in axes.items():
        name_of = place.yaxis.get_major_formatter()
        rows = [name_of(tick, number) for number, tick in enumerate(place.get_yticks())]
        for judge, value in worth[name].items():
            where = (1.01, rows.index(judge))
            place.annotate(
                f"{value:.1f}", where, xycoords=place.get_yaxis_transform(), va="center", fontsize=6, color=DARK
            )
    return figure


def _best(lines: Frame, metric: str) -> Estimate | None:
    """Return the best member of one panel, hollow."""
    members = lines[lines.metric.str.startswith(f"{metric}[") & lines.value.notna()]
    return Estimate.of(members.loc[members.value.idxmax()], filled=False) if len(members) else None


TABLE = Table(
    title="Juries and cascades",
    caption="What juries and cascades are worth beside their members: agreement with people, the paired difference "
    "from the best member, the correlation of the members' errors, how many independent votes they make, tokens and "
    "seconds per item; of a cascade who answers, what is left unanswered, and agreement on the rest beside its target.",
    columns=COLUMNS,
    condition=panel_pairs,
    inputs=inputs,
    parameters=parameters,
    rows=rows,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    findings=findings,
    figures={
        "panels": Figure(
            label="Juries and cascades beside their best member",
            caption="Agreement with people of each jury and cascade (filled) beside that of its best member (hollow), "
            "which is chosen on the same items; of a cascade also where it answers (triangle). At the right how many "
            "independent votes the members make. Lines are 95 % intervals, prompts resampled as clusters.",
            draw=panels,
        )
    },
)
