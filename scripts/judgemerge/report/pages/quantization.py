"""The page of quantization.csv: per benchmark one line per model, the unquantized ones first."""

import html

import numpy as np
import pandas as pd

from judgemerge.report.pages.markup import grid, notes, undefined_notes, value_cell

INTRO = (
    "Each quantization beside the model it is made from. Size is that of the weights on disk; bits per weight are "
    "counted from the file, so they show matrices whose rows did not fit the type. Speed is that of one whole run of "
    "the suite, weights already loaded; a suite put together from several runs has none. Same verdict: share of "
    "verdicts that can be read and are the unquantized judge's, order by order; changed: share with another outcome, "
    "one that can no longer be read (or only now) included; flipped: share in which the winner is the other response. "
    "What is neither the same nor changed could be read from neither. Values have {confidence} intervals, prompts "
    "resampled as clusters."
)
_TITLES = {
    "accuracy": "accuracy",
    "spearman": "Spearman with people",
    "same_verdict": "same verdict",
    "changed": "changed",
    "flipped": "flipped",
    "spearman_with_parent": "Spearman with the unquantized",
}


def quantization_sections(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Return one section per benchmark."""
    table = table.fillna({"fallbacks": "", "speed_note": ""})
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        metrics = [metric for metric in _TITLES if metric in set(rows["metric"])]
        lines = [_line(part, metrics) for _, part in rows.groupby("judge", sort=False)]
        head = [
            "judge",
            "made from",
            "type",
            "MB",
            "bits per weight",
            "items / s",
            *map(_TITLES.get, metrics),
            "errors",
        ]
        below = undefined_notes(rows, rows["judge"] + ", " + rows["metric"]) + notes(
            [(row.judge, f"speed: {row.speed_note}") for row in rows.itertuples()]
            + [
                (row.judge, f"rows that do not fit the type: {row.fallbacks}")
                for row in rows.itertuples()
                if row.fallbacks
            ]
        )
        sections.append((f"{benchmark} (n = {rows['n'].max()})", grid(head, lines) + below))
    return sections


def _line(rows: pd.DataFrame, metrics: list[str]) -> list[str]:
    first = rows.iloc[0]
    by_metric = {row.metric: row for row in rows.itertuples()}
    speed = f"{first['items_per_second']:.2f}" if not np.isnan(first["items_per_second"]) else "–"
    return [
        html.escape(first["judge"]),
        html.escape(first["parent"]) if first["parent"] != first["judge"] else "",
        html.escape(first["type"]),
        f"{first['file_bytes'] / 1e6:,.1f}",
        f"{first['bits_per_weight']:.2f}",
        speed,
        *(value_cell(by_metric[metric]) if metric in by_metric else "" for metric in metrics),
        str(first["errors"]),
    ]
