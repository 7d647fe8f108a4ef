"""What juries and cascades are worth beside their members: the rows of panels.csv.

Per panel and benchmark: agreement of the panel and of each member, the difference from the best single member, how
alike the members' errors are, how many independent votes they are worth, and what an item costs. Of a cascade also the
share that each member answers, the share that is answered at all, and agreement on that beside its target.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate import estimates
from judgemerge.evaluate.comparisons import difference
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Sample, proportion
from judgemerge.evaluate.humans import combined_codes
from judgemerge.evaluate.judging_costs import Cost, total
from judgemerge.evaluate.metrics import metrics_for
from judgemerge.evaluate.power import detectable_by_test
from judgemerge.evaluate.score import (
    BenchmarkStatistics,
    benchmark_statistics,
    count_errors,
    metric_interval,
    value_note,
)
from judgemerge.evaluate.shared_errors import CONSTANT, effective_votes, error_correlation, errors_of
from judgemerge.evaluate.verdict_arrays import ERROR
from judgemerge.settings.report import Statistics

BEST_NOTE = "the best member on these items, so it is a little flattered"
NOTHING_ANSWERED = "no judge is sure enough anywhere: nothing is answered"


class Row(NamedTuple):
    """One row; `metric` names the member that it is about in brackets; `detectable` is a difference's (power.py)."""

    judge: str
    benchmark: str
    metric: str
    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    detectable: float = math.nan
    n: int = 0
    errors: int = 0
    rules: str = "house"
    note: str = ""


@dataclass(frozen=True)
class PanelOfJudges:
    """A jury or a cascade with its members; `target` is a cascade's, None for a jury."""

    name: str
    members: Sequence[str]
    target: float | None = None
    costs: Mapping[str, Cost] = field(default_factory=dict)


def common_metric(statistics: BenchmarkStatistics, judges: Sequence[str]) -> str:
    """Return the first metric that judges are compared by and that all of these define; the first, if none is."""
    names = metrics_for(statistics.benchmark.protocol, "headline")
    defined = [name for name in names if all(name in statistics.judges[judge].values for judge in judges)]
    return (defined or list(names))[0]


def benchmark_rows(
    items: Sequence[Item],
    verdicts: Mapping[str, Sequence[Verdict]],
    panels: Sequence[PanelOfJudges],
    settings: Statistics,
) -> Iterator[Row]:
    """Yield the rows of every panel on one benchmark; `verdicts` are those of panels and members by judge."""
    metrics = metrics_for(items[0].protocol, "headline")
    statistics = benchmark_statistics(items, verdicts, settings, metrics)
    for panel in panels:
        yield from _panel_rows(statistics, panel, verdicts[panel.name], settings)


def _panel_rows(
    statistics: BenchmarkStatistics, panel: PanelOfJudges, verdicts: Sequence[Verdict], settings: Statistics
) -> Iterator[Row]:
    benchmark = statistics.benchmark
    metric = common_metric(statistics, [panel.name, *panel.members])
    yield agreement_row(statistics, panel.name, panel.name, metric, metric)
    for member in panel.members:
        yield agreement_row(statistics, panel.name, member, metric, f"{metric}[{member}]")
    yield _difference_row(statistics, panel, metric)
    name = f"{benchmark.benchmark}, panels"
    sample = Sample(benchmark.cluster, benchmark.n_clusters, name, settings)
    errors = [errors_of(benchmark, statistics.judges[member].arrays) for member in panel.members]
    correlation = error_correlation(sample, errors)
    note = CONSTANT if math.isnan(correlation.value) else ""
    about = {"n": benchmark.n_items, "note": note}
    yield _row(panel.name, benchmark.benchmark, "error_correlation", correlation, **about)
    votes = effective_votes(correlation, len(panel.members))
    yield _row(panel.name, benchmark.benchmark, "effective_votes", votes, **about)
    shares = None
    if panel.target is not None:
        answered = _answered(benchmark.items, verdicts, panel.members)
        yield from _cascade_rows(statistics, panel, answered, sample)
        shares = [
            float(np.mean(answered >= number) if len(answered) else math.nan) for number in range(len(panel.members))
        ]
    yield from _cost_rows(panel, benchmark.benchmark, benchmark.n_items, shares)


def agreement_row(statistics: BenchmarkStatistics, panel: str, judge: str, metric: str, name: str) -> Row:
    """Return the agreement of one judge with people, as agreement.csv has it."""
    benchmark, mine = statistics.benchmark, statistics.judges[judge]
    value = mine.values.get(metric, math.nan)
    ends = metric_interval(statistics, mine, metric) if math.isfinite(value) else (math.nan, math.nan)
    sizes = {"n": benchmark.n_items, "errors": count_errors(benchmark, mine.arrays, metric)}
    return _row(
        panel, benchmark.benchmark, name, Estimate(value, *ends), note=value_note(benchmark, mine, metric), **sizes
    )


def paired_difference(statistics: BenchmarkStatistics, a: str, b: str, metric: str) -> dict[str, float]:
    """Return the agreement of a minus that of b on the same items, with the numbers of comparisons.csv."""
    value, test = difference(statistics, statistics.judges[a], statistics.judges[b], metric)
    interval = Estimate(value, test.low, test.high) if math.isfinite(value) else UNDEFINED
    return {**interval.columns(), "detectable": detectable_by_test(test, statistics.confidence)}


def best_of(statistics: BenchmarkStatistics, judges: Sequence[str], metric: str) -> str | None:
    """Return the judge with the greatest agreement, the first of equals; None where none has a value."""
    values = {judge: statistics.judges[judge].values.get(metric, math.nan) for judge in judges}
    defined = {judge: value for judge, value in values.items() if math.isfinite(value)}
    return max(defined, key=defined.__getitem__) if defined else None


def _difference_row(statistics: BenchmarkStatistics, panel: PanelOfJudges, metric: str) -> Row:
    benchmark, best = statistics.benchmark, best_of(statistics, panel.members, metric)
    if best is None:
        return _row(panel.name, benchmark.benchmark, "difference", UNDEFINED, note="no member has a value")
    numbers = paired_difference(statistics, panel.name, best, metric)
    note = BEST_NOTE if math.isfinite(numbers["value"]) else "undefined for the panel"
    return Row(panel.name, benchmark.benchmark, f"difference[{best}]", **numbers, n=benchmark.n_items, note=note)


# ---- cascades ----


def _answered(items: Sequence[Item], verdicts: Sequence[Verdict], members: Sequence[str]) -> np.ndarray:
    """Return the number of the member that answers each item, (n_items,); the number of members where none does."""
    who = {one.item: members.index(one.raw) for one in verdicts if one.outcome != "error" and one.raw in members}
    return np.array([who.get(item.id, len(members)) for item in items], dtype=int)


def _cascade_rows(
    statistics: BenchmarkStatistics, panel: PanelOfJudges, answered: np.ndarray, sample: Sample
) -> Iterator[Row]:
    benchmark, name = statistics.benchmark, statistics.benchmark.benchmark
    is_answered = answered < len(panel.members)
    n_abstained = int((~is_answered).sum())
    for number, member in enumerate(panel.members):
        share = proportion(sample, (answered == number).astype(float))
        yield _row(panel.name, name, f"share[{member}]", share, n=benchmark.n_items)
    sizes = {"n": benchmark.n_items, "errors": n_abstained}
    yield _row(panel.name, name, "coverage", proportion(sample, is_answered.astype(float)), **sizes)
    codes = combined_codes(statistics.judges[panel.name].arrays)
    chosen = np.flatnonzero(is_answered & (codes != ERROR))
    right = (codes[chosen] == benchmark.truth[chosen]).astype(float)
    clusters, places = np.unique(benchmark.cluster[chosen], return_inverse=True)
    selected = Sample(places, len(clusters), f"{name}, answered", sample.settings)
    agreement = proportion(selected, right) if len(chosen) else UNDEFINED
    note = "" if len(chosen) else NOTHING_ANSWERED
    yield _row(panel.name, name, "selective_agreement", agreement, n=len(chosen), note=note)
    yield _row(panel.name, name, "target", Estimate(panel.target, math.nan, math.nan), n=benchmark.n_items)


# ---- costs ----


def _cost_rows(panel: PanelOfJudges, benchmark: str, n: int, shares: Sequence[float] | None) -> Iterator[Row]:
    """Yield tokens and seconds per item: of the panel, then of each member that is asked about everything."""
    costs = {member: panel.costs[member] for member in panel.members}
    for kind in ("tokens", "seconds"):
        for name, cost in (("", total(costs, shares)), *costs.items()):
            value = Estimate(getattr(cost, kind), math.nan, math.nan)
            metric = f"{kind}_per_item{f'[{name}]' if name else ''}"
            yield _row(panel.name, benchmark, metric, value, n=n, note=cost.note if math.isnan(value.value) else "")


def _row(judge: str, benchmark: str, metric: str, value: Estimate, **more: float | str) -> Row:
    numbers = value.columns()
    return Row(judge, benchmark, metric, numbers["value"], numbers["ci_low"], numbers["ci_high"], **more)


def table_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as the table."""
    return estimates.table_of(Row, rows, ["value", "ci_low", "ci_high", "detectable"])
