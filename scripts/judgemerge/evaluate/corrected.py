"""Means that people would give, from a judge's opinion of everything and people's labels of a part.

The judge alone is precise and off by an amount that nobody knows; the labels alone are right on average and few. Tuned
prediction-powered inference (PPI++; Angelopoulos, Duchi and Zrnic 2023, arXiv:2311.01453) takes the judge's mean of
everything and adds how far people and judge are apart where both have spoken, the judge counting for a share λ that
makes the variance least. λ = 0 is the mean of the labels, λ = 1 the plain difference of PPI. For a mean this is the
efficient estimator (Chen, Lu, Li, Guo and Li 2026, arXiv:2601.05420). Which value a judge gives, and whether it can be
read, changes how narrow the interval is and never whether it is right: only the drawing of the labelled part is.

Where units are drawn one by one and share no prompt, value, λ and standard error are those of `ppi-python` 0.2.3.
Three things go beyond it, because a few dozen labels are far from infinitely many (benchmarks/results/corrected.md):

- units that share a prompt are one observation of the variance, and strata keep their own means and weights;
- half an error in each direction is added to those that were seen: else a judge that happens to agree with all labels,
  or labels that are all alike, would leave nothing to be unsure of (as Agresti and Min 2005, doi:10.1002/sim.1781, add
  half counts for pairs of proportions);
- Student's t takes the place of the normal distribution, and shares have Wilson's interval, with the size of a sample
  that has this variance, as everywhere in this project (bootstrap.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np

from judgemerge.evaluate.bootstrap import t_quantile
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate
from judgemerge.evaluate.power import detectable

LEAST_LABELS = 20  # fewer labels, or labels on fewer prompts, are refused (benchmarks/results/corrected.md: few labels)
UNSEEN = 0.5  # errors in each direction that are added to those that were seen


class Scale(NamedTuple):
    """Between which values the mean lies; grades have no such ends, for a mean of grades is rarely near one."""

    low: float
    high: float

    @property
    def is_bounded(self) -> bool:
        """Whether there are ends."""
        return bool(np.isfinite(self.low))


SHARE, DIFFERENCE, GRADE = Scale(0, 1), Scale(-1, 1), Scale(-np.inf, np.inf)


def numbers(names: np.ndarray) -> np.ndarray:
    """Return 0 … n − 1 for n different names, in their order."""
    return np.unique(np.asarray(names), return_inverse=True)[1].astype(int)


@dataclass(frozen=True)
class Units:
    """What people and a judge say of the same things: pairs, answers, verdicts.

    Every array is (n_units,). `people` is NaN where nobody voted, `judge` where a reply could not be read. `cluster`
    is 0 … n_clusters − 1: units of one prompt. `stratum` is 0 … n_strata − 1: the part that labels were drawn from.
    """

    people: np.ndarray
    judge: np.ndarray
    cluster: np.ndarray
    n_clusters: int
    stratum: np.ndarray

    @classmethod
    def of(
        cls, people: np.ndarray, judge: np.ndarray, cluster: np.ndarray | None = None, stratum: np.ndarray | None = None
    ) -> "Units":
        """Return units from any names of clusters and strata; without them each is alone, drawn from all."""
        n_units = len(people)
        prompts, places = np.unique(np.arange(n_units) if cluster is None else cluster, return_inverse=True)
        strata = numbers(np.zeros(n_units) if stratum is None else stratum)
        return cls(np.asarray(people, float), np.asarray(judge, float), places.astype(int), len(prompts), strata)

    def part(self, mask: np.ndarray) -> "Units":
        """Return some of the units, `mask` being (n_units,) of bool; prompts keep their numbers."""
        strata = numbers(self.stratum[mask])
        return Units(self.people[mask], self.judge[mask], self.cluster[mask], self.n_clusters, strata)

    def net(self) -> "Units":
        """Return wins minus losses of units that are wins: 1 for a win, 0 for a tie, −1 for a loss."""
        return replace(self, people=2 * self.people - 1, judge=2 * self.judge - 1)

    @cached_property
    def labelled(self) -> np.ndarray:
        """Which units have a label, (n_units,) of bool."""
        return np.isfinite(self.people)

    @property
    def n_labels(self) -> int:
        """Number of units with a label."""
        return int(self.labelled.sum())

    @property
    def n_label_clusters(self) -> int:
        """Number of prompts with a label."""
        return len(np.unique(self.cluster[self.labelled]))

    @property
    def n_unread(self) -> int:
        """Number of units of which the judge's reply could not be read."""
        return int(np.isnan(self.judge).sum())


@dataclass(frozen=True)
class Parts:
    """Units as the estimator needs them: without gaps, with the weights that strata give them.

    `people` and `judge` are (n_units,): 0 where there is no label; an unread reply has the mean of the others, and a
    stratum that is labelled whole has 0, because the judge has nothing to add there. `share`, `n_labels` and `n_others`
    are (n_strata,): each stratum's share of the units, its labelled units, and its other ones. `label_weight` and
    `judge_weight` are (n_units,): weights of the means over units with and without a label, 0 for the others; a
    stratum weighs as much as its share, so that those of the labels sum to 1.
    """

    people: np.ndarray
    judge: np.ndarray
    labelled: np.ndarray
    cluster: np.ndarray
    stratum: np.ndarray
    share: np.ndarray
    n_labels: np.ndarray
    n_others: np.ndarray
    label_weight: np.ndarray
    judge_weight: np.ndarray

    @classmethod
    def of(cls, units: Units) -> "Parts":
        """Return those of units of which every stratum has a label."""
        labelled, stratum = units.labelled, units.stratum
        n_strata = int(stratum.max()) + 1
        n_labels, n_others = (np.bincount(stratum[mask], minlength=n_strata) for mask in (labelled, ~labelled))
        share = (n_labels + n_others) / len(stratum)
        read = np.isfinite(units.judge)
        judge = np.where(read, units.judge, units.judge[read].mean() if read.any() else 0.0)
        return cls(
            people=np.where(labelled, units.people, 0.0),
            judge=np.where((n_others > 0)[stratum], judge, 0.0),
            labelled=labelled,
            cluster=units.cluster,
            stratum=stratum,
            share=share,
            n_labels=n_labels,
            n_others=n_others,
            label_weight=np.where(labelled, divide(share, n_labels)[stratum], 0.0),
            judge_weight=np.where(labelled, 0.0, divide(share, n_others)[stratum]),
        )

    def means(self, values: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Return the mean of (n_units,) values in each stratum over the units that the mask names, 0 without any."""
        sums = np.bincount(self.stratum, np.where(where, values, 0.0), minlength=len(self.share))
        return sums / np.maximum(np.bincount(self.stratum[where], minlength=len(self.share)), 1)

    def centred(self, values: np.ndarray, where: np.ndarray) -> np.ndarray:
        """Return (n_units,) values minus their mean in the stratum, 0 for the units that the mask leaves out."""
        return np.where(where, values - self.means(values, where)[self.stratum], 0.0)


def tuned_share(parts: Parts, scale: Scale) -> float:
    """Return λ, how much of the judge's opinion makes the variance least (PPI++, section 6).

    Cov(people, judge) / ((1 + n/N) Var(judge)) for n labels and N other units; with strata, numerator and denominator
    sum what each adds to the variance of the mean. The covariance is that of the labelled units (divided by n), the
    variance that of all (by n + N − 1). λ is not below 0 nor, where people and judge speak of one scale, above 1.
    """
    everything = np.ones(len(parts.stratum), dtype=bool)
    people, judge = (parts.centred(values, parts.labelled) for values in (parts.people, parts.judge))
    covariance = parts.means(people * judge, parts.labelled)
    n_all = parts.n_labels + parts.n_others
    squares = parts.means(parts.centred(parts.judge, everything) ** 2, everything)
    variance = squares * n_all / np.maximum(n_all - 1, 1)
    weight = np.where(parts.n_others > 0, parts.share**2, 0.0)
    gain = np.nansum(weight * divide(covariance, parts.n_labels))
    cost = np.nansum(weight * variance * (divide(1.0, parts.n_labels) + divide(1.0, parts.n_others)))
    return float(np.clip(gain / cost, 0, 1 if scale.is_bounded else None)) if cost > 1e-18 else 0.0


@dataclass(frozen=True)
class Corrected:
    """A mean, and how much each prompt moved it.

    `by_cluster` is (n_clusters,): the sums of what each unit of a prompt adds to value − truth, as far as that is
    linear; their squares sum to the variance. `errors` are two residuals, `UNSEEN` of each of which may not have been
    seen. `size` is the number of independent labels that say as much as these, `effective` that of equal prompts.
    """

    value: float
    share: float
    by_cluster: np.ndarray
    errors: tuple[float, float]
    size: float
    effective: float
    n_strata: int
    scale: Scale

    @property
    def variance(self) -> float:
        """The variance of the value, prompts being independent."""
        return float(self.by_cluster @ self.by_cluster)

    @property
    def unseen(self) -> float:
        """What the errors that may not have been seen add to the variance."""
        return UNSEEN * sum(error**2 for error in self.errors) / (self.size + 2 * UNSEEN) ** 2

    @property
    def cautious_variance(self) -> float:
        """The variance with those errors among the labels.

        That of grades is for the mean and λ being fitted, n / (n − 2), and not below what unseen errors leave: grades
        differ from each other, so that only a judge that agrees with all labels has seen no error.
        """
        if not self.scale.is_bounded:
            return max(self.variance * self.size / max(self.size - 2, 1), self.unseen)
        return self.variance * (self.size / (self.size + 2 * UNSEEN)) ** 2 + self.unseen

    def minus(self, other: "Corrected") -> "Corrected":
        """Return the difference of two means over units of the same prompts, which may differ together."""
        return Corrected(
            value=self.value - other.value,
            share=np.nan,
            by_cluster=self.by_cluster - other.by_cluster,
            errors=(float(np.hypot(self.errors[0], other.errors[0])), float(np.hypot(self.errors[1], other.errors[1]))),
            size=min(self.size, other.size),
            effective=min(self.effective, other.effective),
            n_strata=max(self.n_strata, other.n_strata),
            scale=GRADE,
        )

    def detectable(self, confidence: float) -> float:
        """Return how far from 0 a difference must be to be shown with power .8 (power.py), the variance being this."""
        return detectable(float(np.sqrt(self.cautious_variance)), self.effective - self.n_strata + 1, confidence)

    def estimate(self, confidence: float) -> Estimate:
        """Return the value with its interval; no interval where nothing differs, for 0 would be no honest width."""
        variance = self.cautious_variance
        if variance < 1e-18:
            return Estimate(self.value, np.nan, np.nan)
        quantile = t_quantile(confidence, self.effective - self.n_strata + 1)
        if not self.scale.is_bounded:
            half = quantile * np.sqrt(variance)
            return Estimate(self.value, self.value - half, self.value + half)
        return Estimate(self.value, *wilson(self.value, variance, quantile, self.scale, self.size))


def wilson(value: float, variance: float, quantile: float, scale: Scale, size: float) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a mean between two ends, for a sample of any design.

    Its size is that of the simple sample whose share has this variance: p (1 − p) / variance. A p at an end, or beyond
    it, is moved inside by what `UNSEEN` of one unit among `size` would move it.
    """
    reach = scale.high - scale.low
    edge = UNSEEN / (size + 2 * UNSEEN)
    share = float(np.clip((value - scale.low) / reach, 0, 1))
    inside = float(np.clip(share, edge, 1 - edge))
    n = inside * (1 - inside) / (variance / reach**2)
    shrink = 1 + quantile**2 / n
    centre = (share + quantile**2 / (2 * n)) / shrink
    half = quantile / shrink * np.sqrt(share * (1 - share) / n + quantile**2 / (4 * n**2))
    return scale.low + reach * max(centre - half, 0.0), scale.low + reach * min(centre + half, 1.0)


def correct(units: Units, scale: Scale, share: float | None = None) -> Corrected:
    """Return the mean that people would give of all units; `share` is λ, tuned unless it is given.

    θ = Σ_h W_h (mean of λ judge over the others + mean of people − λ judge over the labelled), W_h being a stratum's
    share of the units. What a labelled unit adds is its people − λ judge, centred, times its weight; what another one
    adds is its λ judge; both move the share of their stratum. Without strata and with one unit per prompt the squares
    sum to Var(people − λ judge) / n + λ² Var(judge) / N, the variance of PPI++.
    """
    parts = Parts.of(units)
    others = ~parts.labelled
    if share is None:
        share = tuned_share(parts, scale)
    residual = parts.people - share * parts.judge
    means = parts.means(residual, parts.labelled) + share * parts.means(parts.judge, others)
    value = float(parts.share @ means)
    added = (
        parts.label_weight * parts.centred(residual, parts.labelled)
        + share * parts.judge_weight * parts.centred(parts.judge, others)
        + (means[parts.stratum] - value) / len(parts.stratum)
    )
    by_cluster = np.bincount(parts.cluster, added, minlength=units.n_clusters)
    effective = 1 / _squares(np.bincount(parts.cluster, parts.label_weight))
    return Corrected(
        value=value,
        share=share,
        by_cluster=by_cluster,
        errors=_errors(parts, residual, scale, share),
        size=_size(parts, _squares(by_cluster), _squares(added), effective),
        effective=effective,
        n_strata=len(parts.share),
        scale=scale,
    )


def _squares(values: np.ndarray) -> float:
    return float(values @ values)


def _size(parts: Parts, clustered: float, alone: float, effective: float) -> float:
    """Return how many labels on prompts of their own say as much: Kish's size over the design effect.

    The design effect is the variance over that of units without prompts in common, at least 1; the size is not below
    the effective number of labelled prompts.
    """
    size = 1 / _squares(parts.label_weight)
    return max(size / max(clustered / alone, 1.0), effective) if alone > 1e-18 else effective


def _errors(parts: Parts, residual: np.ndarray, scale: Scale, share: float) -> tuple[float, float]:
    """Return how far an error in each direction is from the mean of people − λ judge.

    A share: people say one end and the judge the other. A difference: people see one where the judge sees none. Grades
    are seldom near an end, so that an error is as large as the labels' standard deviation.
    """
    if not scale.is_bounded:
        spread = float(np.std(parts.people[parts.labelled]))
        return spread, -spread
    middle = float(parts.label_weight @ residual)
    opposite = share if scale == SHARE else 0.0
    return scale.high - middle, scale.low - opposite - middle


class Comparison(NamedTuple):
    """One mean in three ways, side by side, and the judge's distance from people where both have spoken.

    `shown` is what difference from 0 each of the three would show, the judge alone, the labels alone and corrected.
    """

    judge_alone: Estimate
    labels_alone: Estimate
    corrected: Estimate
    shown: tuple[float, float, float]
    judge_minus_people: Estimate
    share: float
    correlation: float
    worth: float


def refusal(units: Units, least: int = LEAST_LABELS) -> str:
    """Return in a few words why these labels are too few to say anything; nothing when they are not."""
    if units.n_labels < least:
        return f"{units.n_labels} labels; at least {least} are needed"
    if units.n_label_clusters < least:
        return f"labels on {units.n_label_clusters} prompts; at least {least} are needed"
    if np.bincount(units.stratum[units.labelled], minlength=int(units.stratum.max()) + 1).min() < 2:
        return "a stratum has fewer than two labels"
    return ""


def compare(units: Units, scale: Scale, confidence: float, minus: Units | None = None) -> Comparison:
    """Return the mean by the judge alone, by the labels alone and corrected; `refusal` has nothing against the labels.

    With `minus` the same of the difference to the mean of those units, which share prompts with these. `correlation`
    is Pearson's, of judge and people where both have spoken, NaN where one is constant. `worth` is how many labels
    alone would have the variance of the corrected mean: n · Var(labels alone) / Var(corrected).
    """
    labels, both = (_difference(units, minus, scale, correct, share) for share in (0.0, None))
    judge = alone(units, scale, minus)
    return Comparison(
        judge_alone=judge.estimate(confidence) if judge else UNDEFINED,
        labels_alone=labels.estimate(confidence),
        corrected=both.estimate(confidence),
        shown=tuple(one.detectable(confidence) if one else np.nan for one in (judge, labels, both)),
        judge_minus_people=_distance(units, scale, confidence, minus),
        share=both.share,
        correlation=correlation(units) if minus is None else np.nan,
        worth=units.n_labels * labels.variance / both.variance if both.variance > 1e-18 else np.nan,
    )


def alone(units: Units, scale: Scale, minus: Units | None = None) -> Corrected | None:
    """Return the mean of all readable opinions of the judge, None where there are none."""
    if not all(np.isfinite(some.judge).any() for some in (units, minus) if some is not None):
        return None
    return _difference(units, minus, scale, judged)


def _distance(units: Units, scale: Scale, confidence: float, minus: Units | None) -> Estimate:
    """Return the mean of judge − people, from the labelled units that the judge's reply could be read of."""
    apart = [None if some is None else replace(some, people=some.judge - some.people) for some in (units, minus)]
    if any(refusal(some, least=2) for some in apart if some is not None):
        return UNDEFINED
    return _difference(*apart, DIFFERENCE if scale == SHARE else GRADE, correct, 0.0).estimate(confidence)


def _difference(units: Units, minus: Units | None, scale: Scale, mean: Callable[..., Corrected], *more) -> Corrected:
    first = mean(units, scale, *more)
    return first if minus is None else first.minus(mean(minus, scale, *more))


def judged(units: Units, scale: Scale) -> Corrected:
    """Return the mean of all readable opinions of the judge, each taken for a label."""
    read = units.part(np.isfinite(units.judge))
    return correct(replace(read, people=read.judge, stratum=np.zeros_like(read.stratum)), scale, share=0.0)


def correlation(units: Units) -> float:
    """Return Pearson's correlation of judge and people over the labelled units, NaN where either is constant."""
    both = units.labelled & np.isfinite(units.judge)
    people, judge = units.people[both], units.judge[both]
    if len(people) < 2 or min(np.ptp(people), np.ptp(judge)) < 1e-12:
        return np.nan
    return float(np.corrcoef(people, judge)[0, 1])
