"""How many items, how many labels? Power before a study runs, and what a set of items can show at all.

Two judges of the same items. d_i is the score of judge a on item i minus that of judge b; a score is the share of the
orders that are right. Miller (2024, arXiv:2411.00640, section 5) gives the number of items that show a difference δ:

    n = (z_{1−α/2} + z_{1−β})² · (ω² + σ_A²/K_A + σ_B²/K_B) / δ²

ω² is the variance over items of the difference of expected scores, σ² what a judge's score of one item varies from run
to run, K the number of runs. Verdicts show the bracket whole: it is Var(d). Three things are put in here:

- the variance is estimated, so that noncentral t takes the place of z (a few items more);
- items that share a prompt are not independent: Var(d) is multiplied by their design effect, and t has one degree of
  freedom less than there are effective prompts (Kish 1965);
- the variance is that of judges who do differ by δ, E[d²] − δ², E[d²] being the discordance that was seen.

Labels follow the same way: the number that makes an interval as narrow as wanted (kappa: Fleiss, Cohen and Everitt
1969; corrected numbers: PPI++, arXiv:2311.01453), or that lets a judge pass the alternative annotator test.
How well all this foretells the power of the tests themselves: benchmarks/results/power.md.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import optimize, stats
from statsmodels.stats.inter_rater import cohens_kappa

from judgemerge.evaluate import alternative_annotator as alternative
from judgemerge.evaluate.bootstrap import effective_clusters, t_quantile
from judgemerge.evaluate.power import power_of, reach

MOST = 10**9  # beyond this number of prompts nothing is planned
DORNER = (
    2.0  # what a judge saves at most that is no better than what it judges (Dorner, Nastl and Hardt, arXiv:2410.13341)
)


# ---- two judges on the same items ----


@dataclass(frozen=True)
class Spread:
    """How far the scores of two judges are apart on single items.

    `squares` is E[d²]. `is_share` says that d lies between −1 and 1, so that E[d²] is the share of items on which just
    one judge is right, as far as scores are 0 and 1; else it is taken for Var(d). `cubes` is E|d|³ / E|d| and `fourths`
    E[d⁴] / E[d²], both 1 where d is 0 or ±1. `design_effect` is by how much prompts widen the variance of the mean,
    `per_prompt` how many items there are for each effective prompt.
    """

    squares: float
    is_share: bool = True
    design_effect: float = 1.0
    per_prompt: float = 1.0
    cubes: float = 1.0
    fourths: float = 1.0

    @classmethod
    def of(cls, differences: np.ndarray, cluster: np.ndarray, is_share: bool = True) -> "Spread":
        """Return what (n_items,) differences show; `cluster` is equal for items that share a prompt."""
        sizes = np.unique(cluster, return_counts=True)[1]
        effect = float(alternative.design_effect(differences, cluster))
        prompts = effect, len(differences) / effective_clusters(sizes)
        if not is_share:
            return cls(float(np.var(differences)), is_share, *prompts)
        moments = [float(np.mean(np.abs(differences) ** power)) for power in range(1, 5)]
        if not moments[0]:
            return cls(0.0, is_share, *prompts)
        return cls(moments[1], is_share, *prompts, moments[2] / moments[0], moments[3] / moments[1])

    def variance(self, difference: float) -> float:
        """Return Var(d) of judges that differ by this much: at least so often must just one of them be right."""
        return max(self.squares, abs(difference)) - difference**2 if self.is_share else self.squares

    def power(self, difference: float, n_items: float, confidence: float) -> float:
        """Return how often so many items show the difference.

        That of noncentral t, which is right where d is normal, with the mean and the spread that Student's t has with
        this d, for its mean and its variance go together: for a difference of e standard deviations of d, skewness γ
        and excess κ, Var(t) = 1 + e² / 2 + e² κ / 4 − e γ, and E(t) is larger by 3 e κ / (8 √n) − γ / (2 √n).
        """
        variance = self.variance(difference)
        if variance <= 0:
            return 1.0
        error = math.sqrt(variance * self.design_effect / n_items)
        distance, effective = difference / error, n_items / self.per_prompt
        plain = power_of(distance, effective, confidence)
        if not self.is_share or plain > 1 - 1e-9:
            return plain
        normal = 1 + distance**2 / (2 * effective)
        skewness, excess = self._beside_normal(difference)
        size, root = difference / math.sqrt(variance), math.sqrt(n_items / self.design_effect)
        skewed = max(normal + size**2 * excess / 4 - size * skewness, 0.1)
        shift = (3 * size * excess / 8 - skewness / 2) / root
        return float(stats.norm.cdf((stats.norm.ppf(plain) * math.sqrt(normal) + shift) / math.sqrt(skewed)))

    def _beside_normal(self, difference: float) -> tuple[float, float]:
        """Return skewness and excess of d, with the third moment that tilted signs give, δ E|d|³ / E|d|."""
        squares, variance = max(self.squares, abs(difference)), self.variance(difference)
        third = difference * self.cubes - 3 * difference * squares + 2 * difference**3
        fourth = squares * self.fourths - 4 * difference**2 * self.cubes + 6 * difference**2 * squares
        return third / variance**1.5, (fourth - 3 * difference**4) / variance**2 - 3

    def items(self, difference: float, power: float, confidence: float) -> int:
        """Return the number of items that show the difference with this power."""
        n_prompts = smallest(lambda n: self.power(difference, n * self.per_prompt, confidence) >= power)
        return math.ceil(n_prompts * self.per_prompt)

    def detectable(self, n_items: int, power: float, confidence: float) -> float:
        """Return the smallest difference that so many items show; NaN where none is large enough."""
        if not self.is_share:
            distance = reach(power, confidence, round(n_items / self.per_prompt, 6))
            return distance * math.sqrt(self.squares * self.design_effect / n_items)
        if self.power(0.999, n_items, confidence) < power:
            return math.nan
        return float(
            optimize.brentq(lambda difference: self.power(difference, n_items, confidence) - power, 1e-9, 0.999)
        )


def smallest(is_enough: Callable[[int], bool], least: int = 2) -> int:
    """Return the smallest whole number from `least` on that is enough; `is_enough` stays true once it is."""
    high = least
    while not is_enough(high):
        high *= 2
        if high > MOST:
            return MOST
    low = max(least, high // 2)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if is_enough(middle) else (middle + 1, high)
    return high


# ---- labels for an interval ----


@dataclass(frozen=True)
class Labelled:
    """A number that labels estimate, and what one of them says of it.

    `variance` is n times the variance that n labels leave, each on a prompt of its own. Where all of `n_items` items
    are labelled, prompts widen it by `design_effect`, and there are `per_prompt` items for each effective prompt; of
    fewer labels, drawn by chance, fewer share a prompt. `correlation` is that of a judge who has an opinion on all
    items, 0 where the labels are alone.
    """

    variance: float
    design_effect: float = 1.0
    per_prompt: float = 1.0
    n_items: float = math.inf
    correlation: float = 0.0

    def thinned(self, whole: float, n_labels: int) -> float:
        """Return a design effect, or a number of items per prompt, among so many labels."""
        return 1 + (whole - 1) * min(n_labels / self.n_items, 1.0)

    def left(self, n_labels: int) -> float:
        """Return the variance that so many labels leave.

        σ²/n · (1 − ρ²) from the labels and σ²/N · ρ² from the judged items, of which the labels are a part: together
        the variance of PPI++ with its best λ. Where many are judged, a label counts for 1 / (1 − ρ²).
        """
        explained = self.correlation**2
        of_labels = (1 - explained) / n_labels * self.thinned(self.design_effect, n_labels)
        return self.variance * (of_labels + explained / max(self.n_items, n_labels) * self.design_effect)

    def half(self, n_labels: int, confidence: float) -> float:
        """Return half the interval that so many labels give."""
        effective = n_labels / self.thinned(self.per_prompt, n_labels)
        return t_quantile(confidence, effective) * math.sqrt(self.left(n_labels))

    def labels(self, half: float, confidence: float, least: int = 2) -> int | None:
        """Return how many labels make the interval at most ± half; None where a judge's items are too few for it."""
        needed = smallest(lambda n: self.half(n, confidence) <= half + 1e-12, least)
        return None if self.correlation and needed > self.n_items else needed


def agreement_table(kappa: float, shares: Sequence[float]) -> np.ndarray:
    """Return the shares of each pair of labels, (n, n), of two raters who use the classes alike and have this kappa."""
    share = np.asarray(shares, dtype=float) / np.sum(shares)
    return kappa * np.diag(share) + (1 - kappa) * np.outer(share, share)


def kappa_variance(table: np.ndarray, is_graded: bool = False) -> float:
    """Return the variance of kappa from one label, (n, n) → that of n labels times n.

    Grades have quadratic weights, as the kappas of replaceability.csv; the table's rows and columns are then grades in
    even steps. Of a table without an error the variance would be 0: half a count is added to every cell.
    """
    total = float(table.sum())
    is_perfect = np.isclose(np.trace(table), total)
    counts = table + 0.5 if is_perfect else table
    with np.errstate(invalid="ignore", divide="ignore"):  # of a rater who says always the same nothing is defined
        result = cohens_kappa(counts, wt="quadratic" if is_graded else None)
    return float(result.var_kappa) * float(counts.sum())


# ---- labels for the alternative annotator test ----


@dataclass(frozen=True)
class Duelling:
    """Judge against one person: the shares of items on which only the person (`above`), only the judge is nearer."""

    above: float
    below: float
    design_effect: float = 1.0
    per_prompt: float = 1.0

    @classmethod
    def of(cls, duel: alternative.Duel) -> "Duelling":
        """Return what one duel shows."""
        difference, sizes = duel.difference, np.unique(duel.cluster, return_counts=True)[1]
        effect = float(alternative.design_effect(difference.astype(float), duel.cluster))
        per_prompt = len(difference) / effective_clusters(sizes)
        return cls(float((difference > 0).mean()), float((difference < 0).mean()), effect, per_prompt)

    @property
    def margin(self) -> float:
        """How much more often the person is nearer."""
        return self.above - self.below

    def power(self, n_items: float, epsilon: float, level: float) -> float:
        """Return how often the judge beats the person at this level of significance (`alternative.margin_p`)."""
        seen = self.above + self.below - self.margin**2
        border = restricted_variance(self.above, self.below, epsilon)
        at_border = min(border, seen) * self.design_effect + max(border - seen, 0) * self.per_prompt
        bound = stats.t.ppf(1 - level, max(n_items / self.per_prompt - 1, 1)) * math.sqrt(at_border / n_items)
        error = math.sqrt(max(seen, 1e-12) * self.design_effect / n_items)
        return float(stats.norm.cdf((epsilon - self.margin - bound) / error))

    def items(self, epsilon: float, n_people: int, power: float) -> int | None:
        """Return how many items each person must label for the judge to beat enough of them; None: never."""
        if self.margin >= epsilon - alternative.SAME:
            return None
        level = passing_level(n_people)
        n_prompts = smallest(lambda n: self.power(n * self.per_prompt, epsilon, level) >= power)
        return max(math.ceil(n_prompts * self.per_prompt), alternative.LEAST_ITEMS)


def passing_level(n_people: int) -> float:
    """Return the p that half of the people must be beaten at: k α / (m (1 + ½ + … + 1/m)), k being half of m."""
    k = math.ceil(alternative.PASSES * n_people)
    return k * alternative.RATE / (n_people * sum(1 / rank for rank in range(1, n_people + 1)))


def restricted_variance(above: float, below: float, epsilon: float) -> float:
    """Return the variance of d at the border of the null hypothesis, for shares instead of counts."""
    counts = [round(10_000 * share) for share in (above, below)]
    sample = np.repeat([1.0, -1.0, 0.0], [*counts, max(10_000 - sum(counts), 0)])
    return float(alternative.restricted_variance(sample, epsilon))


def items_to_replace(duels: Sequence[Duelling], epsilon: float, power: float) -> int | None:
    """Return how many items each person must label for a judge to pass; None where too many people are ahead of it.

    The judge passes when it beats half of the people: those are the ones that take the fewest items, and that each is
    beaten with this power is enough where duels go together, as they do (all share the judge).
    """
    needed = sorted((one.items(epsilon, len(duels), power) for one in duels), key=lambda n: MOST if n is None else n)
    return needed[math.ceil(alternative.PASSES * len(duels)) - 1] if needed else None
