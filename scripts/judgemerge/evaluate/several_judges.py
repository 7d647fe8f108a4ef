"""Several judges of the same items: how far each agrees with people and with the others, and the mean over them.

Judges share their items, so a mean over judges, or over pairs of judges, is one number of the same clusters: it is
computed anew for every resample, and its interval does not take the judges as independent.
"""

import dataclasses
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.bootstrap import Replicated, leave_one_out, weighted_sums
from judgemerge.evaluate.counts import Outcomes, cells_of, replicated
from judgemerge.evaluate.estimates import DEFAULTS, Estimate, Measurement, Sample, metric_ends
from judgemerge.evaluate.humans import combined_codes
from judgemerge.evaluate.metrics import METRICS, metrics_for
from judgemerge.evaluate.score import (
    COLUMNS,
    RULES,
    BenchmarkStatistics,
    benchmark_statistics,
    interval_note,
    score_rows,
)
from judgemerge.evaluate.verdict_arrays import ERROR, BenchmarkArrays, benchmark_arrays, judge_arrays
from judgemerge.settings.report import Statistics

MEAN = "mean"
BETWEEN_CLASSES = {"agreement": "accuracy", "kappa": "kappa"}  # as it is called between two judges → metric


class Between(NamedTuple):
    """How far two judges agree: of `n` items that both have a verdict on; `errors` could not be read of one of them."""

    judge_a: str
    judge_b: str
    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    errors: int
    clusters: int
    note: str


def agreement_with_people(
    items: Sequence[Item],
    verdicts_by_judge: Mapping[str, Sequence[Verdict]],
    settings: Statistics = DEFAULTS,
    metrics: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the rows of `score_benchmark`, and with several judges the mean over them as a judge called `mean`."""
    statistics = benchmark_statistics(items, verdicts_by_judge, settings, metrics)
    table = score_rows(statistics, metrics)
    if len(verdicts_by_judge) < 2:
        return table
    rows = [_mean_row(statistics, rows) for _, rows in table.groupby("metric", sort=False)]
    return pd.concat([table, pd.DataFrame(rows, columns=list(COLUMNS))], ignore_index=True)


def _mean_row(statistics: BenchmarkStatistics, rows: pd.DataFrame) -> tuple:
    """Return the mean over judges in one metric; n is that of the items, errors are those of all judges."""
    benchmark, metric = statistics.benchmark, rows.metric.iloc[0]
    place = (MEAN, benchmark.benchmark, benchmark.protocol)
    missing = [judge for judge, value in zip(rows.judge, rows.value, strict=True) if not np.isfinite(value)]
    estimate, note = Estimate(np.nan, np.nan, np.nan), f"no value of {', '.join(missing)}"
    if not missing:
        replicates = _mean([judge.replicates(metric) for judge in statistics.judges.values()])
        ends = metric_ends(
            METRICS[benchmark.protocol].get(metric), replicates, statistics.clusters, statistics.confidence
        )
        estimate = Estimate(replicates.value, *ends)
        parts = (f"mean of {len(rows)} judges", interval_note(statistics, metric, bool(np.isfinite(ends[0]))))
        note = "; ".join(filter(None, parts))
    *numbers, note = Measurement.of(metric, estimate, int(rows.n.iloc[0]), int(rows.errors.sum()), note)
    return (*place, *numbers, benchmark.n_clusters, RULES, note)


def _mean(parts: Sequence[Replicated]) -> Replicated:
    """Return the mean of replicates of the same clusters."""
    values, resampled, jackknife = (np.mean(arrays, axis=0) for arrays in zip(*parts, strict=True))
    return Replicated(float(values), resampled, jackknife)


def agreement_between(
    items: Iterable[Item], verdicts_by_judge: Mapping[str, Sequence[Verdict]], settings: Statistics = DEFAULTS
) -> pd.DataFrame:
    """Return how far every two judges agree, and the mean over all pairs (`judge_a` "mean").

    Of pairs the share of equal verdicts (`agreement`) and kappa, of grades the metrics between two raters. A judge that
    contradicts itself between the orders of a pair says tie (MT-Bench's rule). `clusters` are those of all items.
    """
    asked = [dataclasses.replace(item, truth="tie" if item.protocol == "pairwise" else 0.0) for item in items]
    benchmark = benchmark_arrays(asked)  # a truth, any, for all: items that nobody labelled count here, too
    answers = {judge: _answers(benchmark, judge, verdicts) for judge, verdicts in verdicts_by_judge.items()}
    rows, of_pairs = [], []
    for one, other in itertools.combinations(answers, 2):
        sample, sides, n_errors = _shared(benchmark, answers[one], answers[other], settings)
        replicates = _between(benchmark, sample, *sides) if len(sides[0]) else {}
        of_pairs.append((replicates, n_errors))
        rows += _rows((one, other), replicates, sample, len(sides[0]), n_errors, settings)
    if len(of_pairs) > 1:
        rows += _mean_rows(benchmark, of_pairs, settings)
    return pd.DataFrame(rows, columns=list(Between._fields))


def _answers(benchmark: BenchmarkArrays, judge: str, verdicts: Iterable[Verdict]) -> np.ndarray:
    """Return one answer per item, (n_items,): a class or a grade, NaN where it is an error."""
    arrays = judge_arrays(benchmark, judge, verdicts)
    if benchmark.protocol == "pointwise":
        return arrays.scores
    codes = combined_codes(arrays)
    return np.where(codes == ERROR, np.nan, codes)


def _shared(
    benchmark: BenchmarkArrays, one: np.ndarray, other: np.ndarray, settings: Statistics
) -> tuple[Sample, tuple[np.ndarray, np.ndarray], int]:
    """Return the items that two judges have an answer to as a sample, these answers, and how many others there are."""
    shared = ~(np.isnan(one) | np.isnan(other))
    sample = Sample(benchmark.cluster[shared], benchmark.n_clusters, f"{benchmark.benchmark}/between", settings)
    return sample, (one[shared], other[shared]), int((~shared).sum())


def _between(benchmark: BenchmarkArrays, sample: Sample, one: np.ndarray, other: np.ndarray) -> dict[str, Replicated]:
    """Return the metrics between two judges with their replicates."""
    if benchmark.protocol == "pointwise":
        names = metrics_for("pointwise", "raters")
        cells = cells_of(one, other, sample.cluster, sample.n_clusters)
        whole, resampled, jackknife = replicated(cells, sample.weights, names)
        return {name: Replicated(float(whole[name][0]), resampled[name], jackknife[name]) for name in whole}
    counts = sample.count(*((one == truth) & (other == code) for truth in range(3) for code in range(4)))
    sums = (counts.sum(axis=1, keepdims=True), weighted_sums(counts, sample.weights), leave_one_out(counts))
    tables = [Outcomes.of_table(part.astype(float).reshape(3, 4, -1)) for part in sums]
    values = {name: [METRICS["pairwise"][m].function(one) for one in tables] for name, m in BETWEEN_CLASSES.items()}
    return {name: Replicated(float(value[0]), *others) for name, (value, *others) in values.items()}


def _rows(
    judges: tuple[str, str],
    replicates: Mapping[str, Replicated],
    sample: Sample,
    n: int,
    n_errors: int,
    settings: Statistics,
    note: str = "",
) -> Iterator[Between]:
    if not replicates:
        yield Between(*judges, "agreement", np.nan, np.nan, np.nan, n, n_errors, sample.n_clusters, "no shared verdict")
    for name, values in replicates.items():
        protocol = "pairwise" if name in BETWEEN_CLASSES else "pointwise"
        ends = metric_ends(
            METRICS[protocol][BETWEEN_CLASSES.get(name, name)], values, sample.clusters, settings.confidence
        )
        *numbers, why = Measurement.of(name, Estimate(values.value, *ends), n, n_errors, note)
        why = why if np.isfinite(values.value) else "undefined: one of them says the same of every item"
        yield Between(*judges, *numbers, sample.n_clusters, why)


def _mean_rows(
    benchmark: BenchmarkArrays, of_pairs: Sequence[tuple[Mapping[str, Replicated], int]], settings: Statistics
) -> Iterator[Between]:
    """Yield the mean over pairs of judges; `n` are all items, as each pair of judges shares others."""
    sample = Sample(benchmark.cluster, benchmark.n_clusters, f"{benchmark.benchmark}/between", settings)
    n_errors = sum(n for _, n in of_pairs)
    names = [name for name in of_pairs[0][0] if all(name in replicates for replicates, _ in of_pairs)]
    means = {name: _mean([replicates[name] for replicates, _ in of_pairs]) for name in names}
    note = f"mean of {len(of_pairs)} pairs of judges"
    yield from _rows((MEAN, ""), means, sample, benchmark.n_items, n_errors, settings, note)
