"""training.csv: what was logged while the experts were trained, and the curves of it."""

from collections.abc import Mapping, Sequence

from judgemerge.report.drawing import DARK, finish, panel_grid
from judgemerge.report.table import Column, Drawing, Figure, Frame, Study, Table

COLUMNS = {
    "expert": Column("name of the expert"),
    "part": Column("train: training batches; evaluation: held-out items"),
    "step": Column("optimizer step"),
    "loss": Column("loss per token, or ORPO's loss"),
}
CURVES = {
    "loss": "loss",
    "nll": "NLL of the chosen answer",
    "odds_ratio_loss": "odds-ratio loss",
    "reward_accuracy": "reward accuracy",
}
_PARTS = {"train": ("-", "training"), "evaluation": ("--", "held out")}


def curves(table: Frame, kinds: Mapping[str, str], panels: Sequence[str]) -> Drawing:
    """Draw what was logged against the step: a panel per quantity, a line per expert, held-out values dashed."""
    import seaborn as sns
    from matplotlib.lines import Line2D

    logged = [name for name in CURVES if name in table and table[name].notna().any()]
    figure, axes = panel_grid({CURVES[name]: 8 for name in logged}, columns=2, share=False)
    experts = list(dict.fromkeys(table.expert))
    shades = dict(zip(experts, sns.color_palette("colorblind", len(experts)), strict=True))
    for name in logged:
        panel = axes[CURVES[name]]
        panel.set_title(CURVES[name])
        for (expert, part), rows in table.dropna(subset=name).groupby(["expert", "part"], sort=False):
            marker = "o" if part == "evaluation" or len(rows) == 1 else ""
            panel.plot(rows.step, rows[name], _PARTS[part][0], color=shades[expert], marker=marker, markersize=3)
        if name == "reward_accuracy":
            panel.set_ylim(0, 1.02)
            panel.axhline(0.5, color="#999999", linewidth=0.8, linestyle=":")
    marks = [Line2D([], [], color=shades[expert], label=expert) for expert in experts]
    held_out = (table.part == "evaluation").any()
    marks += [Line2D([], [], color=DARK, linestyle=style, label=label) for style, label in _PARTS.values() if held_out]
    note = "" if held_out else "Training batches only; `evaluate_on` of an expert adds its loss on held-out items."
    return finish(figure, "step", marks, note)


def trains(study: Study) -> bool:
    """The study trains experts."""
    return bool(study.experts)


CAPTION = (
    "What LLaMA-Factory logged while the experts were trained. ORPO's loss is the negative log-likelihood of the "
    "chosen answer plus beta times the odds-ratio loss; reward accuracy is the share of pairs whose chosen answer has "
    "the higher length-averaged log-probability. ``tables/training.csv`` has the same values and more."
)
TABLE = Table(
    title="Training curves",
    caption=CAPTION,
    columns=COLUMNS,
    condition=trains,
    has_page=False,
    figures={"curves": Figure(label="Training curves", caption=CAPTION, draw=curves, about_judges=False)},
)
