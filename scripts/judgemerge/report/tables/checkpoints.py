"""checkpoints.csv: what the checkpoints of a training are worth on development sets, beside the loss."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.report.drawing import DARK, finish, mark, panel_grid
from judgemerge.report.markup import grid, in_form, part, span, undefined_notes, value_cell
from judgemerge.report.material import Material
from judgemerge.report.table import ESTIMATE, Column, Drawing, Figure, Finding, Frame, Inputs, Section, Study, Table
from judgemerge.search.plan import CheckpointPlan
from judgemerge.study import layout
from judgemerge.study.layout import Layout

COLUMNS = {
    "expert": Column("name of the expert"),
    "step": Column("optimizer step; 0 is the base before the training"),
    "development": Column("development set, which no other table uses"),
    "metric": Column("its metric"),
    **ESTIMATE,
    "n": Column("number of items"),
    "errors": Column("number of unreadable verdicts"),
    "minus_end": Column("paired difference to the end of the training"),
    "minus_end_low": Column("lower end of its confidence interval"),
    "minus_end_high": Column("upper end of its confidence interval"),
    "loss": Column("training loss, the last that was logged up to the step"),
    "evaluation_loss": Column("the same of the loss on held-out items, where it was taken"),
    "chosen": Column("whether this step stands for the expert"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "The base (step 0), the kept checkpoints and the end of each training, judged on development sets with the "
    "expert's own prompt. Values have {confidence} intervals, prompts resampled as clusters; the difference to the end "
    "of the training is paired. The step that stands for the expert (bold) was chosen by these sets alone, so its "
    "value here flatters it; the tables of benchmarks say what it is worth. Adapters were folded into the base in "
    "memory."
)


def judged_experts(study: Study) -> list[str]:
    """Return the experts whose checkpoints are judged."""
    return CheckpointPlan(study).experts


def _files(study: Study, expert: str) -> dict[str, str]:
    paths = Layout(study.name)
    patterns = {
        "verdicts": layout.CHECKPOINT_VERDICTS,
        "choice": layout.CHECKPOINT_CHOICE,
        "log": layout.TRAINING_LOG,
    }
    return {name: paths.path(pattern, expert) for name, pattern in patterns.items()}


def inputs(study: Study) -> Inputs:
    """Return the development items, and of every expert its verdicts, the choice and the training's log."""
    plan, experts = CheckpointPlan(study), judged_experts(study)
    sets = dict.fromkeys(name for expert in experts for name in plan.development_sets(expert))
    return Inputs(items=list(sets), files=[path for expert in experts for path in _files(study, expert).values()])


def parameters(study: Study) -> dict[str, Any]:
    """Return the files and development sets by expert, and how intervals are computed."""
    plan = CheckpointPlan(study)
    about = {
        name: {**_files(study, name), "sets": plan.settings(name)["development"]} for name in judged_experts(study)
    }
    return {"experts": about, "statistics": study.settings.statistics.plain()}


def rows(material: Material, experts: dict[str, dict], statistics: dict) -> Frame:
    """Return one row per expert, development set and step."""
    import csv

    import pandas as pd

    from judgemerge.core import files
    from judgemerge.search import checkpoints
    from judgemerge.settings.report import Statistics

    settings, lines = Statistics.of(statistics), []
    for expert, about in experts.items():
        with open(about["log"], encoding="utf-8", newline="") as file:
            log = list(csv.DictReader(file))
        sets = {name: material.items(name) for name in about["sets"]}
        verdicts, chosen = checkpoints.read_verdicts(about["verdicts"]), files.read_json(about["choice"])["chosen"]
        lines += checkpoints.curve_rows(expert, sets, verdicts, about["sets"], log, chosen, settings)
    return pd.DataFrame(lines, columns=list(COLUMNS))


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one section per expert: a part per development set, a line per step."""
    return [
        (str(expert), "".join(_set(str(name), of_set) for name, of_set in rows.groupby("development", sort=False)))
        for expert, rows in table.groupby("expert", sort=False)
    ]


def _set(name: str, rows: Frame) -> str:
    lines = [
        [
            f"<b>{row.step}</b>" if row.chosen else str(row.step),
            value_cell(row),
            "" if math.isnan(row.minus_end) else span(row.minus_end, row.minus_end_low, row.minus_end_high),
            in_form(row.loss, ".4f"),
            in_form(row.evaluation_loss, ".4f"),
            str(row.errors),
        ]
        for row in rows.itertuples()
    ]
    head = ["step", rows.metric.iloc[0], "− end of the training", "training loss", "held-out loss", "errors"]
    title = f"{html.escape(name)} (n = {rows.n.max()})"
    return part(title, grid(head, lines) + undefined_notes(rows, "step " + rows.step.astype(str)))


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return, per training and development set, the best step, the end, and which one stands for the expert."""
    sentences = []
    trained = table[(table.step > 0) & table.value.notna()]
    for (expert, name), rows in trained.groupby(["expert", "development"], sort=False):
        best, end = rows.loc[rows.value.idxmax()], rows.loc[rows.step.idxmax()]
        taken = table[(table.expert == expert) & table.chosen].step.iloc[0]
        gap = (
            "" if best.step == end.step else f", {span(best.minus_end, best.minus_end_low, best.minus_end_high)} apart"
        )
        sentences.append(
            f"Along the training of {expert}, {best.metric} on {name} is highest at step {best.step} "
            f"({span(best.value, best.ci_low, best.ci_high)}), and {end.value:.3f} at its end, step {end.step}{gap} "
            f"(n {best.n}, {best.errors} errors). Step {taken} stands for the expert."
        )
    return [Finding("Along the trainings", sentences, in_short=False)] if sentences else []


def checkpoints(table: Frame, kinds: Mapping[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per expert and development set: the metric over the steps with its interval, the loss at the right."""
    parts = {f"{expert}: {name}": rows for (expert, name), rows in table.groupby(["expert", "development"], sort=False)}
    figure, axes = panel_grid(dict.fromkeys(parts, 9), columns=2, width=4.2, share=False)
    for title, rows in parts.items():
        panel, rows = axes[title], rows.sort_values("step")
        panel.fill_between(rows.step, rows.ci_low, rows.ci_high, color="C0", alpha=0.15, linewidth=0)
        panel.plot(rows.step, rows.value, "o-", color="C0", markersize=4, linewidth=1.3)
        taken = rows[rows.chosen]
        panel.plot(taken.step, taken.value, "*", color=DARK, markersize=11, zorder=5)
        panel.set_title(f"{title} (n = {rows.n.max()})", fontsize=8.5)
        panel.set_ylabel(rows.metric.iloc[0], fontsize=8)
        panel.set_xlabel("step", fontsize=8)
        beside = panel.twinx()
        beside.grid(False)
        for column, style in (("loss", "-"), ("evaluation_loss", "--")):
            beside.plot(rows.step, rows[column], style, color="#999999", linewidth=1)
        beside.set_ylabel("loss", fontsize=8, color="#777777")
    from matplotlib.lines import Line2D

    marks = [mark("on the development set", shade="C0"), mark("stands for the expert", marker="*")]
    marks += [Line2D([], [], color="#999999", label="training loss")]
    if table.evaluation_loss.notna().any():
        marks += [Line2D([], [], color="#999999", linestyle="--", label="loss on held-out items")]
    return finish(figure, "", marks)


CAPTION = (
    "Agreement on development sets along the trainings, with its interval, and the loss beside it. Step 0 is the base. "
    "The star stands for the expert; it was chosen by these sets alone."
)
TABLE = Table(
    title="Along the trainings: checkpoints on development sets",
    caption=CAPTION,
    columns=COLUMNS,
    condition=judged_experts,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    sections=sections,
    findings=findings,
    figures={
        "checkpoints": Figure(
            label="Checkpoints on development sets", caption=CAPTION, draw=checkpoints, about_judges=False
        )
    },
)
