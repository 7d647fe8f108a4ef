"""The agreement of a model as `model-index` metadata of its card, which the Hugging Face hub shows beside the card.

The hub has a newer form, files in `.eval_results/`; it takes results on data sets that are registered there as
benchmarks, which none of ours is. Its `model-index` takes any. The format has one number per metric and no place for an
interval: n and interval stand in `args`, which keeps them as numbers, and in the metric's name, which is what is shown.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

TASK = "text-generation"  # what the hub calls it when a model writes a verdict
TASK_NAMES = {"pairwise": "Judging pairs of responses", "pointwise": "Grading responses"}
COUNTS = ("n", "errors", "clusters")


def model_index(name: str, rows: "pd.DataFrame", confidence: float, source: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return the metadata of a model from its rows of agreement.csv; nothing where no value is defined.

    `source` is where the numbers come from, {name, url}, or empty: the hub takes no name without an address.
    """
    results: dict[str, dict[str, Any]] = {}
    for row in rows.to_dict("records"):
        if not math.isfinite(row["value"]):
            continue
        if row["benchmark"] not in results:
            task = {"type": TASK, "name": TASK_NAMES.get(row.get("protocol"), "Judging")}
            dataset = {"type": row["benchmark"], "name": row["benchmark"]}
            results[row["benchmark"]] = {"task": task, "dataset": dataset, "metrics": []}
            results[row["benchmark"]] |= {"source": dict(source)} if source else {}
        results[row["benchmark"]]["metrics"].append(_metric(row, confidence))
    return [{"name": name, "results": list(results.values())}] if results else []


def _metric(row: Mapping[str, Any], confidence: float) -> dict[str, Any]:
    arguments = {column: int(row[column]) for column in COUNTS if column in row and math.isfinite(row[column])}
    words = [row["metric"]]
    if math.isfinite(row["ci_low"]) and math.isfinite(row["ci_high"]):
        low, high = float(row["ci_low"]), float(row["ci_high"])
        arguments |= {"ci_low": low, "ci_high": high, "confidence": confidence}
        words.append(f"{100 * confidence:g} % interval {low:.3f} to {high:.3f}")
    words.append(f"n = {arguments.get('n', 0)}")
    return {"type": row["metric"], "value": float(row["value"]), "name": ", ".join(words), "args": arguments}
