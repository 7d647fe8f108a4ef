"""Agreement with chance taken out: judge and people by Cohen's kappa, and what raw agreement hides.

- *Kappa* of two raters (Cohen 1960). For grades it has quadratic weights, which over grades as they are, without bins,
  is Lin's (1989) concordance coefficient: 1 − mean squared difference / the same for independent raters.
- *The z of Judge's Verdict* (Han et al. 2025, arXiv:2510.09738). Judge and people form one group; everybody has a mean
  kappa with the rest of it. z = (the judge's − mean of the people's) / standard deviation of the people's (n − 1).
  |z| < 1: human-like; z > 1: agrees with people more than they with each other; z < −1: less. It needs two people.
- *Kappa deflation* (arXiv:2606.19544): raw agreement minus kappa, in points of a hundred.

Everything is computed from sums over clusters, so that leaving one out at a time gives the spread (jackknife).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from judgemerge.evaluate.bootstrap import jackknife_deviations, leave_one_out, proportion_interval, t_quantile
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


class GroupKappas(NamedTuple):
    """Kappas within a group of people and one judge; the last axes are resamples.

    `people` is (n_people, n_people, …), NaN on the diagonal and for two who share too few items; `judge` is
    (n_people, …), the judge's kappa with each person.
    """

    people: np.ndarray
    judge: np.ndarray

    @property
    def of_people(self) -> np.ndarray:
        """The mean kappa of two people, (…)."""
        return _mean(self.people, (0, 1))

    @property
    def of_judge(self) -> np.ndarray:
        """The judge's mean kappa with the people, (…)."""
        return _mean(self.judge, 0)

    @property
    def gap(self) -> np.ndarray:
        """The judge's mean kappa minus the people's, (…)."""
        return self.of_judge - self.of_people

    @property
    def z(self) -> np.ndarray:
        """The judge's place among the people of the group that it joins, in standard deviations, (…).

        People who share too few items with any other person do not count.
        """
        joined = np.concatenate([self.people, self.judge[:, None]], axis=1)
        each = np.where(np.isnan(self.people).all(axis=1), np.nan, _mean(joined, 1))
        centre = _mean(each, 0)
        n = (~np.isnan(each)).sum(axis=0)
        squares = np.nansum((each - centre) ** 2, axis=0)
        deviation = np.sqrt(divide(squares, n - 1))
        return divide(self.of_judge - centre, np.where(deviation > 1e-12, deviation, 0))


def _mean(values: np.ndarray, axis: int | tuple[int, int]) -> np.ndarray:
    """Return the mean of what is defined; NaN where nothing is, without a warning."""
    return divide(np.nansum(values, axis=axis), (~np.isnan(values)).sum(axis=axis))


def group_kappas(labels: np.ndarray, judge: np.ndarray, sample: Sample, are_grades: bool) -> "GroupSums":
    """Return the sums per cluster from which a group's kappas follow.

    `labels` is (n_items, n_people) and `judge` (n_items,), both NaN where there is no label; an unreadable reply to a
    pair is a class of its own, so it has a code. Two raters with fewer than 30 shared items have no kappa.
    """
    raters = np.column_stack([labels, judge])
    if are_grades:
        given = labels[~np.isnan(labels)]
        raters = raters - (given.mean() if given.size else 0.0)
        pair_counts: Callable = grade_counts
    else:
        classes, codes = np.unique(raters[~np.isnan(raters)], return_inverse=True)
        coded = np.full(raters.shape, np.nan)
        coded[~np.isnan(raters)] = codes
        raters = coded

        def pair_counts(one: np.ndarray, other: np.ndarray) -> np.ndarray:
            return class_counts(one, other, len(classes))

    has_label = ~np.isnan(raters)
    shared = has_label.T.astype(float) @ has_label
    parts = {}
    for a, b in zip(*np.nonzero(np.triu(shared >= LEAST_SHARED, k=1)), strict=True):
        both = has_label[:, a] & has_label[:, b]
        counts = pair_counts(raters[both, a], raters[both, b])
        parts[int(a), int(b)] = replace(sample, cluster=sample.cluster[both]).count(*counts)
    return GroupSums(parts, labels.shape[1], grade_kappa if are_grades else class_kappa)


class GroupSums(NamedTuple):
    """Counts per cluster of every two raters who share enough items, (n_counts, n_clusters) each; the judge is last."""

    parts: dict[tuple[int, int], np.ndarray]
    n_people: int
    kappa: Callable[[np.ndarray], np.ndarray]

    def kappas(self, of_clusters: Callable[[np.ndarray], np.ndarray]) -> GroupKappas:
        """Return the kappas of what a function makes of counts per cluster: their sum, or the sums without each."""
        by_pair = {pair: self.kappa(of_clusters(counts)) for pair, counts in self.parts.items()}
        shape = next(iter(by_pair.values())).shape if by_pair else (1,)
        n = self.n_people
        people, judge = np.full((n, n, *shape), np.nan), np.full((n, *shape), np.nan)
        for (a, b), values in by_pair.items():
            if b == n:
                judge[a] = values
            else:
                people[a, b] = people[b, a] = values
        return GroupKappas(people, judge)


def group_estimates(sums: GroupSums, sample: Sample) -> dict[str, Estimate]:
    """Return kappa_people, kappa_judge, kappa_gap and verdict_z, each with its jackknife interval but z.

    z has none: it divides by a standard deviation of as many numbers as there are people.
    """
    whole = sums.kappas(lambda counts: counts.sum(axis=1, keepdims=True))
    without = sums.kappas(leave_one_out)
    z = float(whole.z[0])
    return {
        "kappa_people": jackknife_estimate(whole.of_people, without.of_people, sample),
        "kappa_judge": jackknife_estimate(whole.of_judge, without.of_judge, sample),
        "kappa_gap": jackknife_estimate(whole.gap, without.gap, sample),
        "verdict_z": Estimate(z, np.nan, np.nan),
    }


def jackknife_estimate(value: np.ndarray, without: np.ndarray, sample: Sample) -> Estimate:
    """Return a value, (1,), with value ± t · s, s² = (G − 1)/G Σ (mean − value without g)², `without` (n_clusters,).

    Degrees of freedom are the effective clusters less one. Undefined with fewer than two clusters.
    """
    number, n_clusters = float(value[0]), sample.n_clusters
    if not np.isfinite(number):
        return UNDEFINED
    deviations = jackknife_deviations(without)
    if n_clusters < 2 or len(deviations) < 2:
        return Estimate(number, np.nan, np.nan)
    spread = np.sqrt((n_clusters - 1) / n_clusters * float(deviations @ deviations))
    half = t_quantile(sample.settings.confidence, sample.effective) * spread
    return Estimate(number, number - half, number + half) if half > 0 else Estimate(number, np.nan, np.nan)


def deflation_estimates(one: np.ndarray, other: np.ndarray, n_classes: int, sample: Sample) -> dict[str, Estimate]:
    """Return raw agreement, kappa, and the first minus the second in points, of two codings (n,), NaN where absent."""
    counts = sample.count(*class_counts(one, other, n_classes))

    def measures(sums: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return divide(sums[1], sums[0]), class_kappa(sums)

    level = sample.settings.confidence
    (raw, kappa), (raws, kappas) = measures(counts.sum(axis=1, keepdims=True)), measures(leave_one_out(counts))
    return {
        "gold_agreement": Estimate(float(raw[0]), *proportion_interval(float(raw[0]), raws, sample.effective, level)),
        "gold_kappa": jackknife_estimate(kappa, kappas, sample),
        "kappa_deflation": jackknife_estimate(100 * (raw - kappa), 100 * (raws - kappas), sample),
    }
