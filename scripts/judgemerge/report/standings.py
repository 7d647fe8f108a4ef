"""Who stands where on a benchmark: values from agreement.csv, and who comparisons.csv cannot tell apart."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from judgemerge.evaluate.metrics import PROTOCOLS, declared_metrics
from judgemerge.report.table import SIGNIFICANT, Frame

Row = Mapping[str, Any]  # of a CSV file: an empty cell is None


class Cell(NamedTuple):
    """One judge on one metric.

    `mark` is "best" of the best judge, "level" of one that cannot be told apart from it, else empty. `ranks` are the
    best and the worst place that the comparisons leave open; None where the metric is not compared, or not all judges
    with each other (`compared_pairs`).
    """

    value: float | None
    low: float | None
    high: float | None
    n: int
    errors: int
    note: str
    mark: str = ""
    ranks: tuple[int, int] | None = None


class Standing(NamedTuple):
    """All judges on one benchmark; the first of the metrics is the one that stands for the benchmark."""

    protocol: str
    metrics: Sequence[str]
    judges: Mapping[str, Mapping[str, Cell]]


def standings_of(agreement: Iterable[Row], comparisons: Iterable[Row]) -> dict[str, Standing]:
    """Return the standing of every benchmark, by the protocol of this workflow (rules `house`)."""
    by_benchmark: dict[str, list[Row]] = {}
    for row in agreement:
        if row["rules"] == "house":
            by_benchmark.setdefault(row["benchmark"], []).append(row)
    compared: dict[tuple[str, str], list[Row]] = {}
    for row in comparisons:
        compared.setdefault((row["benchmark"], row["metric"]), []).append(row)
    return {name: _standing(name, rows, compared) for name, rows in by_benchmark.items()}


def _standing(benchmark: str, rows: Sequence[Row], compared: Mapping[tuple[str, str], Sequence[Row]]) -> Standing:
    judges: dict[str, dict[str, Cell]] = {}
    for row in rows:
        cell = Cell(row["value"], row["ci_low"], row["ci_high"], row["n"], row["errors"], row["note"] or "")
        judges.setdefault(row["judge"], {})[row["metric"]] = cell
    metrics = _headline_first(judges)
    for metric in metrics:
        if pairs := compared.get((benchmark, metric)):
            _mark(judges, metric, beaten_by(pairs, is_lower_better(metric)), n_pairs(pairs))
    return Standing(rows[0]["protocol"], metrics, judges)


def _headline_first(judges: Mapping[str, Mapping[str, Cell]]) -> list[str]:
    """Return the metrics; before all others the one that most judges have a value of, among those shown first."""
    names = list(dict.fromkeys(metric for cells in judges.values() for metric in cells))
    headlines = [name for name in headline_metrics() if name in names]
    if not headlines:
        return names
    counts = {name: sum(name in cells and cells[name].value is not None for cells in judges.values()) for name in names}
    first = max(headlines, key=counts.get)
    return [first, *(name for name in names if name != first)]


def headline_metrics() -> list[str]:
    """Return the metrics that are shown first of comparisons, those over both orders before those of one."""
    declared = [(name, words) for protocol in PROTOCOLS for name, words in declared_metrics(protocol).items()]
    first = [(name, words) for name, words in declared if "headline" in words.get("uses", ())]
    return [name for name, words in sorted(first, key=lambda pair: pair[1].get("orders", "both") != "both")]


def shown_first(rows: Frame, column: str) -> Frame:
    """Return the rows of one benchmark on the metric of which most have a value in `column`."""
    candidates = [rows[rows.metric == metric] for metric in headline_metrics()]
    return max(candidates, key=lambda part: (part[column].count(), len(part) > 0))


def is_lower_better(metric: str) -> bool:
    """Return whether a smaller value of a metric is the better one."""
    return any(declared_metrics(protocol).get(metric, {}).get("lower_is_better", False) for protocol in PROTOCOLS)


def n_pairs(pairs: Iterable[Row]) -> int:
    """Return how many pairs of judges are compared and have a difference."""
    return len({(row["judge_a"], row["judge_b"]) for row in pairs if row["difference"] is not None})


def beaten_by(pairs: Iterable[Row], lower: bool) -> dict[str, set[str]]:
    """Return for every judge that is compared those that are measurably better: p after Holm below SIGNIFICANT.

    Where a metric has two tests the first is taken, which is the bootstrap's.
    """
    beaten: dict[str, set[str]] = {}
    seen = set()
    for row in pairs:
        one, other = row["judge_a"], row["judge_b"]
        if (one, other) in seen or row["difference"] is None:
            continue
        seen.add((one, other))
        for judge in (one, other):
            beaten.setdefault(judge, set())
        if row["p_holm"] is not None and row["p_holm"] < SIGNIFICANT and row["difference"]:
            better, worse = (one, other) if (row["difference"] > 0) != lower else (other, one)
            beaten[worse].add(better)
    return beaten


def _mark(judges: Mapping[str, dict[str, Cell]], metric: str, beaten: Mapping[str, set[str]], compared: int) -> None:
    """Mark the best judge and those level with it; give each the places that it may have, if all pairs are compared."""
    values = {
        judge: cells[metric].value
        for judge, cells in judges.items()
        if judge in beaten and metric in cells and cells[metric].value is not None
    }
    if len(values) < 2:
        return
    best = (min if is_lower_better(metric) else max)(values, key=values.get)
    for judge in values:
        n_worse = sum(judge in beaten[other] for other in values)
        n_better = len(beaten[judge] & values.keys())
        mark = "best" if judge == best else "" if best in beaten[judge] else "level"
        ranks = (1 + n_better, len(values) - n_worse) if compared >= math.comb(len(values), 2) else None
        judges[judge][metric] = judges[judge][metric]._replace(mark=mark, ranks=ranks)
