"""The rows of calibration.csv: how far the probabilities of each judge can be trusted, as they are and calibrated.

Per item there is one probability: that of the order the judge was asked in, or the mean of both orders, each mapped
back to the benchmark's order first. The verdict is what both orders say, or else the likeliest outcome of the mean.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.core.probabilities import Probabilities, mean
from judgemerge.evaluate import calibration, estimates
from judgemerge.evaluate.calibration import METHODS, Confidences, Point
from judgemerge.evaluate.estimates import Estimate
from judgemerge.evaluate.verdict_arrays import NOT_ASKED, benchmark_arrays
from judgemerge.settings.report import Statistics

RAW = "raw"
NEAR = 0.5  # a grade agrees with a mean of votes that is this near
NUMBERS = ("value", "ci_low", "ci_high", "at", "confidence")
NO_INTERVAL = "the same on every item: no interval"


class Row(NamedTuple):
    """One row; `metric` names a calibration, a bin or a coverage in brackets."""

    judge: str
    benchmark: str
    metric: str
    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    calibration: str = RAW
    at: float = math.nan
    confidence: float = math.nan
    n: int = 0
    errors: int = 0
    rules: str = "house"
    note: str = ""


class Set(NamedTuple):
    """The items of a benchmark or of a development set, and every judge's verdicts on them."""

    name: str
    items: Sequence[Item]
    verdicts: Mapping[str, Sequence[Verdict]]


# ---- verdicts → confidences ----


def answer_of(verdicts: Sequence[Verdict]) -> tuple[str, Probabilities] | None:
    """Return the verdict on an item, from one order or both, and the probabilities; None where either is unknown."""
    probabilities = mean(verdict.probabilities for verdict in verdicts)
    if not probabilities or any(verdict.outcome == "error" for verdict in verdicts):
        return None
    said = {verdict.answer for verdict in verdicts}
    if len(said) == 1 and said <= probabilities.keys():
        return said.pop(), probabilities
    likeliest = max(probabilities.values())
    best = [name for name, value in probabilities.items() if value == likeliest]
    is_sure = likeliest >= 1 - sum(probabilities.values()) - calibration.REMAINDER  # nothing unnamed is likelier
    return (best[0], probabilities) if len(best) == 1 and is_sure else None


def confidences(items: Iterable[Item], verdicts: Iterable[Verdict]) -> tuple[Confidences, int]:
    """Return the confidences of a judge in its verdicts on labelled items, and how many items have none.

    Items that the judge was not asked about are in neither.
    """
    by_item: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.reason not in NOT_ASKED:
            by_item.setdefault(verdict.item, []).append(verdict)
    asked = [item for item in benchmark_arrays(items).items if item.id in by_item]
    answers = [(item, answer_of(by_item[item.id])) for item in asked]
    known = [(item, *answer) for item, answer in answers if answer]
    return Confidences(
        np.array([probabilities[answer] for _, answer, probabilities in known], dtype=float),
        np.array([is_hit(answer, item) for item, answer, _ in known], dtype=float),
        np.array([item.cluster for item, *_ in known], dtype=str),
        [calibration.shares_of(probabilities, answer) for _, answer, probabilities in known],
    ), len(asked) - len(known)


def is_hit(answer: str, item: Item) -> bool:
    """Return whether a verdict is the gold label, or a grade within half a grade of it."""
    return answer == item.truth if item.protocol == "pairwise" else abs(float(answer) - item.truth) <= NEAR


# ---- rows ----


def rows(benchmark: Set, development: Sequence[Set], settings: Statistics) -> Iterator[Row]:
    """Yield the rows of every judge that gives probabilities on a benchmark.

    With development sets those of the calibrations that are fitted on their items follow: on all of them together.
    """
    for judge, verdicts in benchmark.verdicts.items():
        if not any(verdict.probabilities for verdict in verdicts):
            continue
        data, n_unknown = confidences(benchmark.items, verdicts)
        about = _About(judge, benchmark.name, n_unknown, settings)
        yield from about.rows(data, RAW)
        held = [one for one in development if judge in one.verdicts]
        if held:
            fitting = calibration.joined([confidences(one.items, one.verdicts[judge])[0] for one in held])
            yield from about.calibrated(data, fitting, ", ".join(one.name for one in held))


class _About(NamedTuple):
    """Whose rows these are: a judge on a benchmark, with what all of them say."""

    judge: str
    benchmark: str
    errors: int
    settings: Statistics

    def rows(self, data: Confidences, way: str) -> Iterator[Row]:
        """Yield the measures and both curves of confidences that are raw or calibrated in one way."""
        name = f"{self.benchmark}/calibration"
        for metric, value in calibration.estimates(data, data.sample(name, self.settings)).items():
            yield self._row(_named(metric, way), value, way, n=len(data))
        for point in calibration.reliability_curve(data, name, self.settings):
            yield self._point("bin", point, way)
        for point in calibration.selective_curve(data, name, self.settings):
            yield self._point("selective", point, way)

    def calibrated(self, data: Confidences, fitting: Confidences, sets: str) -> Iterator[Row]:
        """Yield the rows of every calibration, or one that says why there is none."""
        reason = calibration.why_not_fitted(fitting)
        if reason:
            yield Row(self.judge, self.benchmark, "calibration", math.nan, n=len(fitting), note=f"{reason} ({sets})")
            return
        for way, method in METHODS.items():
            fitted = method.fitted(fitting)
            if isinstance(fitted, calibration.Temperature):
                note = f"fitted on {sets}"
                yield Row(self.judge, self.benchmark, way, fitted.value, calibration=way, n=len(fitting), note=note)
            yield from self.rows(data.at(fitted.of(data)), way)

    def _row(self, metric: str, value: Estimate, way: str, **more: float) -> Row:
        has_interval = metric.partition("[")[0] not in calibration.WITHOUT_INTERVAL
        note = NO_INTERVAL if has_interval and math.isfinite(value.value) and math.isnan(value.low) else ""
        ends = (value.value, value.low, value.high)
        return Row(self.judge, self.benchmark, metric, *ends, calibration=way, errors=self.errors, note=note, **more)

    def _point(self, curve: str, point: Point, way: str) -> Row:
        metric = _named(curve, way, f"{point.at:.1f}")
        return self._row(metric, point.agreement, way, at=point.at, confidence=point.confidence, n=point.n)


def _named(metric: str, way: str, *restrictions: str) -> str:
    """Return a metric with what it is restricted to in brackets."""
    inside = [*([] if way == RAW else [way]), *restrictions]
    return f"{metric}[{', '.join(inside)}]" if inside else metric


def table_of(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as the table."""
    return estimates.table_of(Row, rows, NUMBERS)
