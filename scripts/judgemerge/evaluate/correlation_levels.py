"""Correlations of grades on two levels: of systems, and within documents (SummEval, Fabbri et al. 2021; WMT; G-Eval).

System level: the mean grade of every system beside its mean score, correlated over the systems. Summary level: grades
and scores of one group (the answers to one prompt, or one category), correlated within the group, and the mean over
groups. Resamples draw whole clusters, as everywhere.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from judgemerge.evaluate.counts import cells_of, divide, replicated
from judgemerge.evaluate.verdict_arrays import BenchmarkArrays, JudgeArrays

CORRELATIONS = ("pearson", "spearman", "kendall")
SYSTEM, SUMMARY = (tuple(f"{name}_{level}" for name in CORRELATIONS) for level in ("system", "summary"))
LEVEL_METRICS = SYSTEM + SUMMARY
FEWEST_SYSTEMS = 3
PAIRS_AT_ONCE = 4_000_000  # pairs of systems × columns in one pass


@dataclass(frozen=True)
class Level:
    """The correlations of one level: values, (n_resamples,), (n_clusters,), how many things are correlated, a note."""

    values: dict[str, float]
    resampled: dict[str, np.ndarray]
    jackknife: dict[str, np.ndarray]
    n: int
    note: str = ""


def correlations_by_level(
    benchmark: BenchmarkArrays, judge: JudgeArrays, weights: np.ndarray, group_by: str = "cluster"
) -> dict[str, Level]:
    """Return the level of each metric that the items allow; none without systems and groups.

    Systems are there when every item names one model and there are at least three; groups of one prompt when items name
    their models and one prompt has two answers, groups of one category when every item has one.
    `weights` is (n_resamples, n_clusters). Items without a readable score are left out on both sides.
    """
    readable = ~np.isnan(judge.scores)
    by_metric = {}
    systems = [item.models[0] if len(item.models) == 1 else None for item in benchmark.items]
    named = None not in systems
    if named and len(set(systems)) >= FEWEST_SYSTEMS:
        by_metric |= dict.fromkeys(SYSTEM, _systems(benchmark, judge, np.array(systems), readable, weights))
    groups = _groups(benchmark, group_by) if named or group_by != "cluster" else None
    if groups is not None and np.bincount(groups).max(initial=0) > 1 and groups.max() > 0:
        by_metric |= dict.fromkeys(SUMMARY, _summaries(benchmark, judge, groups, readable, weights, group_by))
    return by_metric


def _groups(benchmark: BenchmarkArrays, group_by: str) -> np.ndarray | None:
    """Return the group of each item, (n_items,); None where items have none."""
    if group_by == "cluster":
        return benchmark.cluster
    categories = [item.category for item in benchmark.items]
    return None if None in categories else np.unique(categories, return_inverse=True)[1].reshape(-1)


def _systems(
    benchmark: BenchmarkArrays, judge: JudgeArrays, systems: np.ndarray, readable: np.ndarray, weights: np.ndarray
) -> Level:
    names, system = np.unique(systems, return_inverse=True)
    sums = np.zeros((3, len(names), benchmark.n_clusters))
    places = (system.reshape(-1)[readable], benchmark.cluster[readable])
    columns = (np.ones(len(readable)), _unit(benchmark.truth, readable), _unit(judge.scores, readable))
    for table, column in zip(sums, columns, strict=True):
        np.add.at(table, places, column[readable])
    whole = sums.sum(axis=2, keepdims=True)
    step = max(1, PAIRS_AT_ONCE // len(names) ** 2)

    def computed(make: Callable[[int], np.ndarray], n_columns: int) -> dict[str, np.ndarray]:
        parts = [_of_means(make(start)) for start in range(0, max(n_columns, 1), step)]
        return {name: np.concatenate([part[name] for part in parts]) for name in SYSTEM}

    values = _of_means(whole)
    unread = len(names) - int((whole[0] > 0).sum())
    return Level(
        {name: float(value[0]) for name, value in values.items()},
        computed(lambda start: sums @ weights[start : start + step].T.astype(float), len(weights)),
        computed(lambda start: whole - sums[:, :, start : start + step], benchmark.n_clusters),
        len(names) - unread,
        f"{unread} systems without a readable score are left out" if unread else "",
    )


def _unit(values: np.ndarray, readable: np.ndarray) -> np.ndarray:
    """Return values moved and stretched to −1 … 1: no correlation minds, and no square of them gets lost."""
    if not readable.any():
        return np.zeros(len(values))
    low, high = values[readable].min(), values[readable].max()
    return (values - (low + high) / 2) / ((high - low) / 2 if high > low else 1)


def _of_means(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Return the correlations over systems of counts, sums of grades and of scores, (3, n_systems, n_columns)."""
    there = sums[0] > 0
    means = [np.round(divide(side, sums[0]), 12) for side in sums[1:]]  # equal means are equal whatever was added first
    signs = []
    for mean in means:
        gap = mean[:, None] - mean
        signs.append(np.where(there[:, None] & there, np.sign(np.nan_to_num(gap)), 0))
    ranks = [sign.sum(axis=1) for sign in signs]  # twice the midrank, centred
    agreeing = (signs[0] * signs[1]).sum(axis=(0, 1))
    untied = [np.abs(sign).sum(axis=(0, 1)) for sign in signs]
    kendall = divide(agreeing, np.sqrt(untied[0] * untied[1]))
    n_there = there.sum(axis=0)
    centred = [np.where(there, mean - divide(np.where(there, mean, 0).sum(axis=0), n_there), 0) for mean in means]
    values = (_product(*centred), _product(*(np.where(there, rank, 0) for rank in ranks)), kendall)
    return dict(zip(SYSTEM, (np.clip(value, -1, 1) for value in values), strict=True))


def _product(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return the correlation of centred columns; NaN where a side is constant."""
    spread = (one**2).sum(axis=0) * (other**2).sum(axis=0)
    return divide((one * other).sum(axis=0), np.sqrt(np.where(spread > 1e-18, spread, 0)))


def _summaries(
    benchmark: BenchmarkArrays,
    judge: JudgeArrays,
    groups: np.ndarray,
    readable: np.ndarray,
    weights: np.ndarray,
    group_by: str,
) -> Level:
    members = [np.flatnonzero((groups == group) & readable) for group in range(groups.max() + 1)]
    if group_by == "cluster":  # a group is drawn as a whole, so its own correlation never changes
        by_group = [_within(benchmark, judge, rows, np.zeros((0, benchmark.n_clusters)))[0] for rows in members]
        table = {name: np.array([one[name][0] for one in by_group]) for name in CORRELATIONS}
        results = [_mean_of_groups(table, columns) for columns in _drawn(weights, len(members))]
    else:
        parts = [_within(benchmark, judge, rows, weights) for rows in members]
        table = {name: np.array([part[0][name][0] for part in parts]) for name in CORRELATIONS}
        results = [
            {name: _mean(np.stack([part[which][name] for part in parts])) for name in CORRELATIONS}
            for which in range(3)
        ]
    whole, resampled, jackknife = ({f"{name}_summary": value for name, value in one.items()} for one in results)
    n_defined = int(np.isfinite(table["spearman"]).sum())
    n_left_out = len(members) - n_defined
    note = f"{n_left_out} of {len(members)} groups left out: constant, or fewer than two readable scores"
    values = {name: float(value[0]) for name, value in whole.items()}
    return Level(values, resampled, jackknife, n_defined, note if n_left_out else "")


def _within(benchmark: BenchmarkArrays, judge: JudgeArrays, rows: np.ndarray, weights: np.ndarray) -> tuple:
    cells = cells_of(benchmark.truth[rows], judge.scores[rows], benchmark.cluster[rows], benchmark.n_clusters)
    if len(weights):
        return replicated(cells, weights, CORRELATIONS)
    return (cells.metrics(np.asarray(cells.counts.sum(axis=1), dtype=float).reshape(-1, 1), CORRELATIONS),)


def _drawn(weights: np.ndarray, n_groups: int) -> Sequence[Callable[[np.ndarray], np.ndarray]]:
    """Return three sums of one value per group: over all groups, over every resample, and without each group."""
    return (
        lambda values: values.sum(keepdims=True),
        lambda values: weights @ values,
        lambda values: values.sum() - values,
    )


def _mean_of_groups(table: dict[str, np.ndarray], total: Callable[[np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
    return {
        name: divide(total(np.nan_to_num(values)), total(np.isfinite(values).astype(float)))
        for name, values in table.items()
    }


def _mean(values: np.ndarray) -> np.ndarray:
    """Return the mean over the groups, (n_groups, n_columns) → (n_columns,), of those where it is defined."""
    return divide(np.nan_to_num(values).sum(axis=0), np.isfinite(values).sum(axis=0))
