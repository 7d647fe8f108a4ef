"""Whether a judge that says "80 %" is right in 80 % of its verdicts: measures of confidences, and two ways to mend it.

A *confidence* is the probability of a judge's own verdict on an item, a *hit* whether people say the same. All measures
are of these two, which also judges have that tell the probability of their verdict alone (top-label calibration).
docs/calibration.md explains every number for a reader who has met none of them.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from judgemerge.core.probabilities import Probabilities
from judgemerge.evaluate.bootstrap import bca_interval, proportion_interval
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Sample, draw_sample

N_BINS = 10  # of equal width between 0 and 1, as in Guo et al. 2017 (arXiv:1706.04599)
COVERAGES = tuple(tenth / 10 for tenth in range(1, 11))
LEAST = 1e-6  # of a probability in logarithms: what is called impossible and happens costs 13.8, not without end
FEWEST_FITTED = 30  # development items that a calibration is fitted on, hits and misses among them
REMAINDER = 1e-6  # of the probabilities: what is missing to 1 beyond this is an answer of its own
TEMPERATURES = (0.05, 20.0)  # within which one is looked for
_BLOCK = 4_000_000  # weights of items that are held at a time


@dataclass(frozen=True)
class Confidences:
    """What a judge is sure of: `confidence` and `hit` are (n_items,), `cluster` names the prompt of each item.

    `answers` are the probabilities that a temperature changes: one array per item, the judge's verdict first.
    """

    confidence: np.ndarray
    hit: np.ndarray
    cluster: np.ndarray
    answers: Sequence[np.ndarray] = ()

    def __len__(self) -> int:
        """Return the number of items."""
        return len(self.confidence)

    def at(self, confidence: np.ndarray) -> "Confidences":
        """Return the same verdicts with other confidences."""
        return Confidences(confidence, self.hit, self.cluster)

    def part(self, chosen: np.ndarray) -> "Confidences":
        """Return the items at some places."""
        return Confidences(self.confidence[chosen], self.hit[chosen], self.cluster[chosen])

    def sample(self, name: str, settings: object) -> Sample:
        """Return the clusters of the items, for intervals."""
        return draw_sample(self.cluster, name, settings)


def joined(parts: Sequence[Confidences]) -> Confidences:
    """Return the items of several sets together; clusters of different sets stay apart."""
    clusters = [f"{number}/{name}" for number, part in enumerate(parts) for name in part.cluster]
    return Confidences(
        np.concatenate([part.confidence for part in parts]),
        np.concatenate([part.hit for part in parts]),
        np.array(clusters),
        [answers for part in parts for answers in part.answers],
    )


def shares_of(probabilities: Probabilities, answer: str) -> np.ndarray:
    """Return the probabilities of an answer, then of all others, then what is missing to 1 (answers not named)."""
    others = [value for name, value in probabilities.items() if name != answer]
    remainder = 1 - probabilities[answer] - sum(others)
    return np.array([probabilities[answer], *others, *([remainder] if remainder > REMAINDER else [])])


# ---- measures: functions of confidences and weights, (n_items,) and (n_resamples, n_items) → (n_resamples,) ----

Weights = np.ndarray
Measure = Callable[[Confidences, Weights], np.ndarray]


def _mean(values: np.ndarray, weights: Weights) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return weights @ values / weights.sum(axis=1)


def agreement(data: Confidences, weights: Weights) -> np.ndarray:
    """The share of hits."""
    return _mean(data.hit, weights)


def mean_confidence(data: Confidences, weights: Weights) -> np.ndarray:
    """How sure the judge is, on average."""
    return _mean(data.confidence, weights)


def overconfidence(data: Confidences, weights: Weights) -> np.ndarray:
    """Mean confidence minus agreement: above 0 the judge is too sure."""
    return _mean(data.confidence - data.hit, weights)


def expected_calibration_error(data: Confidences, weights: Weights) -> np.ndarray:
    """ECE: the distance of mean confidence and agreement within a bin, averaged over the items (Naeini et al. 2015).

    It is biased upwards: a bin with few items is off by chance (see `chance_error`).
    """
    return np.abs(weights @ ((data.confidence - data.hit)[:, None] * _in_bins(data))).sum(axis=1) / weights.sum(axis=1)


def brier(data: Confidences, weights: Weights) -> np.ndarray:
    """The mean squared distance of confidence and hit (Brier 1950); 0 is best, always saying .5 gives .25."""
    return _mean((data.confidence - data.hit) ** 2, weights)


def reliability(data: Confidences, weights: Weights) -> np.ndarray:
    """Murphy's first part: squared distances of confidence and agreement in the bins; less is better."""
    n, confidence, hits = _bin_means(data, weights)
    return (n * (confidence - hits) ** 2).sum(axis=1) / n.sum(axis=1)


def resolution(data: Confidences, weights: Weights) -> np.ndarray:
    """Murphy's second part: how far agreement in the bins is from agreement overall; more is better."""
    n, _, hits = _bin_means(data, weights)
    return (n * (hits - agreement(data, weights)[:, None]) ** 2).sum(axis=1) / n.sum(axis=1)


def uncertainty(data: Confidences, weights: Weights) -> np.ndarray:
    """Murphy's third part: agreement times its complement, which no confidence changes."""
    share = agreement(data, weights)
    return share * (1 - share)


def within_bins(data: Confidences, weights: Weights) -> np.ndarray:
    """What is left because confidences in a bin differ (Stephenson et al. 2008): squares minus twice the products.

    brier = reliability − resolution + uncertainty + within_bins, exactly.
    """
    n, confidence, hits = _bin_means(data, weights)
    squares = weights @ (_in_bins(data) * (data.confidence**2)[:, None]) - n * confidence**2
    products = weights @ (_in_bins(data) * (data.confidence * data.hit)[:, None]) - n * confidence * hits
    return (squares - 2 * products).sum(axis=1) / n.sum(axis=1)


def log_loss(data: Confidences, weights: Weights) -> np.ndarray:
    """The mean of −log of the probability of what happened, hit or miss, never below LEAST."""
    return _mean(_losses(data.confidence, data.hit), weights)


def area_under_risk(data: Confidences, weights: Weights) -> np.ndarray:
    """AURC: the share of misses among the most confident items, averaged over all coverages.

    Equally confident items are taken in together (Geifman, Uziel and El-Yaniv 2019, arXiv:1805.08206).
    """
    order = np.argsort(-data.confidence, kind="stable")
    last = np.append(np.diff(data.confidence[order]) != 0, True)
    covered = np.cumsum(weights[:, order], axis=1)[:, last]
    missed = np.cumsum(weights[:, order] * (1 - data.hit[order]), axis=1)[:, last]
    steps = np.diff(covered, axis=1, prepend=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        risks = np.where(covered > 0, missed / covered, 0)
    return (steps * risks).sum(axis=1) / covered[:, -1]


def chance_error(data: Confidences, weights: Weights) -> np.ndarray:
    """The ECE that a perfectly calibrated judge with these confidences would show by chance, items being independent.

    Within a bin the sum of confidence − hit has the variance Σ c (1 − c); its distance from 0 is √(2/π) standard
    deviations on average.
    """
    variances = weights @ ((data.confidence * (1 - data.confidence))[:, None] * _in_bins(data))
    return np.sqrt(2 / math.pi * variances).sum(axis=1) / weights.sum(axis=1)


# The measures of a table, by name; those of `PROPORTIONS` are means of hits, whose intervals are Wilson's.
MEASURES: Mapping[str, Measure] = {
    "agreement": agreement,
    "confidence": mean_confidence,
    "overconfidence": overconfidence,
    "ece": expected_calibration_error,
    "ece_by_chance": chance_error,
    "brier": brier,
    "brier_reliability": reliability,
    "brier_resolution": resolution,
    "brier_uncertainty": uncertainty,
    "brier_within_bins": within_bins,
    "log_loss": log_loss,
    "aurc": area_under_risk,
}
PROPORTIONS = ("agreement",)
WITHOUT_INTERVAL = ("ece_by_chance", "brier_uncertainty", "brier_within_bins")


def bin_of(confidence: np.ndarray) -> np.ndarray:
    """Return the number of the bin of each confidence, from 0; the lower edge belongs to a bin, and 1 to the last."""
    return np.minimum((confidence * N_BINS + 1e-9).astype(int), N_BINS - 1)


def _in_bins(data: Confidences) -> np.ndarray:
    """Return which bin each item is in: (n_items, N_BINS) of 0 and 1."""
    return (bin_of(data.confidence)[:, None] == np.arange(N_BINS)).astype(float)


def _bin_means(data: Confidences, weights: Weights) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return number, mean confidence and agreement of the bins, (n_resamples, N_BINS); 0 where a bin is empty."""
    bins = _in_bins(data)
    n = weights @ bins
    sums = [weights @ (bins * values[:, None]) for values in (data.confidence, data.hit)]
    return n, *(np.divide(total, n, out=np.zeros_like(n), where=n > 0) for total in sums)


def _losses(confidence: np.ndarray, hit: np.ndarray) -> np.ndarray:
    happened = np.where(hit > 0, confidence, 1 - confidence)
    return -np.log(np.maximum(happened, LEAST))


# ---- values with intervals ----


def estimates(data: Confidences, sample: Sample, names: Sequence[str] = tuple(MEASURES)) -> dict[str, Estimate]:
    """Return every measure with its interval, prompts as clusters; undefined ones where there is no item."""
    if not len(data):
        return dict.fromkeys(names, UNDEFINED)
    whole = np.ones((1, len(data)))
    values = {name: float(MEASURES[name](data, whole)[0]) for name in names}
    resampled = {name: [] for name in names if name not in (*PROPORTIONS, *WITHOUT_INTERVAL)}
    if resampled:
        for weights in _blocks(sample.weights, sample.cluster):
            for name, parts in resampled.items():
                parts.append(MEASURES[name](data, weights))
    left_out = {name: [] for name in names if name not in WITHOUT_INTERVAL}
    for weights in _blocks(1 - np.eye(sample.n_clusters, dtype=np.int8), sample.cluster):
        for name, parts in left_out.items():
            parts.append(MEASURES[name](data, weights))
    return {
        name: _estimate(name, value, resampled.get(name), left_out.get(name), sample) for name, value in values.items()
    }


def _estimate(
    name: str, value: float, resampled: list[np.ndarray] | None, left_out: list[np.ndarray] | None, sample: Sample
) -> Estimate:
    if left_out is None:
        return Estimate(value, math.nan, math.nan)
    jackknife, confidence = np.concatenate(left_out), sample.settings.confidence
    if name in PROPORTIONS:
        return Estimate(value, *proportion_interval(value, jackknife, sample.clusters, confidence))
    return Estimate(value, *bca_interval(value, np.concatenate(resampled), jackknife, sample.clusters, confidence))


def _blocks(weights: np.ndarray, cluster: np.ndarray) -> Iterator[np.ndarray]:
    """Yield the weights of items, (n_resamples, n_items), from those of their clusters, some resamples at a time."""
    step = max(1, _BLOCK // max(len(cluster), 1))
    for start in range(0, len(weights), step):
        yield weights[start : start + step][:, cluster].astype(float)


@dataclass(frozen=True)
class Point:
    """A point of a curve: where it is, the agreement there, and how many items it is of.

    Of a reliability diagram `at` is the lower edge of a bin and `confidence` the mean in it; of a risk–coverage curve
    `at` is the coverage that was wished for and `confidence` the lowest one that is still accepted.
    """

    at: float
    confidence: float
    agreement: Estimate
    n: int


def reliability_curve(data: Confidences, name: str, settings: object) -> Iterator[Point]:
    """Yield the bins that hold an item: mean confidence, and agreement with Wilson's interval."""
    bins = bin_of(data.confidence)
    for number in np.unique(bins):
        inside = data.part(bins == number)
        value = estimates(inside, inside.sample(name, settings), PROPORTIONS)["agreement"]
        yield Point(number / N_BINS, float(inside.confidence.mean()), value, len(inside))


def selective_curve(data: Confidences, name: str, settings: object) -> Iterator[Point]:
    """Yield the agreement among the most confident items, at COVERAGES; equally confident ones come in together."""
    descending = np.sort(data.confidence)[::-1]
    for coverage in COVERAGES if len(data) else ():
        threshold = descending[math.ceil(coverage * len(data) - 1e-9) - 1]
        accepted = data.part(data.confidence >= threshold)
        value = estimates(accepted, accepted.sample(name, settings), PROPORTIONS)["agreement"]
        yield Point(coverage, float(threshold), value, len(accepted))


# ---- calibration, fitted on development items ----


@dataclass(frozen=True)
class Temperature:
    """Divides logarithms of probabilities: above 1 a judge becomes less sure. No verdict changes (Guo et al. 2017)."""

    value: float

    @classmethod
    def fitted(cls, data: Confidences) -> "Temperature":
        """Return the temperature with the least log loss on the development items."""
        from scipy.optimize import minimize_scalar

        def loss(logarithm: float) -> float:
            return float(_losses(cls(math.exp(logarithm)).of(data), data.hit).mean())

        bounds = tuple(map(math.log, TEMPERATURES))
        return cls(math.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))

    def of(self, data: Confidences) -> np.ndarray:
        """Return the confidences at this temperature."""
        width = max(map(len, data.answers), default=1)
        padded = np.full((len(data), width), 0.0)
        for row, answers in zip(padded, data.answers, strict=True):
            row[: len(answers)] = answers
        with np.errstate(divide="ignore"):
            logs = np.log(padded) / self.value
        weights = np.exp(logs - logs.max(axis=1, keepdims=True))
        return weights[:, 0] / weights.sum(axis=1)


@dataclass(frozen=True)
class Isotonic:
    """The rising step function nearest to the hits (Zadrozny and Elkan 2002): as flexible as it is hungry for items."""

    regression: object

    @classmethod
    def fitted(cls, data: Confidences) -> "Isotonic":
        """Return the function with the least squared error on the development items; it goes on level at its ends."""
        from sklearn.isotonic import IsotonicRegression

        regression = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
        return cls(regression.fit(data.confidence, data.hit))

    def of(self, data: Confidences) -> np.ndarray:
        """Return the calibrated confidences."""
        return self.regression.predict(data.confidence)


METHODS = {"temperature": Temperature, "isotonic": Isotonic}


def why_not_fitted(data: Confidences) -> str:
    """Return why nothing can be fitted on these development items, empty where it can."""
    if len(data) < FEWEST_FITTED:
        return f"{len(data)} development items with a probability, fewer than {FEWEST_FITTED}"
    share = float(data.hit.mean())
    return "" if 0 < share < 1 else f"all development verdicts are {'right' if share else 'wrong'}"
