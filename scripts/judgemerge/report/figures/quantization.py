"""Figure of quantization.csv: what each quantization costs in agreement, and what it gains in speed and size."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from judgemerge.report.figures.panels import DARK, colour, dot, finish, judge_rows, kind_marks, panel_grid, reason

PEOPLE = {"accuracy": "accuracy", "spearman": "Spearman with people"}


def quantization(table: pd.DataFrame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Figure:
    """Three panels per benchmark, one row per model: agreement with people, verdicts kept, items judged per second.

    Rows name the type and the size of the weights; models that are not quantized come first and have no second panel.
    """
    table = table.fillna({"speed_note": ""})
    parts = dict(list(table.groupby("benchmark", sort=False)))
    sizes = {f"{name}/{panel}": part["judge"].nunique() for name, part in parts.items() for panel in range(3)}
    figure, axes = panel_grid(sizes, columns=3, share=False)
    for name, part in parts.items():
        models = part.drop_duplicates("judge")
        people, same, speed = (axes[f"{name}/{panel}"] for panel in range(3))
        for position, model in enumerate(models.itertuples()):
            own = part[part["judge"] == model.judge].set_index("metric")
            shade = colour(model.judge, kinds)
            dot(people, position, own.loc[next(metric for metric in PEOPLE if metric in own.index)], shade)
            if "same_verdict" in own.index:
                dot(same, position, own.loc["same_verdict"], shade)
            if np.isnan(model.items_per_second):
                reason(speed, position, model.speed_note)
            else:
                speed.barh(position, model.items_per_second, height=0.55, color=shade)
        judge_rows(
            people, [f"{model.judge} ({model.type}, {_size(model.file_bytes)})" for model in models.itertuples()]
        )
        for other in (same, speed):
            judge_rows(other, [""] * len(models))
        metric = next(PEOPLE[metric] for metric in PEOPLE if metric in set(part["metric"]))
        people.set_title(f"{name} (n = {part['n'].max()})\n{metric}", fontsize=8.5)
        same.set_title("same verdict as the\nunquantized judge", fontsize=8.5)
        speed.set_title("items judged\nper second", fontsize=8.5)
        same.axvline(1, color=DARK, linewidth=0.8, zorder=0)
        speed.set_xlim(left=0)
    return finish(figure, "", kind_marks(table["judge"].unique(), kinds))


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e9 else f"{n_bytes / 1e6:.1f} MB"
