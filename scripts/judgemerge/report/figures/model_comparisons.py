"""The figure of a model comparison: mean scores, paired differences, and who wins the pairs."""

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from judgemerge.report.figures.panels import COLOURS, dot, finish, judge_rows, mark, panel_grid

OUTCOMES = {
    "win": ("second wins", COLOURS["expert"]),
    "tie": ("tie", "#cccccc"),
    "inconsistent": ("follows the position", "#eecf8e"),
    "lose": ("first wins", COLOURS["base"]),
}


def model_comparison(table: pd.DataFrame, kinds: Mapping[str, str], panels: Sequence[str]) -> Figure:
    """Draw a row per judge: scores of both models by metric, their difference, and the shares of the pairs."""
    judged = table[table["judge"].notna() & (table["judge"] != "")]
    metrics = list(dict.fromkeys(judged.loc[judged["measure"] == "score", "metric"]))
    judges = list(dict.fromkeys(judged["judge"]))
    models = list(dict.fromkeys(judged.loc[judged["measure"] == "score", "model"]))
    names = [title for metric in metrics for title in (f"{metric}: score", f"{metric}: second − first")]
    names += ["pairs"] if (judged["metric"] == "pairs").any() else []
    figure, axes = panel_grid({name: len(judges) + 1 for name in names}, columns=2, share=False)
    shades = dict(zip(models, (COLOURS["base"], COLOURS["expert"]), strict=False))
    for metric in metrics:
        own = judged[judged["metric"] == metric]
        _scores(axes[f"{metric}: score"], own[own["measure"] == "score"], judges, shades, f"{metric}: score")
        _difference(axes[f"{metric}: second − first"], own[own["measure"] == "difference"], judges, metric)
    marks = [mark(model, shade=shade) for model, shade in shades.items()]
    if "pairs" in names:
        _shares(axes["pairs"], judged[judged["metric"] == "pairs"], judges)
        marks += [Patch(color=shade, label=label) for label, shade in OUTCOMES.values()]
    return finish(
        figure, "", marks, "First and second are the models of the comparison, in its order. n and errors: table."
    )


def _scores(panel, rows: pd.DataFrame, judges: Sequence[str], shades: Mapping[str, str], title: str) -> None:
    panel.set_title(title)
    judge_rows(panel, judges)
    for number, (model, shade) in enumerate(shades.items()):
        for _, row in rows[rows["model"] == model].iterrows():
            dot(panel, judges.index(row["judge"]) + 0.24 * number - 0.12, row, shade)


def _difference(panel, rows: pd.DataFrame, judges: Sequence[str], metric: str) -> None:
    panel.set_title(f"{metric}: second − first")
    judge_rows(panel, judges)
    panel.axvline(0, color="#999999", linewidth=0.8)
    for _, row in rows.iterrows():
        dot(panel, judges.index(row["judge"]), row, COLOURS["merge"])


def _shares(panel, rows: pd.DataFrame, judges: Sequence[str]) -> None:
    panel.set_title("pairs, both orders")
    judge_rows(panel, judges)
    panel.set_xlim(0, 1)
    for y, judge in enumerate(judges):
        values = rows[rows["judge"] == judge].set_index("measure")["value"]
        start = 0.0
        for outcome, (_, shade) in OUTCOMES.items():
            share = values.get(outcome, float("nan"))
            if pd.isna(share):
                continue
            panel.barh(y, share, left=start, height=0.6, color=shade, edgecolor="white")
            start += share
