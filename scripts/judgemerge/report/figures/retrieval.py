"""Figures of retrieval.csv: recall of every model on the target, and what mixtures forget on other tasks."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from judgemerge.report.figures.panels import DARK, dot, finish, judge_rows, mark, panel_grid

SHADES = {"base": "#4c6a92", "iteration": "#7fb8b0", "tuned": "#2a9d8f", "mixed": "#d1495b", "reranked": "#8d6a9f",
          "other": "#b08a3c", "cocktail": "#a44a6b"}  # fmt: skip
NAMES = {
    "base": "base model",
    "iteration": "one iteration",
    "tuned": "fine-tuned (chosen iteration)",
    "mixed": "mixed with the base",
    "reranked": "fine-tuned, then reranked",
    "other": "model of others",
    "cocktail": "mixture of several models",
}


def recall_rows(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of recall@k, the metric that decides."""
    return table[table["metric"].str.startswith("recall@")]


def retrieval(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per metric on the target task, one row per model, each value with its interval."""
    rows = table[table["role"] == "target"]
    metrics = {metric: len(part) for metric, part in rows.groupby("metric", sort=False)}
    figure, axes = panel_grid(metrics, share=False)
    for metric in metrics:
        part = rows[rows["metric"] == metric]
        for position, (_, row) in enumerate(part.iterrows()):
            dot(axes[metric], position, row, SHADES[row["kind"]])
        base = part[part["kind"] == "base"]["value"]
        axes[metric].axvline(base.iloc[0], color=SHADES["base"], linewidth=0.8, linestyle=":", zorder=0)
        judge_rows(axes[metric], [shown(name) for name in part["model"]])
        axes[metric].set_title(f"{metric} (n = {part['n'].max()})", fontsize=8.5)
    marks = [mark(NAMES[kind], shade=shade) for kind, shade in SHADES.items() if kind in set(rows["kind"])]
    return finish(figure, "value on the study's own documents", marks)


def forgetting(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """One panel per task: recall over the share of the fine-tuned model, from the base to the fine-tuned model."""
    rows = recall_rows(table)
    rows = rows[rows["kind"].isin(["base", "mixed", "tuned"])]
    tasks = list(dict.fromkeys(rows["task"]))
    figure, axes = panel_grid({task: 6 for task in tasks}, share=False)
    for task in tasks:
        part = rows[rows["task"] == task].sort_values("tuned_share")
        given = part[part["model"] != "mixed_by_loss"]
        panel = axes[task]
        panel.plot(given["tuned_share"], given["value"], color=DARK, linewidth=1.0, zorder=1)
        panel.fill_between(given["tuned_share"], given["ci_low"], given["ci_high"], color=DARK, alpha=0.08, linewidth=0)
        for _, row in part.iterrows():
            by_loss = row["model"] == "mixed_by_loss"
            _upright(panel, row, SHADES[row["kind"]], "D" if by_loss else "o", not by_loss)
        base = part[part["kind"] == "base"]["value"].iloc[0]
        panel.axhline(base, color=SHADES["base"], linewidth=0.8, linestyle=":", zorder=0)
        role = "the study's own documents" if part["role"].iloc[0] == "target" else f"other task: {task}"
        panel.set_title(f"{role} (n = {part['n'].max()})", fontsize=8.5)
        panel.set_xticks([0, 0.25, 0.5, 0.75, 1])
        panel.tick_params(labelsize=8)
    axes[tasks[0]].set_ylabel(rows["metric"].iloc[0], fontsize=9)
    marks = [mark(NAMES[kind], shade=SHADES[kind]) for kind in ("base", "mixed", "tuned")]
    if (rows["model"] == "mixed_by_loss").any():
        marks.append(mark("mixed by losses on examples", "D", SHADES["mixed"], False))
    return finish(figure, "share of the fine-tuned model in the mixture (0: base, 1: fine-tuned)", marks)


def shown(model: str) -> str:
    """Return a model's name as it is shown."""
    if model.startswith("mixed_") and model[6:].isdigit():
        return f"{int(model[6:])} % tuned"
    return model.replace("_", " ")


def _upright(axes, row: pd.Series, shade: str, marker: str, filled: bool) -> None:
    """Draw a value with its interval above its share of the fine-tuned model; an undefined one is left out."""
    if np.isnan(row["value"]):
        return
    x = row["tuned_share"]
    axes.plot([x, x], [row["ci_low"], row["ci_high"]], color=shade, linewidth=1.4, solid_capstyle="round")
    face = shade if filled else "white"
    axes.plot(x, row["value"], marker, color=shade, markerfacecolor=face, markersize=5, markeredgewidth=1.1, zorder=3)
