"""A number with its interval, for any set of items: what the tables about people and about bias are made of.

`score.py` shares one matrix of weights among all judges of a benchmark. Here the items are a part of a benchmark (one
annotator's, one category's), so each part draws its own weights over its own clusters.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from judgemerge.evaluate.bootstrap import (
    Clusters,
    Replicated,
    bca_interval,
    fisher_interval,
    generator,
    leave_one_out,
    proportion_interval,
    resampling_weights,
    weighted_sums,
)
from judgemerge.evaluate.counts import Cells, Outcomes, divide, replicated
from judgemerge.evaluate.metrics import METRICS, Metric, metrics_for
from judgemerge.settings.report import Statistics

DECIMALS = 12  # rounds away what BLAS libraries add in different orders, so that tables are the same everywhere
DEFAULTS = Statistics()


@dataclass(frozen=True)
class Sample:
    """The clusters of a set of units (items, votes, verdicts) and their resamples.

    `cluster` is (n_units,): 0 … n_clusters − 1. `name` keeps the draws of different tables apart.
    """

    cluster: np.ndarray
    n_clusters: int
    name: str
    settings: Statistics

    @cached_property
    def weights(self) -> np.ndarray:
        """How often each cluster is drawn, (n_resamples, n_clusters); drawn at first use: proportions need none."""
        rng = generator(self.settings.seed, self.name)
        return resampling_weights(self.n_clusters, self.settings.resamples, rng)

    @cached_property
    def clusters(self) -> Clusters:
        """The clusters with their sizes."""
        return Clusters(np.bincount(self.cluster, minlength=self.n_clusters))

    def count(self, *values: np.ndarray) -> np.ndarray:
        """Return the sums of each (n_units,) array over clusters: (n_values, n_clusters)."""
        if not values:
            return np.zeros((0, self.n_clusters))
        return np.stack([np.bincount(self.cluster, weights=value, minlength=self.n_clusters) for value in values])


@dataclass(frozen=True)
class Estimate:
    """A value and the ends of its interval; NaN where undefined."""

    value: float
    low: float
    high: float

    def columns(self) -> dict[str, float]:
        """Return the columns value, ci_low and ci_high, rounded so that every machine writes the same digits."""
        value, low, high = np.round([self.value, self.low, self.high], DECIMALS) + 0.0  # + 0.0 makes −0.0 into 0.0
        return {"value": value, "ci_low": low, "ci_high": high}


UNDEFINED = Estimate(np.nan, np.nan, np.nan)


class Measurement(NamedTuple):
    """One metric with its interval: of `n` things, `errors` could not be read; the note says why a value is missing."""

    metric: str
    value: float
    ci_low: float
    ci_high: float
    n: int
    errors: int
    note: str = ""

    @classmethod
    def of(cls, metric: str, estimate: Estimate, n: int, errors: int = 0, note: str = "") -> "Measurement":
        """Return the measurement of an estimate, rounded as in tables."""
        return cls(metric, **estimate.columns(), n=n, errors=errors, note=note)


def table_of(kind: type, rows: Iterable[Any], numbers: Sequence[str] = ("value", "ci_low", "ci_high")) -> pd.DataFrame:
    """Return rows of a NamedTuple as a table, `numbers` rounded so that every machine writes the same digits."""
    table = pd.DataFrame(list(rows), columns=list(kind._fields))
    numbers = list(numbers)
    table[numbers] = table[numbers].astype(float).round(DECIMALS) + 0.0  # + 0.0 makes −0.0 into 0.0
    return table


def mean_of(parts: Sequence[Estimate]) -> Estimate:
    """Return the mean of estimates from samples that do not know each other.

    The interval is Zou and Donner's (2008, doi:10.1002/sim.3095): distances from value to end, squared and added, which
    keeps what is lopsided. One undefined value leaves the mean undefined, one undefined end its interval.
    """
    values, lows, highs = (np.array([getattr(part, name) for part in parts]) for name in ("value", "low", "high"))
    mean = float(values.mean())
    below, above = (float(np.sqrt(((values - ends) ** 2).sum()) / len(parts)) for ends in (lows, highs))
    return Estimate(mean, mean - below, mean + above)


def draw_sample(clusters: Sequence[str], name: str, settings: Statistics) -> Sample:
    """Return the sample of units with these cluster names; `name` keeps the draws of different tables apart."""
    names, cluster = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    return Sample(cluster.astype(int), len(names), name, settings)


def estimate(
    sample: Sample, counts: np.ndarray, function: Callable[[np.ndarray], np.ndarray], proportion: bool = False
) -> Estimate:
    """Return function(counts of all clusters) with its interval: Wilson's for a proportion, else BCa.

    `counts` is (n_counts, n_clusters); `function` maps (n_counts, ...) to (...).
    """
    if sample.n_clusters == 0:
        return UNDEFINED
    value = float(function(counts.sum(axis=1, keepdims=True))[0])
    jackknife = function(leave_one_out(counts))
    if proportion:
        ends = proportion_interval(value, jackknife, sample.clusters, sample.settings.confidence)
    else:
        resampled = function(weighted_sums(counts, sample.weights).astype(float))
        ends = bca_interval(value, resampled, jackknife, sample.clusters, sample.settings.confidence)
    return Estimate(value, *ends)


def metric_ends(
    metric: Metric | None, replicates: Replicated, clusters: Clusters, confidence: float
) -> tuple[float, float]:
    """Return the interval of a metric: Wilson's of a proportion, Fisher's of a correlation, else BCa."""
    value, resampled, jackknife = replicates
    if metric is not None and metric.proportion:
        return proportion_interval(value, jackknife, clusters, confidence)
    if metric is not None and (metric.correlation or metric.fisher):
        return fisher_interval(value, jackknife, clusters, confidence)
    return bca_interval(value, resampled, jackknife, clusters, confidence)


def grade_estimates(sample: Sample, cells: Cells, names: Sequence[str]) -> dict[str, Estimate]:
    """Return the pointwise metrics of these names with intervals; undefined ones where there is no cluster."""
    if sample.n_clusters == 0 or not len(cells.truth):
        return dict.fromkeys(names, UNDEFINED)
    whole, resampled, jackknife = replicated(cells, sample.weights, names)
    confidence = sample.settings.confidence
    result = {}
    for name in names:
        value = float(whole[name][0])
        replicates = Replicated(value, resampled[name], jackknife[name])
        ends = metric_ends(METRICS["pointwise"][name], replicates, sample.clusters, confidence)
        result[name] = Estimate(value, *ends)
    return result


def proportion(sample: Sample, hits: np.ndarray) -> Estimate:
    """Return the mean of hits, (n_units,) between 0 and 1, with Wilson's interval."""
    counts = sample.count(hits, np.ones(len(sample.cluster)))
    return estimate(sample, counts, lambda sums: divide(sums[0], sums[1]), proportion=True)


def confusion_estimates(sample: Sample, truth: np.ndarray, outcome: np.ndarray) -> dict[str, Estimate]:
    """Return the metrics between two raters, with intervals, of class codes, (n_units,) each."""
    counts = sample.count(*((truth == label) & (outcome == code) for label in range(3) for code in range(4)))
    return {
        name: estimate(sample, counts, _of_confusion(name), METRICS["pairwise"][name].proportion)
        for name in metrics_for("pairwise", "raters")
    }


def _of_confusion(metric: str) -> Callable[[np.ndarray], np.ndarray]:
    function = METRICS["pairwise"][metric].function
    return lambda sums: function(Outcomes.of_table(sums.reshape(3, 4, *sums.shape[1:])))
