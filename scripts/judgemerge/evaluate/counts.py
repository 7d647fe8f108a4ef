"""What metrics are computed from: counts that add up over clusters.

Every metric is a function of such counts. The same function therefore gives the value (the counts of all clusters), the
bootstrap (weighted counts, one column per resample) and the jackknife (counts without one cluster): the leading axis of
an array is *what is counted*, the trailing axis, if any, is *which column*. The metrics are in `metrics`.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import sparse

from judgemerge.evaluate.kendall import PairSigns
from judgemerge.evaluate.metrics import METRICS
from judgemerge.evaluate.verdict_arrays import ERROR, BenchmarkArrays, JudgeArrays

CELLS_AT_ONCE = 2_000_000  # numbers of one array over cells (or clusters) and columns: 16 MB
N_CONFUSION = 2 * 3 * 4  # orders × truth classes × outcome codes
BOTH_RIGHT, CONSISTENT, N_COUNTS = N_CONFUSION, N_CONFUSION + 1, N_CONFUSION + 2


def divide(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Return the quotient, NaN where the denominator is 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(denominator == 0, np.nan, np.true_divide(numerator, denominator))


def pairwise_counts(benchmark: BenchmarkArrays, judge: JudgeArrays) -> np.ndarray:
    """Return what the pairwise metrics need, counted per cluster: (N_COUNTS, n_clusters) float64 integers.

    Rows: the two confusion tables (order, truth, outcome), items right in both orders, items with the same readable
    outcome in both orders (two errors are not consistent).
    """
    counts = np.zeros((N_COUNTS, benchmark.n_clusters))
    for order in range(2):
        row = order * 12 + benchmark.truth * 4 + judge.codes[:, order]
        np.add.at(counts, (row, benchmark.cluster), 1)
    same = (judge.codes[:, 0] == judge.codes[:, 1]) & (judge.codes[:, 0] != ERROR)
    np.add.at(counts[CONSISTENT], benchmark.cluster, same)
    np.add.at(counts[BOTH_RIGHT], benchmark.cluster, same & (judge.codes[:, 0] == benchmark.truth))
    return counts


@dataclass(frozen=True)
class Outcomes:
    """How often the truth met each outcome in some orders, one column for each set of clusters.

    `counts` is (N_COUNTS, ...), see `pairwise_counts`; `orders` are those that are counted: 0 original, 1 swapped.
    """

    counts: np.ndarray
    orders: tuple[int, ...]

    @classmethod
    def of_table(cls, table: np.ndarray) -> "Outcomes":
        """Return the outcomes of one confusion table, (3 truths, 4 outcomes, ...)."""
        counts = np.zeros((N_COUNTS, *table.shape[2:]))
        counts[:12] = table.reshape(12, *table.shape[2:])
        return cls(counts, (0,))

    @cached_property
    def table(self) -> np.ndarray:
        """The confusion table over the orders, (3 truths, 4 outcomes, ...): first, second, tie; the last is error."""
        tables = self.counts[:N_CONFUSION].reshape(2, 3, 4, *self.counts.shape[1:])
        return tables[list(self.orders)].sum(axis=0)

    @cached_property
    def n_verdicts(self) -> np.ndarray:
        """The verdicts: one for each item and order."""
        return self.table.sum(axis=(0, 1))

    @property
    def n_items(self) -> np.ndarray:
        """The items."""
        return self.n_verdicts / len(self.orders)

    @cached_property
    def hits(self) -> np.ndarray:
        """The right verdicts of each class, (3, ...)."""
        return np.stack([self.table[label, label] for label in range(3)])

    @property
    def right(self) -> np.ndarray:
        """The right verdicts."""
        return self.hits.sum(axis=0)

    @cached_property
    def support(self) -> np.ndarray:
        """How often each class is the truth, (3, ...)."""
        return self.table.sum(axis=1)

    @cached_property
    def predicted(self) -> np.ndarray:
        """How often each class is the outcome, (3, ...)."""
        return self.table[:, :3].sum(axis=0)

    @property
    def both_right(self) -> np.ndarray:
        """The items that are right in both orders."""
        return self.counts[BOTH_RIGHT]

    @property
    def consistent(self) -> np.ndarray:
        """The items with the same readable outcome in both orders."""
        return self.counts[CONSISTENT]

    def mean_over_classes(self, values: np.ndarray) -> np.ndarray:
        """Return the mean of values of each class, (3, ...), over the classes that occur in the truth."""
        present = self.support > 0
        return divide((values * present).sum(axis=0), present.sum(axis=0))


def pairwise_metrics(counts: np.ndarray, recorded: tuple[bool, bool] = (True, True)) -> dict[str, np.ndarray]:
    """Return every pairwise metric that the recorded orders define, from counts as `pairwise_counts` makes them.

    A judge asked in one order has its metrics in that order, its tie rate and its error rate; everything pooled over
    the orders would then be another quantity.
    """
    by_orders = {orders: Outcomes(counts, orders) for orders in ((0,), (1,), (0, 1))}
    orders_of = {name: metric.defined_in(recorded) for name, metric in METRICS["pairwise"].items()}
    return {name: METRICS["pairwise"][name].function(by_orders[orders]) for name, orders in orders_of.items() if orders}


@dataclass(frozen=True)
class Cells:
    """The distinct (truth, score) pairs of a set of grades, (n_cells,) each, and how often each cluster has them.

    `counts` is sparse, (n_cells, n_clusters). A five-point scale has at most 25 cells, so the sums of a resample are
    far shorter than its items; with continuous scores every item is a cell of its own, in one cluster. `sizes` are the
    unread and all items of every cluster, (2, n_clusters), where that is known; see `scale_mismatch` for the scales.
    """

    truth: np.ndarray
    score: np.ndarray
    counts: sparse.csr_array
    sizes: np.ndarray | None = None
    on_one_scale: bool = True

    @cached_property
    def truth_levels(self) -> tuple[np.ndarray, sparse.csr_array]:
        """The level of each cell on the side of the truth, and what sums cells to levels."""
        return _levels(self.truth)

    @cached_property
    def score_levels(self) -> tuple[np.ndarray, sparse.csr_array]:
        """The level of each cell on the side of the scores, and what sums cells to levels."""
        return _levels(self.score)

    @cached_property
    def pairs(self) -> PairSigns:
        """The sign products of all pairs of cells."""
        return PairSigns(self.truth, self.score)

    @cached_property
    def facts(self) -> frozenset[str]:
        """What metrics may need and these cells have."""
        whole = all(np.all(side == np.round(side)) for side in (self.truth, self.score))
        has = {"one_scale": self.on_one_scale, "whole_numbers": whole, "items": self.sizes is not None}
        return frozenset(name for name, value in has.items() if value)

    def metrics(
        self, weights: np.ndarray, names: Collection[str] | None = None, sizes: np.ndarray | None = None
    ) -> dict[str, np.ndarray]:
        """Return the metrics of weighted cells, all unless named, but those that need what the cells do not have.

        `weights` is (n_cells, n_columns): how often each cell occurs; `sizes` (2, n_columns): the unread and all items.
        """
        grades = Grades(self, weights, sizes)
        defined = [
            metric
            for name, metric in METRICS["pointwise"].items()
            if (names is None or name in names) and self.facts.issuperset(metric.needs)
        ]
        return {
            metric.name: np.where(grades.varies, metric.function(grades), np.nan)
            if metric.correlation
            else metric.function(grades)
            for metric in defined
        }


@dataclass(frozen=True)
class Grades:
    """Truths and scores of cells, (n_cells,) each, with weights, (n_cells, n_columns), and the sizes of the columns."""

    cells: Cells
    weights: np.ndarray
    sizes: np.ndarray | None = None

    @property
    def truth(self) -> np.ndarray:
        """The truth of each cell."""
        return self.cells.truth

    @property
    def score(self) -> np.ndarray:
        """The score of each cell."""
        return self.cells.score

    @property
    def levels(self) -> tuple[np.ndarray, np.ndarray]:
        """The level of each cell among the different truths, and among the different scores."""
        return self.cells.truth_levels[0], self.cells.score_levels[0]

    @cached_property
    def level_weights(self) -> tuple[np.ndarray, np.ndarray]:
        """How often each level occurs, of the truth and of the score, (n_levels, n_columns) each."""
        return tuple(sums @ self.weights for _, sums in (self.cells.truth_levels, self.cells.score_levels))

    @cached_property
    def varies(self) -> np.ndarray:
        """Whether both sides have more than one level in a column."""
        return np.logical_and(*((weight > 0).sum(axis=0) > 1 for weight in self.level_weights))

    @property
    def n_unread(self) -> np.ndarray:
        """The items without a readable score in each column."""
        return self.sizes[0]

    @property
    def n_items(self) -> np.ndarray:
        """The items in each column."""
        return self.sizes[1]


def cells_of(truth: np.ndarray, score: np.ndarray, cluster: np.ndarray, n_clusters: int) -> Cells:
    """Return the cells of grades: `truth`, `score` and `cluster` (0 … n_clusters − 1) are (n_units,)."""
    pairs, index = np.unique(np.column_stack([truth, score]), axis=0, return_inverse=True)
    places = (index.reshape(-1), cluster)
    counts = sparse.csr_array((np.ones(len(cluster)), places), shape=(len(pairs), n_clusters))
    counts.sum_duplicates()
    return Cells(pairs[:, 0], pairs[:, 1], counts)


def pointwise_cells(benchmark: BenchmarkArrays, judge: JudgeArrays) -> Cells:
    """Return the cells of what one judge said about a benchmark; errors are left out, but counted in the sizes."""
    readable = ~np.isnan(judge.scores)
    cells = cells_of(
        benchmark.truth[readable], judge.scores[readable], benchmark.cluster[readable], benchmark.n_clusters
    )
    unread = np.bincount(benchmark.cluster[~readable], minlength=benchmark.n_clusters)
    sizes = np.stack([unread, benchmark.cluster_sizes]).astype(float)
    on_two_scales, _ = scale_mismatch(benchmark.truth[readable], judge.scores[readable])
    return replace(cells, sizes=sizes, on_one_scale=not on_two_scales)


def pointwise_metrics(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return `Cells.metrics` of cells (n_cells,) with weights (n_cells, n_columns)."""
    return Cells(truth, score, sparse.csr_array((len(truth), 0))).metrics(weights)


class Replicates(NamedTuple):
    """Metrics by name: of all clusters, (1,), of every resample, (n_resamples,), without each, (n_clusters,)."""

    whole: dict[str, np.ndarray]
    resampled: dict[str, np.ndarray]
    jackknife: dict[str, np.ndarray]


def replicated(cells: Cells, weights: np.ndarray, names: Collection[str] | None = None) -> Replicates:
    """Return the metrics of cells with their replicates; `weights` is (n_resamples, n_clusters).

    Columns are taken so many at a time that no array has more than CELLS_AT_ONCE numbers.
    """
    counts, sizes = cells.counts, np.zeros((2, cells.counts.shape[1])) if cells.sizes is None else cells.sizes
    whole = np.asarray(counts.sum(axis=1), dtype=float).reshape(len(cells.truth), 1)
    all_items = sizes.sum(axis=1, keepdims=True)
    step = max(1, CELLS_AT_ONCE // max(counts.shape[0], counts.shape[1], 1))

    def resampled(start: int) -> tuple[np.ndarray, np.ndarray]:
        columns = weights[start : start + step].astype(float).T
        return counts @ columns, sizes @ columns

    def without_one(start: int) -> tuple[np.ndarray, np.ndarray]:
        columns = slice(start, start + step)
        return whole - counts[:, columns].toarray(), all_items - sizes[:, columns]

    def in_steps(part_from: Callable[[int], tuple[np.ndarray, np.ndarray]], n_columns: int) -> dict[str, np.ndarray]:
        parts = []
        for start in range(0, max(n_columns, 1), step):
            of_cells, of_items = part_from(start)
            parts.append(cells.metrics(of_cells, names, of_items))
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return Replicates(
        cells.metrics(whole, names, all_items),
        in_steps(resampled, len(weights)),
        in_steps(without_one, counts.shape[1]),
    )


def scale_mismatch(truth: np.ndarray, score: np.ndarray) -> tuple[bool, str]:
    """Return whether a judge's scores are on another scale than people's grades, and what is to be said about it.

    They are when fewer than a quarter of the scores, (n_units,), lie between the lowest and the highest grade, and one
    range is more than twice as wide as the other: 0 to 1 beside 1 to 6, or a number of characters. With fewer than half
    of the scores there, both may still be meant as the same scale; that is said, and nothing is left out. A side that
    is constant has no scale.
    """
    if not len(score) or np.ptp(truth) == 0 or np.ptp(score) == 0:
        return False, ""
    inside = np.mean((score >= truth.min()) & (score <= truth.max()))
    widths = np.ptp(truth), np.ptp(score)
    if inside >= 0.5 or max(widths) <= 2 * min(widths):
        return False, ""
    grades, scores = (f"from {side.min():.4g} to {side.max():.4g}" for side in (truth, score))
    ranges = f"people grade {grades}, the judge {scores}"
    if inside < 0.25:
        return True, f"not on one scale: {ranges}"
    return False, f"perhaps not on one scale: {ranges}"


def _levels(values: np.ndarray) -> tuple[np.ndarray, sparse.csr_array]:
    """Return the level of each cell, (n_cells,), and the matrix that sums cells to levels, (n_levels, n_cells)."""
    levels, index = np.unique(values, return_inverse=True)
    index = index.reshape(-1)
    of_cells = (np.ones(len(values)), (index, np.arange(len(values))))
    return index, sparse.csr_array(of_cells, shape=(len(levels), len(values)))
