"""Every metric of every judge on one benchmark, with intervals: the rows of scores/{benchmark}.csv."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.bootstrap import (
    Clusters,
    Replicated,
    generator,
    leave_one_out,
    resampling_weights,
    weighted_sums,
)
from judgemerge.evaluate.correlation_levels import LEVEL_METRICS, Level, correlations_by_level
from judgemerge.evaluate.counts import (
    pairwise_counts,
    pairwise_metrics,
    pointwise_cells,
    replicated,
    scale_mismatch,
)
from judgemerge.evaluate.estimates import DEFAULTS, Estimate, Measurement, metric_ends
from judgemerge.evaluate.metrics import METRICS, PROTOCOLS
from judgemerge.evaluate.verdict_arrays import ERROR, BenchmarkArrays, JudgeArrays, benchmark_arrays, judge_arrays
from judgemerge.settings.report import Statistics

RULES = "house"
COLUMNS = ("judge", "benchmark", "protocol", *Measurement._fields[:-1], "clusters", "rules", "note")
# With fewer effective clusters intervals may be too narrow (benchmarks/results/coverage.md).
FEWEST_OF_PROPORTION, FEWEST = 10, 20
TOO_NARROW = "the interval may be too narrow"
PAIRWISE, POINTWISE = (METRICS[protocol] for protocol in PROTOCOLS)


@dataclass(frozen=True)
class JudgeStatistics:
    """Every metric of one judge: its value, its value in every resample, and without each cluster.

    `values` maps metric → float, `resampled` metric → (n_resamples,), `jackknife` metric → (n_clusters,). A metric that
    the recorded orders do not define is in none of them. `levels` says of some metrics how many things they correlate.
    """

    arrays: JudgeArrays
    values: dict[str, float]
    resampled: dict[str, np.ndarray]
    jackknife: dict[str, np.ndarray]
    levels: dict[str, Level] = field(default_factory=dict)

    def replicates(self, metric: str) -> Replicated:
        """Return a metric that is defined, with its resamples and without each cluster."""
        return Replicated(self.values[metric], self.resampled[metric], self.jackknife[metric])


@dataclass(frozen=True)
class BenchmarkStatistics:
    """What scores, comparisons and breakdowns of one benchmark share: items, judges, and the same resamples for all."""

    benchmark: BenchmarkArrays
    judges: dict[str, JudgeStatistics]
    clusters: Clusters
    confidence: float


def benchmark_statistics(
    items: Iterable[Item],
    verdicts_by_judge: Mapping[str, Iterable[Verdict]],
    settings: Statistics,
    grade_metrics: Collection[str] | None = None,
) -> BenchmarkStatistics:
    """Return the statistics of every judge over one shared matrix of cluster weights.

    `grade_metrics` are those of a pointwise benchmark that are asked for, all unless given: Kendall's tau alone takes
    more than the others.
    Peak memory is about 2 bytes × resamples × n_clusters plus 300 MB: 0.6 GB for 10,000 × 14,000.
    """
    benchmark = benchmark_arrays(items)
    rng = generator(settings.seed, benchmark.benchmark)
    weights = resampling_weights(benchmark.n_clusters, settings.resamples, rng)
    every = {judge: judge_arrays(benchmark, judge, verdicts) for judge, verdicts in verdicts_by_judge.items()}
    judges = {
        judge: judge_statistics(benchmark, arrays, weights, grade_metrics, settings.group_by)
        for judge, arrays in every.items()
    }
    return BenchmarkStatistics(benchmark, judges, Clusters(benchmark.cluster_sizes), settings.confidence)


def judge_statistics(
    benchmark: BenchmarkArrays,
    judge: JudgeArrays,
    weights: np.ndarray,
    grade_metrics: Collection[str] | None = None,
    group_by: str = "cluster",
) -> JudgeStatistics:
    """Return the metrics of one judge for the items, for every resample and without every cluster.

    Correlations of the summary level are taken within the groups of `group_by`.
    """
    if benchmark.n_items == 0 or not any(judge.recorded):
        return JudgeStatistics(judge, {}, {}, {})
    if benchmark.protocol == "pairwise":
        whole, resampled, jackknife = _pairwise(benchmark, judge, weights)
    else:
        whole, resampled, jackknife = replicated(pointwise_cells(benchmark, judge), weights, grade_metrics)
    values = {name: float(value[0]) for name, value in whole.items()}
    by_metric = {}
    if benchmark.protocol == "pointwise" and set(LEVEL_METRICS) & set(
        LEVEL_METRICS if grade_metrics is None else grade_metrics
    ):
        by_metric = correlations_by_level(benchmark, judge, weights, group_by)
    for name, level in by_metric.items():
        values[name] = level.values[name]
        resampled[name], jackknife[name] = level.resampled[name], level.jackknife[name]
    return JudgeStatistics(judge, values, resampled, jackknife, by_metric)


def _pairwise(benchmark: BenchmarkArrays, judge: JudgeArrays, weights: np.ndarray) -> tuple[dict, dict, dict]:
    counts = pairwise_counts(benchmark, judge)
    return tuple(
        pairwise_metrics(sums.astype(float), judge.recorded)
        for sums in (counts.sum(axis=1, keepdims=True), weighted_sums(counts, weights), leave_one_out(counts))
    )


def _readable(benchmark: BenchmarkArrays, judge: JudgeArrays) -> tuple[np.ndarray, np.ndarray]:
    """Return the truth and the score of every item with a readable verdict."""
    readable = ~np.isnan(judge.scores)
    return benchmark.truth[readable], judge.scores[readable]


def score_benchmark(
    items: Iterable[Item],
    verdicts_by_judge: Mapping[str, Iterable[Verdict]],
    settings: Statistics = DEFAULTS,
    metrics: Collection[str] | None = None,
) -> pd.DataFrame:
    """Return one row per judge and metric (all of the protocol unless given): value, interval, n, errors, and why not.

    `n` is the number of items with texts, the same for every judge, `clusters` that of the prompts that they share;
    `errors` counts the erroneous verdicts in the orders that the metric uses (a missing verdict is one). Intervals:
    `bootstrap.py`; the note of one that may be too narrow says so.
    """
    return score_rows(benchmark_statistics(items, verdicts_by_judge, settings, metrics), metrics)


def score_rows(statistics: BenchmarkStatistics, metrics: Collection[str] | None = None) -> pd.DataFrame:
    """Return what `score_benchmark` does, of statistics that are there."""
    on_levels = {name for judge in statistics.judges.values() for name in judge.levels}
    every = [*METRICS[statistics.benchmark.protocol], *(name for name in LEVEL_METRICS if name in on_levels)]
    names = [name for name in every if metrics is None or name in metrics]
    rows = [_row(statistics, judge, metric) for judge in statistics.judges.values() for metric in names]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _row(statistics: BenchmarkStatistics, judge: JudgeStatistics, metric: str) -> tuple:
    benchmark = statistics.benchmark
    value = judge.values.get(metric, np.nan)
    ends = (np.nan, np.nan)
    if np.isfinite(value):
        ends = metric_interval(statistics, judge, metric)
    note = value_note(benchmark, judge, metric)
    note = note or interval_note(statistics, metric, bool(np.isfinite(ends[0])))
    n = judge.levels[metric].n if metric in judge.levels else benchmark.n_items
    errors = count_errors(benchmark, judge.arrays, metric)
    *numbers, note = Measurement.of(metric, Estimate(value, *ends), n, errors, note)
    place = (judge.arrays.judge, benchmark.benchmark, benchmark.protocol)
    return (*place, *numbers, benchmark.n_clusters, RULES, note)


def metric_interval(statistics: BenchmarkStatistics, judge: JudgeStatistics, metric: str) -> tuple[float, float]:
    """Return the interval of one metric (`metric_ends`); correlations of levels, of a few systems, have BCa."""
    declared = None if metric in LEVEL_METRICS else METRICS[statistics.benchmark.protocol][metric]
    return metric_ends(declared, judge.replicates(metric), statistics.clusters, statistics.confidence)


def interval_note(statistics: BenchmarkStatistics, metric: str, is_defined: bool) -> str:
    """Return why a value has no interval, or that its interval may be too narrow; empty when neither."""
    clusters = statistics.clusters
    if not is_defined:
        return "one cluster: no interval" if clusters.n < 2 else "the same in every resample: no interval"
    proportion = metric not in LEVEL_METRICS and METRICS[statistics.benchmark.protocol][metric].proportion
    if clusters.effective >= (FEWEST_OF_PROPORTION if proportion else FEWEST):
        return ""
    alike = f"{clusters.n} clusters that say as much as {clusters.effective:.1f} equal ones"
    return f"{alike}: {TOO_NARROW}"


def count_errors(benchmark: BenchmarkArrays, judge: JudgeArrays, metric: str) -> int:
    """Return the erroneous verdicts in the orders that a metric uses."""
    if benchmark.protocol == "pointwise":
        return int(np.isnan(judge.scores).sum()) if any(judge.recorded) else 0
    recorded_orders = [order for order in PAIRWISE[metric].columns if judge.recorded[order]]
    return int((judge.codes[:, recorded_orders] == ERROR).sum())


def value_note(benchmark: BenchmarkArrays, judge: JudgeStatistics, metric: str) -> str:
    """Return why a value is undefined, or in what it departs from the metric's definition; empty when neither."""
    recorded = judge.arrays.recorded
    if not benchmark.n_items and benchmark.n_without_truth:
        return "no item has a gold label"
    if not any(recorded):
        has_texts = any(item.judgeable for item in benchmark.items)
        return "no verdict was recorded" if has_texts else "no item has its texts"
    if benchmark.protocol == "pointwise":
        note = _pointwise_note(benchmark, judge.arrays, metric, judge.values.get(metric, np.nan))
        return note or (judge.levels[metric].note if metric in judge.levels else "")
    if metric in judge.values and not np.isfinite(judge.values[metric]):
        return PAIRWISE[metric].undefined
    if all(recorded) or (metric in judge.values and PAIRWISE[metric].orders != "recorded"):
        return ""
    return f"only the {'original' if recorded[0] else 'swapped'} order was recorded"


def _pointwise_note(benchmark: BenchmarkArrays, judge: JudgeArrays, metric: str, value: float) -> str:
    truth, score = _readable(benchmark, judge)
    needs = () if metric in LEVEL_METRICS else POINTWISE[metric].needs
    different, scales = scale_mismatch(truth, score) if "one_scale" in needs else (False, "")
    if np.isfinite(value):
        return scales
    if metric in LEVEL_METRICS:
        return "fewer than two systems or groups with different grades and scores"
    if not len(score):
        return "every verdict is an error"
    if "whole_numbers" in needs and not _whole(truth, score):
        return "truth or scores are not whole numbers"
    if different:
        return scales
    if POINTWISE[metric].correlation and np.ptp(score) == 0:
        return "the judge's scores are constant"
    if POINTWISE[metric].correlation and np.ptp(truth) == 0:
        return "the truth is constant"
    return POINTWISE[metric].undefined


def _whole(*arrays: np.ndarray) -> bool:
    return all(np.all(array == np.round(array)) for array in arrays)
