"""Agreement of a judge with the truth, computed from sums over clusters.

Every metric is a function of counts that add up over clusters. The same function therefore gives the value (the
counts of all clusters), the bootstrap (weighted counts, one column per resample) and the jackknife (counts without one
cluster): the leading axis of an array is *what is counted*, the trailing axis, if any, is *which resample*.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import sparse

from judgemerge.evaluate.arrays import ERROR, BenchmarkArrays, JudgeArrays
from judgemerge.evaluate.kendall import PairSigns

TABLE_METRICS = ("macro_precision", "macro_recall", "macro_f1", "kappa")  # of a confusion table
ORDER_NAMES = ("first", "swapped")  # as metrics of one order are called
PAIRWISE_METRICS = (
    "accuracy_first",
    "accuracy_swapped",
    "accuracy",
    "accuracy_both",
    "consistency",
    *TABLE_METRICS,
    "tie_rate",
    "error_rate",
    *(f"{name}_{order}" for order in ORDER_NAMES for name in TABLE_METRICS),
)
SAME_SCALE = ("mae", "kappa_quadratic")  # mean nothing when judge and people use different scales
POINTWISE_METRICS = ("pearson", "spearman", "kendall", "mae", "kappa_quadratic", "error_rate")
PROPORTIONS = (
    "accuracy_first",
    "accuracy_swapped",
    "accuracy",
    "accuracy_both",
    "consistency",
    "tie_rate",
    "error_rate",
)

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


def pairwise_metrics(counts: np.ndarray, recorded: tuple[bool, bool] = (True, True)) -> dict[str, np.ndarray]:
    """Return every pairwise metric from counts as `pairwise_counts` makes them, (N_COUNTS, ...) → (...).

    Only metrics that the recorded orders define are in the result. A judge asked in one order has its accuracy, macro
    means and kappa in that order, its tie rate and its error rate; everything pooled over the orders would then be
    another quantity.
    """
    table = counts[:N_CONFUSION].reshape(2, 3, 4, *counts.shape[1:])
    n_items = table[0].sum(axis=(0, 1))
    right = table[:, 0, 0] + table[:, 1, 1] + table[:, 2, 2]
    asked = [order for order in range(2) if recorded[order]]
    result = {}
    for order in asked:
        result[f"accuracy_{ORDER_NAMES[order]}"] = divide(right[order], n_items)
        result |= {f"{name}_{ORDER_NAMES[order]}": value for name, value in confusion_metrics(table[order]).items()}
    if all(recorded):
        result["accuracy"] = divide(right[0] + right[1], 2 * n_items)
        result["accuracy_both"] = divide(counts[BOTH_RIGHT], n_items)
        result["consistency"] = divide(counts[CONSISTENT], n_items)
        result |= confusion_metrics(table[0] + table[1])
    if asked:
        result["tie_rate"] = divide(table[asked, :, 2].sum(axis=(0, 1)), len(asked) * n_items)
        result["error_rate"] = divide(table[asked, :, 3].sum(axis=(0, 1)), len(asked) * n_items)
    return result


def confusion_metrics(table: np.ndarray) -> dict[str, np.ndarray]:
    """Return macro precision, recall and F1 and Cohen's kappa of a confusion table (3 truths, 4 outcomes, ...).

    The macro means run over the classes that occur in the truth (of the resample); a class never predicted has
    precision and F1 0. An error is a prediction outside the classes: it costs recall, and for kappa it is a class of
    its own that the truth never uses. Kappa is undefined when chance agreement is 1 (Cohen 1960).
    """
    support = table.sum(axis=1)
    predicted = table[:, :3].sum(axis=0)
    true = np.stack([table[k, k] for k in range(3)])
    total = support.sum(axis=0)
    present = support > 0
    n_present = present.sum(axis=0)
    precision = np.where(predicted > 0, true / np.maximum(predicted, 1), 0)
    recall = true / np.maximum(support, 1)
    f1 = 2 * true / np.maximum(support + predicted, 1)
    observed = divide(true.sum(axis=0), total)
    chance = divide((support * predicted).sum(axis=0), total * total)
    return {
        "macro_precision": divide((precision * present).sum(axis=0), n_present),
        "macro_recall": divide((recall * present).sum(axis=0), n_present),
        "macro_f1": divide((f1 * present).sum(axis=0), n_present),
        "kappa": divide(observed - chance, 1 - chance),
    }


@dataclass(frozen=True)
class Cells:
    """The distinct (truth, score) pairs of a set of grades, (n_cells,) each, and how often each cluster has them.

    `counts` is sparse, (n_cells, n_clusters). A five-point scale has at most 25 cells, so the sums of a resample are
    far shorter than its items; with continuous scores every item is a cell of its own, in one cluster.
    """

    truth: np.ndarray
    score: np.ndarray
    counts: sparse.csr_array

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

    def metrics(self, weights: np.ndarray, names: Collection[str] = POINTWISE_METRICS) -> dict[str, np.ndarray]:
        """Return Pearson, Spearman, Kendall tau-b, mean absolute error and quadratic kappa of weighted cells.

        `weights` is (n_cells, n_columns): how often each cell occurs; `names` leaves out the others. A correlation is
        NaN when either side is constant. Quadratic kappa (Cohen 1968) is there only when all truths and scores are
        whole numbers; the scale is then every whole number between the extremes, as in scikit-learn with
        `labels=range(...)`.
        """
        truth, score = self.truth, self.score
        correlations = {}
        if not {"pearson", "spearman", "kendall"}.isdisjoint(names):
            level_weights = [of_cells @ weights for _, of_cells in (self.truth_levels, self.score_levels)]
            varies = np.logical_and(*((weight > 0).sum(axis=0) > 1 for weight in level_weights))
            if "pearson" in names:
                correlations["pearson"] = _pearson(truth, score, weights)
            if "spearman" in names:
                levels = self.truth_levels[0], self.score_levels[0]
                correlations["spearman"] = _spearman(levels, level_weights, weights)
            if "kendall" in names:
                correlations["kendall"] = _kendall(self.pairs, level_weights, weights)
        result = {name: np.where(varies, values, np.nan) for name, values in correlations.items()}
        if "mae" in names:
            result["mae"] = divide(np.abs(truth - score) @ weights, weights.sum(axis=0))
        whole = np.all(truth == np.round(truth)) and np.all(score == np.round(score))
        if "kappa_quadratic" in names and whole:
            result["kappa_quadratic"] = _kappa_quadratic(truth, score, weights)
        return result


def cells_of(truth: np.ndarray, score: np.ndarray, cluster: np.ndarray, n_clusters: int) -> Cells:
    """Return the cells of grades: `truth`, `score` and `cluster` (0 … n_clusters − 1) are (n_units,)."""
    pairs, index = np.unique(np.column_stack([truth, score]), axis=0, return_inverse=True)
    places = (index.reshape(-1), cluster)
    counts = sparse.csr_array((np.ones(len(cluster)), places), shape=(len(pairs), n_clusters))
    counts.sum_duplicates()
    return Cells(pairs[:, 0], pairs[:, 1], counts)


def pointwise_cells(benchmark: BenchmarkArrays, judge: JudgeArrays) -> Cells:
    """Return the cells of what one judge said about a benchmark; errors are left out."""
    readable = ~np.isnan(judge.scores)
    cluster = benchmark.cluster[readable]
    return cells_of(benchmark.truth[readable], judge.scores[readable], cluster, benchmark.n_clusters)


def pointwise_metrics(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return `Cells.metrics` of cells (n_cells,) with weights (n_cells, n_columns)."""
    return Cells(truth, score, sparse.csr_array((len(truth), 0))).metrics(weights)


def replicated(
    cells: Cells, weights: np.ndarray, names: Collection[str] = POINTWISE_METRICS
) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the metrics of all clusters, (1,), of every resample, (n_resamples,), and without each, (n_clusters,).

    `weights` is (n_resamples, n_clusters). Columns are taken so many at a time that no array has more than
    CELLS_AT_ONCE numbers.
    """
    counts, n_cells = cells.counts, len(cells.truth)
    whole = np.asarray(counts.sum(axis=1), dtype=float).reshape(n_cells, 1)
    step = max(1, CELLS_AT_ONCE // max(counts.shape[0], counts.shape[1], 1))

    def resampled(start: int) -> np.ndarray:
        return counts @ weights[start : start + step].astype(float).T

    def without_one(start: int) -> np.ndarray:
        return whole - counts[:, start : start + step].toarray()

    def columns(make: Callable[[int], np.ndarray], n_columns: int) -> dict[str, np.ndarray]:
        parts = [cells.metrics(make(start), names) for start in range(0, max(n_columns, 1), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}

    return (
        cells.metrics(whole, names),
        columns(resampled, len(weights)),
        columns(without_one, counts.shape[1]),
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


def _moments(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean truth, mean score, and the population variances and covariance, each (...)."""
    total = weights.sum(axis=0)
    columns = np.stack([truth, score, truth * truth, score * score, truth * score])
    mean_t, mean_s, square_t, square_s, product = divide(columns @ weights, total)
    return mean_t, mean_s, square_t - mean_t**2, square_s - mean_s**2, product - mean_t * mean_s


def _pearson(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if not len(truth):
        return np.full(weights.shape[1:], np.nan)
    # Centred and scaled first: the variance is a difference of squares, which would cancel for scores far from 0,
    # and be lost for tiny ones.
    centred = (side - side.mean() for side in (truth, score))
    scaled = (side / (np.abs(side).max() or 1) for side in centred)
    _, _, variance_t, variance_s, covariance = _moments(*scaled, weights)
    return np.clip(divide(covariance, np.sqrt(np.maximum(variance_t * variance_s, 0))), -1, 1)


def _spearman(levels: Sequence[np.ndarray], level_weights: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Pearson correlation of weighted midranks; a level's midrank is the weight below it plus half its own."""
    half = weights.sum(axis=0) / 2  # the weighted mean of the midranks
    truth_rank, score_rank = (np.cumsum(weight, axis=0) - weight / 2 - half for weight in level_weights)
    covariance = np.einsum("ij,ij,ij->j", weights, truth_rank[levels[0]], score_rank[levels[1]])
    spreads = (
        np.einsum("ij,ij,ij->j", weight, rank, rank)
        for weight, rank in zip(level_weights, (truth_rank, score_rank), strict=True)
    )
    return np.clip(divide(covariance, np.sqrt(np.prod(list(spreads), axis=0))), -1, 1)


def _kendall(pairs: PairSigns, level_weights: Sequence[np.ndarray], weights: np.ndarray) -> np.ndarray:
    """Tau-b (Kendall 1945): concordant minus discordant pairs, over the pairs that each side does not tie."""
    square = weights.sum(axis=0) ** 2
    untied = [square - np.einsum("ij,ij->j", weight, weight) for weight in level_weights]
    return np.clip(divide(pairs.difference(weights), np.sqrt(untied[0] * untied[1])), -1, 1)


def _kappa_quadratic(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1 − observed / chance squared distance; chance has a closed form in the moments, so no table is needed."""
    if not len(truth):
        return np.full(weights.shape[1:], np.nan)
    mean_t, mean_s, variance_t, variance_s, covariance = _moments(truth - truth.mean(), score - truth.mean(), weights)
    gap = (mean_t - mean_s) ** 2
    chance = variance_t + variance_s + gap
    return np.where(chance > 1e-12, 1 - divide(chance - 2 * covariance, chance), np.nan)
