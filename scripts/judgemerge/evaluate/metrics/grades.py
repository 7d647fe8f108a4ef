"""Metrics of grades: correlations with the truth, distances from it, and how often a reply has no grade."""

import numpy as np

from judgemerge.evaluate.counts import Grades, divide
from judgemerge.evaluate.metrics import metric


@metric("pearson", protocol="pointwise", correlation=True, uses=("search", "raters", "card"))
def pearson(grades: Grades) -> np.ndarray:
    """Pearson's correlation of score and truth."""
    if not len(grades.truth):
        return np.full(grades.weights.shape[1:], np.nan)
    # Centred and scaled first: the variance is a difference of squares, which would cancel for scores far from 0,
    # and be lost for tiny ones.
    centred = (side - side.mean() for side in (grades.truth, grades.score))
    scaled = (side / (np.abs(side).max() or 1) for side in centred)
    _, _, variance_t, variance_s, covariance = _moments(*scaled, grades.weights)
    return np.clip(divide(covariance, np.sqrt(np.maximum(variance_t * variance_s, 0))), -1, 1)


@metric(
    "spearman",
    protocol="pointwise",
    correlation=True,
    uses=("search", "headline", "comparisons", "groups", "raters", "card"),
)
def spearman(grades: Grades) -> np.ndarray:
    """Pearson correlation of weighted midranks; a level's midrank is the weight below it plus half its own."""
    half = grades.weights.sum(axis=0) / 2  # the weighted mean of the midranks
    ranks = [np.cumsum(weight, axis=0) - weight / 2 - half for weight in grades.level_weights]
    levels = grades.levels
    covariance = np.einsum("ij,ij,ij->j", grades.weights, ranks[0][levels[0]], ranks[1][levels[1]])
    spreads = [
        np.einsum("ij,ij,ij->j", weight, rank, rank) for weight, rank in zip(grades.level_weights, ranks, strict=True)
    ]
    return np.clip(divide(covariance, np.sqrt(np.prod(spreads, axis=0))), -1, 1)


@metric("kendall", protocol="pointwise", correlation=True, uses=("search", "raters", "card"))
def kendall(grades: Grades) -> np.ndarray:
    """Tau-b (Kendall 1945): concordant minus discordant pairs, over the pairs that each side does not tie."""
    square = grades.weights.sum(axis=0) ** 2
    untied = [square - np.einsum("ij,ij->j", weight, weight) for weight in grades.level_weights]
    return np.clip(divide(grades.cells.pairs.difference(grades.weights), np.sqrt(untied[0] * untied[1])), -1, 1)


@metric(
    "mae",
    protocol="pointwise",
    needs=("one_scale",),
    uses=("search", "comparisons", "groups", "raters", "card"),
    lower_is_better=True,
)
def mae(grades: Grades) -> np.ndarray:
    """Mean absolute error of the score."""
    return divide(np.abs(grades.truth - grades.score) @ grades.weights, grades.weights.sum(axis=0))


@metric(
    "kappa_quadratic",
    protocol="pointwise",
    fisher=True,
    needs=("one_scale", "whole_numbers"),
    undefined="the judge's scores are constant",
)
def kappa_quadratic(grades: Grades) -> np.ndarray:
    """1 − observed / chance squared distance (Cohen 1968).

    The scale is every whole number between the extremes, as in scikit-learn with `labels=range(...)`. Chance has a
    closed form in the moments, so no table is needed.
    """
    truth, score, weights = grades.truth, grades.score, grades.weights
    if not len(truth):
        return np.full(weights.shape[1:], np.nan)
    centre = truth.mean()
    mean_t, mean_s, variance_t, variance_s, covariance = _moments(truth - centre, score - centre, weights)
    chance = variance_t + variance_s + (mean_t - mean_s) ** 2
    return np.where(chance > 1e-12, 1 - divide(chance - 2 * covariance, chance), np.nan)


@metric("error_rate", protocol="pointwise", proportion=True, needs=("items",), uses=("card",))
def error_rate(grades: Grades) -> np.ndarray:
    """Share of the items without a readable score."""
    return divide(grades.n_unread, grades.n_items)


def _moments(truth: np.ndarray, score: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return mean truth, mean score, and the population variances and covariance, each (...)."""
    total = weights.sum(axis=0)
    columns = np.stack([truth, score, truth * truth, score * score, truth * score])
    mean_t, mean_s, square_t, square_s, product = divide(columns @ weights, total)
    return mean_t, mean_s, square_t - mean_t**2, square_s - mean_s**2, product - mean_t * mean_s
