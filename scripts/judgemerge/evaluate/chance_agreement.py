"""Agreement with chance taken out: judge and people by Cohen's kappa, and what raw agreement hides.

- *Kappa* of two raters (Cohen 1960). For grades it has quadratic weights, which over grades as they are, without bins,
  is Lin's (1989) concordance coefficient: 1 − mean squared difference / the same for independent raters.
- *The z of Judge's Verdict* (Han et al. 2025, arXiv:2510.09738). Judge and people form one group; everybody has a mean
  kappa with the rest of it. z = (the judge's − mean of the people's) / standard deviation of the people's (n − 1).
  |z| < 1: human-like; z > 1: agrees with people more than they with each other; z < −1: less. It needs two people.
- *Kappa deflation* (arXiv:2606.19544): raw agreement minus kappa, in points of a hundred.

Everything is computed from sums over clusters, so that leaving one out at a time gives the spread (jackknife).
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from judgemerge.evaluate.bootstrap import jackknife_variance, leave_one_out, proportion_interval
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Sample

LEAST_SHARED = 30  # items that two raters must share before their kappa counts


def class_counts(one: np.ndarray, other: np.ndarray, n_classes: int) -> np.ndarray:
    """Return what kappa is computed from, item by item: codes (n,), (n,) → (2 + 2 n_classes, n).

    Compared, equal, then one rater's classes, then the other's; all 0 where a rater has no label (NaN).
    """
    compared = ~np.isnan(one) & ~np.isnan(other)
    codes = np.arange(n_classes)[:, None]
    return np.concatenate(
        [[compared, compared & (one == other)], compared & (one == codes), compared & (other == codes)]
    )


def class_kappa(sums: np.ndarray) -> np.ndarray:
    """Return Cohen's kappa from sums of `class_counts`: (2 + 2 n_classes, …) → (…); NaN where chance is certain."""
    n, equal = sums[:2]
    ones, others = np.split(sums[2:], 2)
    chance = (ones * others).sum(axis=0)
    return divide(n * equal - chance, n * n - chance)


def grade_counts(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return what kappa of grades is computed from, item by item: (n,), (n,) → (5, n).

    Compared, one rater's grade, the other's, both squares, and the squared difference. Grades are to be centred: kappa
    is a difference of squares.
    """
    compared = ~np.isnan(one) & ~np.isnan(other)
    x, y = np.where(compared, one, 0.0), np.where(compared, other, 0.0)
    return np.stack([compared.astype(float), x, y, x * x + y * y, (x - y) ** 2])


def grade_kappa(sums: np.ndarray) -> np.ndarray:
    """Return kappa with quadratic weights from sums of `grade_counts`: (5, …) → (…); NaN where chance is certain."""
    n, x, y, squares, distances = sums
    return 1 - divide(n * distances, n * squares - 2 * x * y)


class PairKappa(NamedTuple):
    """The kappa of two raters, and what it is without each of the clusters that they share items of, (n_shared,)."""

    value: float
    cluster: np.ndarray
    without: np.ndarray


class GroupKappas(NamedTuple):
    """The kappas within a group of people and one judge, by pair of raters; the judge has the number `n_people`.

    Two raters who share fewer than 30 items have none.
    """

    pairs: dict[tuple[int, int], PairKappa]
    n_people: int

    @property
    def among_people(self) -> list[PairKappa]:
        """The kappas of two people."""
        return [kappa for (_, other), kappa in self.pairs.items() if other < self.n_people]

    @property
    def with_judge(self) -> list[PairKappa]:
        """The judge's kappas with people."""
        return [kappa for (_, other), kappa in self.pairs.items() if other == self.n_people]

    @property
    def people(self) -> np.ndarray:
        """The kappas of two people, (n_people, n_people), NaN where there is none and on the diagonal."""
        return self._matrix[:-1, :-1]

    @property
    def judge(self) -> np.ndarray:
        """The judge's kappa with each person, (n_people,)."""
        return self._matrix[-1, :-1]

    @property
    def _matrix(self) -> np.ndarray:
        matrix = np.full((self.n_people + 1, self.n_people + 1), np.nan)
        for (one, other), kappa in self.pairs.items():
            matrix[one, other] = matrix[other, one] = kappa.value
        return matrix


def verdict_z(people: np.ndarray, judge: np.ndarray) -> float:
    """Return the judge's place among the people of the group that it joins, in standard deviations.

    `people` is (n_people, n_people), their kappas with each other, NaN where there is none; `judge` (n_people,), the
    judge's with them. People who have no kappa with any other person do not count; NaN for fewer than two.
    """
    counted = ~np.isnan(people).all(axis=1)
    each = _mean(np.column_stack([people, judge])[counted], 1)
    if len(each) < 2 or np.isnan(judge).all() or each.std(ddof=1) < 1e-12:
        return np.nan
    return float((np.nanmean(judge) - each.mean()) / each.std(ddof=1))


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    """Return the mean of what is defined; NaN where nothing is, without a warning."""
    return divide(np.nansum(values, axis=axis), (~np.isnan(values)).sum(axis=axis))


def group_kappas(labels: np.ndarray, judge: np.ndarray, cluster: np.ndarray, are_grades: bool) -> GroupKappas:
    """Return the kappas of people and a judge.

    `labels` is (n_items, n_people) and `judge` (n_items,), both NaN where there is no label; an unreadable reply to a
    pair is a class of its own, so it has a code. `cluster` is (n_items,).
    """
    raters = np.column_stack([labels, judge])
    has_label = ~np.isnan(raters)
    if are_grades:
        given = labels[~np.isnan(labels)]
        raters = raters - (given.mean() if given.size else 0.0)
    else:
        classes, codes = np.unique(raters[has_label], return_inverse=True)
        raters[has_label] = codes
    n_shared = has_label.T.astype(float) @ has_label
    pairs = {}
    for one, other in zip(*np.nonzero(np.triu(n_shared >= LEAST_SHARED, k=1)), strict=True):
        both = has_label[:, one] & has_label[:, other]
        sides = raters[both, one], raters[both, other]
        counts = grade_counts(*sides) if are_grades else class_counts(*sides, len(classes))
        pairs[int(one), int(other)] = pair_kappa(counts, cluster[both], grade_kappa if are_grades else class_kappa)
    return GroupKappas(pairs, labels.shape[1])


def pair_kappa(counts: np.ndarray, cluster: np.ndarray, kappa: Callable[[np.ndarray], np.ndarray]) -> PairKappa:
    """Return the kappa of counts item by item, (n_counts, n), with that without each cluster, `cluster` (n,)."""
    names, place = np.unique(cluster, return_inverse=True)
    sums = np.stack([np.bincount(place, weights=row, minlength=len(names)) for row in counts])
    return PairKappa(float(kappa(sums.sum(axis=1))), names, kappa(leave_one_out(sums)))


def mean_kappa(kappas: Sequence[PairKappa], n_clusters: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the kappas that are defined, (1,), and the same without each cluster, (n_clusters,)."""
    defined = [kappa for kappa in kappas if np.isfinite(kappa.value)]
    total = float(sum(kappa.value for kappa in defined))
    sums, counts = np.full(n_clusters, total), np.full(n_clusters, float(len(defined)))
    for kappa in defined:  # only the clusters of its items change a kappa
        is_undefined = np.isnan(kappa.without)
        sums[kappa.cluster] += np.where(is_undefined, 0.0, kappa.without) - kappa.value
        counts[kappa.cluster] -= is_undefined
    return divide(np.array([total]), np.array([len(defined)])), divide(sums, counts)


def group_estimates(kappas: GroupKappas, sample: Sample) -> dict[str, Estimate]:
    """Return kappa_people, kappa_judge, kappa_gap and verdict_z, each with its jackknife interval but z.

    z has none: it divides by a standard deviation of as many numbers as there are people.
    """
    people, judge = (mean_kappa(part, sample.n_clusters) for part in (kappas.among_people, kappas.with_judge))
    gap = judge[0] - people[0], judge[1] - people[1]
    return {
        "kappa_people": jackknife_estimate(*people, sample),
        "kappa_judge": jackknife_estimate(*judge, sample),
        "kappa_gap": jackknife_estimate(*gap, sample),
        "verdict_z": Estimate(verdict_z(kappas.people, kappas.judge), np.nan, np.nan),
    }


def jackknife_estimate(value: np.ndarray, without: np.ndarray, sample: Sample) -> Estimate:
    """Return a value, (1,), with value ± t · s, s² being the jackknife's variance, `without` (n_clusters,).

    Degrees of freedom as everywhere (`Clusters.spread`). Undefined with fewer than two clusters.
    """
    number = float(value[0])
    if not np.isfinite(number):
        return UNDEFINED
    if sample.n_clusters < 2 or np.isfinite(without).sum() < 2:
        return Estimate(number, np.nan, np.nan)
    influence = sample.clusters.influence(number, without)
    spread = sample.clusters.spread(influence)
    half = spread.t_quantile(sample.settings.confidence) * np.sqrt(jackknife_variance(influence, spread))
    return Estimate(number, number - half, number + half) if half > 0 else Estimate(number, np.nan, np.nan)


def deflation_estimates(one: np.ndarray, other: np.ndarray, n_classes: int, sample: Sample) -> dict[str, Estimate]:
    """Return raw agreement, kappa, and the first minus the second in points, of two codings (n,), NaN where absent."""
    counts = sample.count(*class_counts(one, other, n_classes))

    def measures(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divide(sums[1], sums[0]), class_kappa(sums)

    level = sample.settings.confidence
    (raw, kappa), (raws, kappas) = measures(counts.sum(axis=1, keepdims=True)), measures(leave_one_out(counts))
    return {
        "gold_agreement": Estimate(float(raw[0]), *proportion_interval(float(raw[0]), raws, sample.clusters, level)),
        "gold_kappa": jackknife_estimate(kappa, kappas, sample),
        "kappa_deflation": jackknife_estimate(100 * (raw - kappa), 100 * (raws - kappas), sample),
    }
