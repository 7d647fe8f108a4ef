"""Agreement of a judge with the truth, computed from sums over clusters.

Every metric is a function of counts that add up over clusters. The same function therefore gives the value (the
counts of all clusters), the bootstrap (weighted counts, one column per resample) and the jackknife (counts without one
cluster): the leading axis of an array is *what is counted*, the trailing axis, if any, is *which resample*.
"""

import numpy as np

from judgemerge.agreement.arrays import ERROR, BenchmarkArrays, JudgeArrays

PAIRWISE_METRICS = (
    "accuracy_first",
    "accuracy_swapped",
    "accuracy",
    "accuracy_both",
    "consistency",
    "macro_precision",
    "macro_recall",
    "macro_f1",
    "kappa",
    "tie_rate",
    "error_rate",
)
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

    Only metrics that the recorded orders define are in the result. A judge asked in one order has its accuracy in that
    order, its tie rate and its error rate; everything pooled over the orders would then be another quantity.
    """
    table = counts[:N_CONFUSION].reshape(2, 3, 4, *counts.shape[1:])
    n_items = table[0].sum(axis=(0, 1))
    right = table[:, 0, 0] + table[:, 1, 1] + table[:, 2, 2]
    asked = [order for order in range(2) if recorded[order]]
    result = {}
    for order, name in enumerate(("accuracy_first", "accuracy_swapped")):
        if recorded[order]:
            result[name] = divide(right[order], n_items)
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


def pointwise_cells(benchmark: BenchmarkArrays, judge: JudgeArrays) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the distinct (truth, score) pairs and their counts per cluster; errors are left out.

    Shapes (n_cells,), (n_cells,), (n_cells, n_clusters). A five-point scale has at most 25 cells, so the sums of a
    resample are far shorter than its items; with continuous scores every item is a cell of its own.
    """
    readable = ~np.isnan(judge.scores)
    pairs = np.column_stack([benchmark.truth[readable], judge.scores[readable]])
    cells, index = np.unique(pairs, axis=0, return_inverse=True)
    counts = np.zeros((len(cells), benchmark.n_clusters))
    np.add.at(counts, (index.reshape(-1), benchmark.cluster[readable]), 1)
    return cells[:, 0], cells[:, 1], counts


def pointwise_metrics(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Return Pearson, Spearman, Kendall tau-b, mean absolute error and quadratic kappa of weighted cells.

    `truth` and `score` are (n_cells,), `weights` (n_cells, ...): how often each cell occurs. A correlation is NaN when
    either side is constant. Quadratic kappa (Cohen 1968) is there only when all truths and scores are whole numbers;
    the scale is then every whole number between the extremes, as in scikit-learn with `labels=range(...)`.
    """
    total = weights.sum(axis=0)
    truth_level, truth_weight = _levels(truth, weights)
    score_level, score_weight = _levels(score, weights)
    varies = ((truth_weight > 0).sum(axis=0) > 1) & ((score_weight > 0).sum(axis=0) > 1)
    correlations = {
        "pearson": _pearson(truth, score, weights),
        "spearman": _spearman(truth_level, truth_weight, score_level, score_weight, weights),
        "kendall": _kendall(truth, truth_weight, score, score_weight, weights),
    }
    result = {name: np.where(varies, values, np.nan) for name, values in correlations.items()}
    result["mae"] = divide(np.abs(truth - score) @ weights, total)
    if np.all(truth == np.round(truth)) and np.all(score == np.round(score)):
        result["kappa_quadratic"] = _kappa_quadratic(truth, score, weights)
    return result


def _levels(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the level index of each cell, (n_cells,), and the weight of each level, (n_levels, ...)."""
    levels, index = np.unique(values, return_inverse=True)
    indicator = (np.arange(len(levels))[:, None] == index).astype(weights.dtype)
    return index, indicator @ weights


def _moments(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean truth, mean score, and the population variances and covariance, each (...)."""
    total = weights.sum(axis=0)
    columns = np.stack([truth, score, truth * truth, score * score, truth * score])
    mean_t, mean_s, square_t, square_s, product = divide(columns @ weights, total)
    return mean_t, mean_s, square_t - mean_t**2, square_s - mean_s**2, product - mean_t * mean_s


def _pearson(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    if not len(truth):
        return np.full(weights.shape[1:], np.nan)
    # Centred first: the variance is a difference of squares and would cancel for scores far from 0.
    _, _, variance_t, variance_s, covariance = _moments(truth - truth.mean(), score - score.mean(), weights)
    return np.clip(divide(covariance, np.sqrt(np.maximum(variance_t * variance_s, 0))), -1, 1)


def _spearman(
    truth_level: np.ndarray,
    truth_weight: np.ndarray,
    score_level: np.ndarray,
    score_weight: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Pearson correlation of weighted midranks; a level's midrank is the weight below it plus half its own."""
    half = weights.sum(axis=0) / 2  # the weighted mean of the midranks
    truth_rank = np.cumsum(truth_weight, axis=0) - truth_weight / 2 - half
    score_rank = np.cumsum(score_weight, axis=0) - score_weight / 2 - half
    covariance = (weights * truth_rank[truth_level] * score_rank[score_level]).sum(axis=0)
    spread = (truth_weight * truth_rank**2).sum(axis=0) * (score_weight * score_rank**2).sum(axis=0)
    return np.clip(divide(covariance, np.sqrt(spread)), -1, 1)


def _kendall(
    truth: np.ndarray, truth_weight: np.ndarray, score: np.ndarray, score_weight: np.ndarray, weights: np.ndarray
) -> np.ndarray:
    """Tau-b (Kendall 1945): concordant minus discordant pairs is the quadratic form ½ w'Sw, S the sign products."""
    signs = np.sign(truth[:, None] - truth) * np.sign(score[:, None] - score)
    difference = (weights * (signs.astype(weights.dtype) @ weights)).sum(axis=0, dtype=float)
    square = weights.sum(axis=0, dtype=float) ** 2
    untied_truth = square - (truth_weight.astype(float) ** 2).sum(axis=0)
    untied_score = square - (score_weight.astype(float) ** 2).sum(axis=0)
    return np.clip(divide(difference, np.sqrt(untied_truth * untied_score)), -1, 1)


def _kappa_quadratic(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """1 − observed / chance squared distance; chance has a closed form in the moments, so no table is needed."""
    if not len(truth):
        return np.full(weights.shape[1:], np.nan)
    mean_t, mean_s, variance_t, variance_s, covariance = _moments(truth - truth.mean(), score - truth.mean(), weights)
    gap = (mean_t - mean_s) ** 2
    chance = variance_t + variance_s + gap
    return np.where(chance > 1e-12, 1 - divide(chance - 2 * covariance, chance), np.nan)
