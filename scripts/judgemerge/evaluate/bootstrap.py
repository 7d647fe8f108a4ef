"""Cluster bootstrap: one matrix of weights per benchmark, and the intervals read from it.

Items that share a prompt are not independent, so whole clusters are drawn. What a judge's metric needs is counted per
cluster; a matrix product of the counts with the weights then gives those counts for every resample at once.

Why not the plain percentile interval: at 100 items in about 40 clusters it covers the truth in 90–95 % of simulated
studies instead of 95 % (coverage.md, `benchmarks/simulate_coverage.py`). Five known causes, five remedies:

- the bootstrap uses normal instead of t quantiles and divides by G instead of G − 1 → the levels are widened as in
  Hesterberg's "expanded percentile interval" (2015, doi:10.1080/00031305.2015.1089789);
- clusters of unequal size whose items resemble each other say less than their number → how much the bootstrap's
  variance falls short, and the degrees of freedom, come from a model of what clusters contribute (`Clusters.spread`);
- a correlation is skewed, and resamples repeat clusters, so that they scatter less than samples do → Student's t with
  the jackknife's variance on Fisher's z scale (`fisher_interval`);
- macro F1 and kappa are biased and skewed in small samples → BCa levels (Efron 1987, doi:10.2307/2289144);
- a proportion near 0 or 1 has resamples that never leave it → Wilson's score interval with the effective sample size
  of the clustered design, which is never of width 0 (Korn and Graubard 1998, with Wilson for Clopper–Pearson).
"""

import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from scipy import special

MAX_EXACT_FLOAT32 = 2**24  # whole numbers up to here are exact in float32, and so are sums of them
ALIKE = np.linspace(0, 1, 21)  # the correlations of items of one cluster among which the likeliest is taken
NO_VARIANCE = 1e-18  # what is below is rounding


def generator(seed: int, name: str) -> np.random.Generator:
    """Return the generator of one benchmark: the same seed gives independent draws for benchmarks of different name."""
    return np.random.default_rng([seed, zlib.crc32(name.encode())])


def resampling_weights(n_clusters: int, n_resamples: int, rng: np.random.Generator) -> np.ndarray:
    """Return how often each cluster is drawn in each resample: (n_resamples, n_clusters) small whole numbers.

    Each row is multinomial with equal probabilities and sums to n_clusters.
    """
    kind = np.uint16 if n_clusters < 2**16 else np.uint32  # no cluster is drawn more than n_clusters times
    weights = np.empty((n_resamples, n_clusters), dtype=kind)
    if n_clusters == 0:
        return weights
    step = max(1, 2_000_000 // n_clusters)
    for start in range(0, n_resamples, step):
        block = weights[start : start + step]
        clusters = rng.integers(0, n_clusters, size=block.shape)
        clusters += np.arange(len(block))[:, None] * n_clusters
        block[:] = np.bincount(clusters.ravel(), minlength=block.size).reshape(block.shape)
    return weights


def weighted_sums(counts: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the counts of every resample: (n_counts, n_clusters) → (n_counts, n_resamples).

    Sums of whole numbers are exact in single precision (and the same on every machine and thread count) as long as
    none can pass 2²⁴; otherwise double precision is used.
    """
    largest = np.abs(counts).max(initial=0) * weights.shape[1]
    exact = largest < MAX_EXACT_FLOAT32 and np.all(counts == np.round(counts))
    counts = counts.astype(np.float32 if exact else np.float64)
    sums = np.empty((len(counts), len(weights)), dtype=counts.dtype)
    step = max(1, 2_000_000 // max(weights.shape[1], 1))  # the weights are turned into such numbers a part at a time
    for start in range(0, len(weights), step):
        sums[:, start : start + step] = counts @ weights[start : start + step].T.astype(counts.dtype)
    return sums


def leave_one_out(counts: np.ndarray) -> np.ndarray:
    """Return the counts without each cluster in turn: (n_counts, n_clusters) → the same shape."""
    return counts.sum(axis=1, keepdims=True) - counts


def effective_clusters(cluster_sizes: np.ndarray) -> float:
    """Return (Σm)² / Σm²: the number of equal clusters that say as much as these (Kish 1965)."""
    return float(cluster_sizes.sum() ** 2 / np.square(cluster_sizes).sum()) if cluster_sizes.size else 0.0


class Replicated(NamedTuple):
    """A value, (n_resamples,) of its resamples, and without each cluster, (n_clusters,)."""

    value: float
    resampled: np.ndarray
    jackknife: np.ndarray


class Spread(NamedTuple):
    """By how much the variance over resamples falls short, a factor, and the degrees of freedom that it has."""

    inflation: float
    freedom: float

    def t_quantile(self, confidence: float) -> float:
        """Return the two-sided t quantile; with less than one degree of freedom that of one."""
        return t_quantile(confidence, self.freedom + 1)


@dataclass(frozen=True)
class Clusters:
    """Clusters of `sizes` items, (n_clusters,), and what follows from their sizes being unequal."""

    sizes: np.ndarray

    @property
    def n(self) -> int:
        """The number of clusters."""
        return len(self.sizes)

    @cached_property
    def effective(self) -> float:
        """The number of equal clusters that say as much as these."""
        return effective_clusters(self.sizes)

    @cached_property
    def shares(self) -> np.ndarray:
        """The share of all items that each cluster has, (n_clusters,)."""
        return self.sizes / self.sizes.sum()

    @cached_property
    def _variances(self) -> np.ndarray:
        """The variance of a cluster's sum, m (1 + (m − 1) ρ), for each ρ of ALIKE: (n_rho, n_clusters)."""
        return self.sizes * (1 + (self.sizes - 1) * ALIKE[:, None])

    @cached_property
    def _precisions(self) -> tuple[np.ndarray, np.ndarray]:
        """One over these variances and their logarithms, (n_rho, n_clusters) each; 0 for clusters without an item."""
        variances = np.where(self.sizes > 0, self._variances, 1.0)
        return (self.sizes > 0) / variances, np.log(variances)

    @cached_property
    def _spreads(self) -> list[Spread]:
        """The spread for each ρ of ALIKE.

        With S the sums of the clusters, h their shares and r = S − h ΣS what they deviate by, the bootstrap's variance
        is rᵀr over the squared number of items. It is a quadratic form in S with the matrix I − h1ᵀ − 1hᵀ + hᵀh 11ᵀ, so
        its mean is Σ v (1 + p) and its variance twice Σ v_i v_j M_ij², v being the variances of S and p = hᵀh − 2h.
        Degrees of freedom are 2 mean² / variance (Satterthwaite 1946; Bell and McCaffrey 2002). With equal sizes they
        are G − 1, and the inflation is G / (G − 1).
        """
        shares, together = self.shares, float(self.shares @ self.shares)
        diagonal = together - 2 * shares
        sums = [self._variances @ shares**power for power in range(3)]
        mean = self._variances @ (1 + diagonal)
        squares = together**2 * sums[0] ** 2 - 4 * together * sums[0] * sums[1] + 2 * sums[0] * sums[2]
        squares += 2 * sums[1] ** 2 + self._variances**2 @ (1 + 2 * diagonal)
        with np.errstate(divide="ignore", invalid="ignore"):  # one cluster has all items: nothing is known
            return [Spread(*map(float, both)) for both in zip(sums[0] / mean, mean**2 / squares, strict=True)]

    def influence(self, value: float, jackknife: np.ndarray) -> np.ndarray:
        """Return by how much each cluster moves a value, (n_clusters,); `jackknife` is the value without each.

        (1 − share) (value − value without), centred: of a mean that is the cluster's sum of deviations over all items.
        NaN for clusters without which the value is undefined.
        """
        moved = (1 - self.shares) * (value - jackknife)
        return moved - np.nanmean(moved) if np.isfinite(moved).any() else moved

    def spread(self, influence: np.ndarray) -> Spread:
        """Return inflation and degrees of freedom for a statistic with this influence of each cluster, (n_clusters,).

        Squared influences have means in proportion to m (1 + (m − 1) ρ): independent items at ρ = 0, copies at ρ = 1.
        The ρ of the highest normal likelihood is taken (Imbens and Kolesár 2016, doi:10.1162/REST_a_00552, estimate it
        from pairs of items, which most metrics do not have). Sizes alone (Kish) would be right for ρ = 0 only.
        """
        defined = np.isfinite(influence) & (self.sizes > 0)
        squares = np.where(defined, influence, 0.0) ** 2
        if squares.sum() < NO_VARIANCE or np.ptp(self.sizes) == 0:
            return self._spreads[0]
        precisions, logarithms = self._precisions
        likelihood = -(logarithms @ defined) - defined.sum() * np.log(precisions @ squares)
        return self._spreads[int(np.argmax(likelihood))]


def t_quantile(confidence: float, effective: float) -> float:
    """Return the two-sided t quantile with effective − 1 degrees of freedom (at least 1)."""
    return float(special.stdtrit(max(effective - 1, 1), (1 + confidence) / 2))


def jackknife_variance(influence: np.ndarray, spread: Spread) -> float:
    """Return the variance of a value from the influence of each cluster; undefined ones are left out."""
    return spread.inflation * float(np.nansum(influence**2))


def jackknife_deviations(jackknife: np.ndarray) -> np.ndarray:
    """Return mean − value without each cluster; clusters without which the metric is undefined are left out."""
    defined = jackknife[np.isfinite(jackknife)]
    return defined.mean() - defined if defined.size else defined


def proportion_interval(
    value: float, jackknife: np.ndarray, clusters: Clusters, confidence: float
) -> tuple[float, float]:
    """Return Wilson's score interval for a proportion of clustered items.

    The sample size is value (1 − value) / variance, the variance being the cluster jackknife's. Where no cluster
    deviates (always right, never an error) that is undefined; every cluster then counts as one observation, which is
    the cautious end. The t quantile replaces the normal one because the variance is itself estimated.
    """
    if clusters.n < 2 or not np.isfinite(value):
        return np.nan, np.nan
    influence = clusters.influence(value, jackknife)
    spread = clusters.spread(influence)
    variance = jackknife_variance(influence, spread)
    size = value * (1 - value) / variance if variance > NO_VARIANCE else clusters.effective
    size = size if size > 0 else clusters.effective
    quantile = spread.t_quantile(confidence)
    shrink = 1 + quantile**2 / size
    centre = (value + quantile**2 / (2 * size)) / shrink
    half = quantile / shrink * np.sqrt(value * (1 - value) / size + quantile**2 / (4 * size**2))
    return max(centre - half, 0.0), min(centre + half, 1.0)


def bca_interval(
    value: float, resampled: np.ndarray, jackknife: np.ndarray, clusters: Clusters, confidence: float
) -> tuple[float, float]:
    """Return the bias-corrected and accelerated interval at levels widened for few and unequal clusters.

    NaN ends when there are fewer than two clusters or the metric is the same in every resample: no spread was seen, and
    an interval of width 0 would claim certainty. Resamples in which the metric is undefined are left out.
    """
    resampled = resampled[np.isfinite(resampled)]
    if clusters.n < 2 or not np.isfinite(value) or resampled.size < 2 or np.ptp(resampled) < 1e-12:
        return np.nan, np.nan
    below = np.mean(resampled < value - 1e-12) + np.mean(np.abs(resampled - value) <= 1e-12) / 2
    edge = 0.5 / resampled.size
    bias = special.ndtri(np.clip(below, edge, 1 - edge))
    deviations = jackknife_deviations(jackknife)
    squares = float(deviations @ deviations)
    acceleration = float((deviations**3).sum()) / (6 * squares**1.5) if squares > NO_VARIANCE else 0.0
    spread = clusters.spread(clusters.influence(value, jackknife))
    reach = np.sqrt(spread.inflation) * spread.t_quantile(confidence)
    levels = [_bca_level(side * reach, bias, acceleration) for side in (-1, 1)]
    low, high = np.quantile(resampled, levels)
    return float(low), float(high)


def fisher_interval(value: float, jackknife: np.ndarray, clusters: Clusters, confidence: float) -> tuple[float, float]:
    """Return the interval of a correlation, or of what behaves as one: ±t · s on the scale of arctanh, turned back.

    s² is the cluster jackknife's variance, divided by the squared slope (1 − value²)² of the scale. NaN ends when there
    are fewer than two clusters, or the value is ±1 or the same without any of them.
    """
    if clusters.n < 2 or not np.isfinite(value) or abs(value) > 1 - 1e-9 or np.isfinite(jackknife).sum() < 2:
        return np.nan, np.nan
    influence = clusters.influence(value, jackknife)
    spread = clusters.spread(influence)
    variance = jackknife_variance(influence, spread)
    if variance < NO_VARIANCE:
        return np.nan, np.nan
    half = spread.t_quantile(confidence) * np.sqrt(variance) / (1 - value**2)
    return float(np.tanh(np.arctanh(value) - half)), float(np.tanh(np.arctanh(value) + half))


def _bca_level(z: float, bias: float, acceleration: float) -> float:
    shifted = bias + z
    slope = 1 - acceleration * shifted
    if slope <= 0:  # beyond the pole of the acceleration the level is the extreme one on that side
        return float(shifted > 0)
    return float(special.ndtr(bias + shifted / slope))


class DifferenceTest(NamedTuple):
    """Interval ends and two-sided p of a difference, and the degrees of freedom of its standard error."""

    low: float
    high: float
    p: float
    freedom: float


NO_TEST = DifferenceTest(np.nan, np.nan, np.nan, np.nan)


def difference_test(
    a: Replicated, b: Replicated, clusters: Clusters, confidence: float, correlation: bool = False
) -> DifferenceTest:
    """Return the test of a − b, two judges on the same items and resamples.

    Student's t with the bootstrap standard error, its shortfall and degrees of freedom as for one judge, from what each
    cluster adds to the difference: the difference of two judges on the same items is nearly symmetric, so t needs no
    skewness correction, keeps interval and test in step, and its false-alarm rate is 4–6 % where the percentile test
    has 5–7 % (coverage.md).
    Correlations are compared on Fisher's z scale, on which their spread does not shrink towards 1 (without it the false
    alarms for Spearman at 0.87 are 2.7 %); the ends are brought back by the slope between the two values.
    Judges that differ nowhere have p = 1 and an interval of width 0. NaN with fewer than two clusters.
    """
    difference = a.value - b.value
    defined = np.isfinite(a.resampled) & np.isfinite(b.resampled)
    if clusters.n < 2 or not np.isfinite(difference) or defined.sum() < 2:
        return NO_TEST
    gap, gaps, slope = difference, (a.resampled - b.resampled)[defined], 1.0
    if correlation and max(_largest(side, defined) for side in (a, b)) < 1 - 1e-9:
        gap = np.arctanh(a.value) - np.arctanh(b.value)
        gaps = np.arctanh(a.resampled[defined]) - np.arctanh(b.resampled[defined])
        slope = difference / gap if abs(gap) > 1e-9 else 1 - a.value**2
    spread = clusters.spread(clusters.influence(difference, a.jackknife - b.jackknife))
    error = gaps.std(ddof=1) * np.sqrt(spread.inflation)
    if error < 1e-12:
        return DifferenceTest(difference, difference, 1.0 if abs(difference) < 1e-12 else np.nan, spread.freedom)
    half = slope * spread.t_quantile(confidence) * error
    p = 2 * special.stdtr(max(spread.freedom, 1), -abs(gap) / error)
    return DifferenceTest(difference - half, difference + half, float(p), spread.freedom)


def _largest(side: Replicated, defined: np.ndarray) -> float:
    return max(abs(side.value), np.abs(side.resampled[defined]).max())
