"""Figures of trainings, searches and the screening of foundation models."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator, NullFormatter

from judgemerge.report.figures.panels import COLOURS, DARK, finish, mark, panel_grid

CURVES = {
    "loss": "loss",
    "nll": "NLL of the chosen answer",
    "odds_ratio_loss": "odds-ratio loss",
    "reward_accuracy": "reward accuracy",
}
_PARTS = {"train": ("-", "training"), "evaluation": ("--", "held out")}


def curves(table: pd.DataFrame, kinds: Mapping[str, str], panels: Sequence[str]) -> Figure:
    """Draw what was logged against the step: a panel per quantity, a line per expert, held-out values dashed."""
    found = [name for name in CURVES if name in table and table[name].notna().any()]
    figure, axes = panel_grid({CURVES[name]: 8 for name in found}, columns=2, share=False)
    experts = list(dict.fromkeys(table["expert"]))
    import seaborn as sns

    shades = dict(zip(experts, sns.color_palette("colorblind", len(experts)), strict=True))
    for name in found:
        panel = axes[CURVES[name]]
        panel.set_title(CURVES[name])
        for (expert, part), rows in table.dropna(subset=name).groupby(["expert", "part"], sort=False):
            marker = "o" if part == "evaluation" or len(rows) == 1 else ""
            panel.plot(rows["step"], rows[name], _PARTS[part][0], color=shades[expert], marker=marker, markersize=3)
        if name == "reward_accuracy":
            panel.set_ylim(0, 1.02)
            panel.axhline(0.5, color="#999999", linewidth=0.8, linestyle=":")
    marks = [Line2D([], [], color=shades[expert], label=expert) for expert in experts]
    held_out = (table["part"] == "evaluation").any()
    marks += [Line2D([], [], color=DARK, linestyle=style, label=label) for style, label in _PARTS.values() if held_out]
    note = "" if held_out else "Training batches only; `evaluate_on` of an expert adds its loss on held-out items."
    return finish(figure, "step", marks, note)


def search(table: pd.DataFrame, kinds: Mapping[str, str], panels: Sequence[str]) -> Figure:
    """Draw the value of every trial against each parameter and against the round, with the default and the best."""
    first = table.columns.get_loc("state") + 1
    space = list(table.columns[first : table.columns.get_loc("metric")])
    names = ["trial", *space]
    figure, axes = panel_grid({name: 8 for name in names}, columns=3, share=False)
    metric = table["metric"].iloc[0]
    for name in names:
        panel = axes[name]
        panel.set_title(name)
        places, labels = _places(table[name])
        for number, row in table.iterrows():
            if pd.isna(row["value"]) or np.isnan(places[number]):
                continue
            shade, marker, filled = _look(row)
            if not pd.isna(row["ci_low"]):
                panel.plot([places[number]] * 2, [row["ci_low"], row["ci_high"]], color=shade, linewidth=1, alpha=0.6)
            face = shade if filled else "white"
            panel.plot(places[number], row["value"], marker, color=shade, markerfacecolor=face, markersize=5)
        if labels:
            panel.set_xticks(range(len(labels)), labels)
            panel.set_xlim(-0.5, len(labels) - 0.5)
        elif name != "trial" and _is_log(table[name]):
            panel.set_xscale("log")
            panel.xaxis.set_minor_formatter(NullFormatter())  # labels of minor ticks run into each other
        elif pd.api.types.is_integer_dtype(table[name]):
            panel.xaxis.set_major_locator(MaxNLocator(integer=True))
        panel.set_ylabel(metric, fontsize=8)
    marks = [
        mark("trial", "o", COLOURS["baseline"]),
        mark("the study's own setting", "s", COLOURS["base"]),
        mark("best trial", "D", COLOURS["merge"]),
    ]
    if (table["state"] == "pruned").any():
        marks.append(mark("given up early", "o", COLOURS["baseline"], filled=False))
    return finish(figure, "value of the parameter", marks, "Values on the development sets, with intervals.")


def screening(table: pd.DataFrame, kinds: Mapping[str, str], panels: Sequence[str]) -> Figure:
    """Draw loss per token and bits per byte of every foundation model, with intervals."""
    shown = {
        "loss per token": ("loss", "loss_low", "loss_high"),
        "bits per byte": ("bits_per_byte", "bpb_low", "bpb_high"),
    }
    figure, axes = panel_grid({title: len(table) + 1 for title in shown}, columns=2, share=False)
    for title, (value, low, high) in shown.items():
        panel = axes[title]
        panel.set_title(title)
        panel.set_yticks(range(len(table)), [_size(row) for _, row in table.iterrows()], fontsize=8)
        panel.set_ylim(len(table) - 0.4, -0.6)
        for y, (_, row) in enumerate(table.iterrows()):
            panel.plot([row[low], row[high]], [y, y], color=COLOURS["base"], linewidth=1.4)
            panel.plot(row[value], y, "o", color=COLOURS["base"], markersize=4.5)
    steps = ", ".join(map(str, sorted(set(table["steps"]))))
    return finish(figure, f"held-out answers after {steps} steps, lower is better", [])


def _size(row: pd.Series) -> str:
    return f"{row['base']} ({row['parameters'] / 1e6:.3g}M)"


def _places(values: pd.Series) -> tuple[list[float], list[str]]:
    """Return a place on the x axis per trial, and labels where the values have no order."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.notna().sum() == values.notna().sum() and values.dtype != bool:
        return list(numbers.astype(float)), []
    labels = list(dict.fromkeys(map(str, values.dropna())))
    return [float(labels.index(str(value))) if pd.notna(value) else np.nan for value in values], labels


def _is_log(values: pd.Series) -> bool:
    """Return whether the values span more than one order of magnitude above 0."""
    numbers = pd.to_numeric(values, errors="coerce").dropna()
    return len(numbers) > 1 and numbers.min() > 0 and numbers.max() / numbers.min() > 10


def _look(row: pd.Series) -> tuple[str, str, bool]:
    if row["best"]:
        return COLOURS["merge"], "D", True
    if row["trial"] == 0:
        return COLOURS["base"], "s", True
    return COLOURS["baseline"], "o", row["state"] != "pruned"
