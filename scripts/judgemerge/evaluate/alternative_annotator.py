"""The alternative annotator test: may a judge replace people? (Calderon, Reichart, Dror 2025, arXiv:2501.10970)

Take one person out of the panel. Who is nearer to the labels of the others, that person or the judge? On item i, with S
the nearness to the other people (classes: the share of them with the same label; grades: minus the root mean squared
difference),

    W_judge[i] = 1 if S(judge) ≥ S(person)        W_person[i] = 1 if S(person) ≥ S(judge)        d = W_person − W_judge

so that d is −1 (the judge is nearer), 0 (equally near) or 1 (the person is nearer). The judge beats the person when

    H0: E[d] ≥ ε        is rejected for        H1: E[d] < ε,

where ε is what a person's label is worth more than a judge's for the price. The p-values of all people go through
Benjamini and Yekutieli's procedure, which holds whatever their dependence (the people share items, and the judge):

    winning rate ω = share of the people whom the judge beats; from ½ on it may replace them
    advantage ρ    = mean over the people of E[W_judge]; it ranks judges, and needs no ε.

Two p-values per person. `p_items` is the paper's: Student's t on items. `p` is ours, see `margin_p`: the t test counts
items that share a prompt as independent, and where nearly all d are 0 it takes a small spread for certainty.

What the paper leaves open. An unreadable reply agrees with nobody: no other person has that class, no grade is near it.
An item counts for a person when somebody else labelled it too and the judge was asked; one other person is enough, as
in the authors' code. People with fewer than 30 such items are left out, and fewer than three people are no panel.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import special

from judgemerge.evaluate.bootstrap import effective_clusters
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.multiple_testing import benjamini_yekutieli

LEAST_ITEMS = 30  # per person; with fewer the paper asks for another test, and ω moves by chance
LEAST_PEOPLE = 3
RATE = 0.05  # of false discoveries among the people whom the judge is said to beat
PASSES = 0.5  # winning rate from which a judge may replace people
SAME = 1e-9  # costs that differ by less are equal: sums of fractions come out in another order


@dataclass(frozen=True)
class Panel:
    """The labels that people gave to the items of one set.

    `labels` is (n_items, n_columns): class codes, or grades where `are_grades`; NaN where there is no label. The first
    columns are those of `people`, in their order. Further columns hold the labels of `n_rare` people who labelled too
    few items to be tested, packed together: a crowd of thousands has thousands of such people, of whom no more is
    needed than what they said. `cluster` is (n_items,), equal for items that share a prompt.
    """

    people: tuple[str, ...]
    labels: np.ndarray
    cluster: np.ndarray
    are_grades: bool = False
    n_rare: int = 0

    @classmethod
    def of_votes(
        cls, item: np.ndarray, person: np.ndarray, label: np.ndarray, cluster: np.ndarray, are_grades: bool
    ) -> "Panel":
        """Return the panel of single labels: `item`, `person` (a name) and `label` are (n_labels,).

        Of several labels by one person on one item the first counts.
        """
        names, number = np.unique(np.asarray(person, dtype=str), return_inverse=True)
        _, first = np.unique(np.stack([item, number]), axis=1, return_index=True)
        item, number, label = item[first], number[first], label[first]
        is_rare = np.bincount(number, minlength=len(names)) < LEAST_ITEMS
        column = np.cumsum(~is_rare) - 1
        n_people, rare = int((~is_rare).sum()), is_rare[number]
        place = np.where(rare, n_people + _rank_within(item, rare), column[number])
        labels = np.full((len(cluster), max(n_people, place.max(initial=-1) + 1)), np.nan)
        labels[item, place] = label
        return cls(tuple(map(str, names[~is_rare])), labels, cluster, are_grades, int(is_rare.sum()))

    @cached_property
    def has_label(self) -> np.ndarray:
        """Whether there is a label, (n_items, n_columns)."""
        return ~np.isnan(self.labels)

    @property
    def n_people(self) -> int:
        """How many people labelled, those with few items included."""
        return len(self.people) + self.n_rare

    @property
    def of_people(self) -> np.ndarray:
        """The labels of `people` alone, (n_items, n_people)."""
        return self.labels[:, : len(self.people)]


@dataclass(frozen=True)
class Duel:
    """Judge and one person, both measured on the others: over the n items that count for that person.

    `item` is (n,), places in the panel; `judge_wins` and `person_wins` are (n,), both true where they are equally near.
    """

    person: str
    item: np.ndarray
    judge_wins: np.ndarray
    person_wins: np.ndarray
    cluster: np.ndarray

    @property
    def n(self) -> int:
        """How many items count."""
        return len(self.item)

    @property
    def advantage(self) -> float:
        """The share of items on which the judge is at least as near to the others as the person: ρ of one person."""
        return float(self.judge_wins.mean())

    @property
    def difference(self) -> np.ndarray:
        """Where the person is nearer 1, where the judge is −1, else 0; (n,)."""
        return self.person_wins.astype(int) - self.judge_wins

    @property
    def margin(self) -> float:
        """The mean difference, which the test compares with ε: how much more often the person is nearer."""
        return float(self.difference.mean())


def _rank_within(item: np.ndarray, counted: np.ndarray) -> np.ndarray:
    """Return for each label how many counted ones on the same item come before it; `item` is sorted, (n_labels,)."""
    before = np.cumsum(counted) - counted
    starts = np.searchsorted(item, item)
    return before - before[starts]


def costs(label: np.ndarray, others: np.ndarray, are_grades: bool) -> np.ndarray:
    """Return how far a label is from those of the other people, item by item: (n,), (n, n_others) → (n,), units of S.

    Classes: the share of the others who say something else. Grades: the root mean squared difference. Others who did
    not label the item (NaN) do not count. A label that is NaN, an unreadable reply, agrees with nobody: 1, or infinity.
    """
    has_label = ~np.isnan(others)
    n_others = has_label.sum(axis=1)
    if are_grades:
        squares = np.where(has_label, (label[:, None] - others) ** 2, 0.0)
        return np.where(np.isnan(label), np.inf, np.sqrt(squares.sum(axis=1) / n_others))
    return (has_label & (others != label[:, None])).sum(axis=1) / n_others


def duels(panel: Panel, judge: np.ndarray, was_asked: np.ndarray) -> list[Duel]:
    """Return the duel of a judge with every person of a panel.

    `judge` is (n_items,): its label of each item, NaN where the reply is unreadable; `was_asked` is (n_items,).
    """
    several = panel.has_label.sum(axis=1) > 1
    results = []
    for number, person in enumerate(panel.people):
        item = np.flatnonzero(panel.has_label[:, number] & several & was_asked)
        others = np.delete(panel.labels[item], number, axis=1)
        judge_cost = costs(judge[item], others, panel.are_grades)
        person_cost = costs(panel.labels[item, number], others, panel.are_grades)
        judge_wins, person_wins = judge_cost <= person_cost + SAME, person_cost <= judge_cost + SAME
        results.append(Duel(person, item, judge_wins, person_wins, panel.cluster[item]))
    return results


def t_test_p(difference: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the paper's p of H0: E[d] ≥ ε, (…, n) → (…): Student's t test of independent items, one-sided.

    Items that are all the same leave no spread: then p is 0 below ε, else 1.
    """
    n, mean, spread = difference.shape[-1], difference.mean(axis=-1), difference.std(axis=-1, ddof=1)
    t = divide(mean - epsilon, spread / np.sqrt(n))
    return np.where(spread == 0, mean >= epsilon, special.stdtr(n - 1, t))


def restricted_variance(difference: np.ndarray, epsilon: float) -> np.ndarray:
    """Return the variance of one d under H0 at its border E[d] = ε, by maximum likelihood: (…, n) → (…).

    Tango (1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<891::AID-SIM780>3.0.CO;2-B): with q the probability of
    d = −1, and therefore q + ε that of d = 1, the likelihood is greatest at the root of

        2n q² + b q + c = 0,    b = (2n − n₊ + n₋) ε − n₊ − n₋,    c = −n₋ ε (1 − ε),

    n₊ and n₋ counting d = 1 and d = −1; the variance is 2q + ε − ε². It does not vanish where all d are 0.
    """
    n, above, below = difference.shape[-1], (difference > 0).sum(axis=-1), (difference < 0).sum(axis=-1)
    b = (2 * n - above + below) * epsilon - above - below
    c = -below * epsilon * (1 - epsilon)
    q = (np.sqrt(b * b - 8 * n * c) - b) / (4 * n)
    return 2 * q + epsilon - epsilon**2


def design_effect(values: np.ndarray, cluster: np.ndarray) -> np.ndarray:
    """Return by how much clusters widen the variance of a mean, (…, n), (n,) → (…), at least 1.

    The variance of the mean from cluster totals, G / (G − 1) · Σ_g (Σ_{i in g} (x_i − mean))² / n² (Cochran 1977, for
    ratios), over that of independent items, s² / n. Without spread every cluster counts as one observation.
    """
    n, order = values.shape[-1], np.argsort(cluster, kind="stable")
    starts = np.flatnonzero(np.diff(cluster[order], prepend=np.nan))
    n_clusters, sizes = len(starts), np.diff(starts, append=n)
    alike = n / effective_clusters(sizes)
    if n_clusters < 2:
        return np.full(values.shape[:-1], alike)
    centred = values[..., order] - values.mean(axis=-1, keepdims=True)
    totals = np.add.reduceat(centred, starts, axis=-1)
    clustered = n_clusters / (n_clusters - 1) * (totals**2).sum(axis=-1) / n**2
    variance = values.var(axis=-1, ddof=1) / n
    return np.where(variance == 0, alike, np.maximum(1.0, divide(clustered, variance)))


def margin_p(difference: np.ndarray, cluster: np.ndarray, epsilon: float) -> np.ndarray:
    """Return our p of H0: E[d] ≥ ε, one-sided: (…, n), (n,) → (…); NaN with fewer than two clusters.

    A score test: the variance of one d is that of the border of H0, v₀ (`restricted_variance`). As much of it as was
    seen, s², has the design effect of the sample; the rest was not seen, so nothing is known of how it falls on
    prompts, and it counts as if prompts were all wrong or all right:

        variance of the mean = (min(v₀, s²) · design effect + max(v₀ − s², 0) · n / effective clusters) / n

    against Student's t with (effective clusters − 1) degrees of freedom. With one item per prompt it is Tango's test of
    a difference of paired proportions, with t for the normal distribution. Where ε = 0 and all d are 0 there is
    nothing to tell the two apart, and p is 1.
    """
    _, cluster, sizes = np.unique(cluster, return_inverse=True, return_counts=True)
    if len(sizes) < 2:
        return np.full(difference.shape[:-1], np.nan)
    n, effective = difference.shape[-1], effective_clusters(sizes)
    at_border, seen = restricted_variance(difference, epsilon), difference.var(axis=-1, ddof=1)
    as_sampled = np.minimum(at_border, seen) * design_effect(difference, cluster)
    variance = (as_sampled + np.maximum(at_border - seen, 0) * n / effective) / n
    t = divide(difference.mean(axis=-1) - epsilon, np.sqrt(variance))
    return np.where(variance == 0, 1.0, special.stdtr(max(effective - 1, 1), t))


def winning_rate(p: np.ndarray) -> np.ndarray:
    """Return the share of people whom a judge beats, ω, from the p-values of its duels with them, (…, n) → (…)."""
    return (benjamini_yekutieli(p) <= RATE).mean(axis=-1)


@dataclass(frozen=True)
class Test:
    """The test of one judge against a panel at one ε.

    `duels` are those with enough items, `p` and `adjusted` (n_duels,) ours, `p_items` the paper's.
    """

    epsilon: float
    duels: tuple[Duel, ...]
    p: np.ndarray
    p_items: np.ndarray

    @property
    def adjusted(self) -> np.ndarray:
        """Our p-values after Benjamini and Yekutieli, (n_duels,)."""
        return benjamini_yekutieli(self.p)

    @property
    def n_beaten(self) -> int:
        """How many people the judge beats."""
        return int((self.adjusted <= RATE).sum())

    @property
    def winning_rate(self) -> float:
        """The share of people whom the judge beats, ω."""
        return float(winning_rate(self.p))

    @property
    def paper_winning_rate(self) -> float:
        """ω by the paper's own p-values."""
        return float(winning_rate(self.p_items))

    @property
    def advantage(self) -> float:
        """The mean over people of the judge's advantage, ρ."""
        return float(np.mean([duel.advantage for duel in self.duels]))

    @property
    def passes(self) -> bool:
        """Whether the judge may replace these people."""
        return self.winning_rate >= PASSES


def alternative_annotator_test(all_duels: Sequence[Duel], epsilon: float) -> Test:
    """Return the test at one ε over the duels that have enough items; `refusal` says when there are too few of them."""
    chosen = tuple(duel for duel in all_duels if duel.n >= LEAST_ITEMS)
    p = [margin_p(duel.difference, duel.cluster, epsilon) for duel in chosen]
    p_items = [t_test_p(duel.difference, epsilon) for duel in chosen]
    return Test(epsilon, chosen, np.array(p), np.array(p_items))


def refusal(panel: Panel, all_duels: Sequence[Duel], was_asked: np.ndarray) -> str:
    """Return in one sentence why there is no test, or nothing: fewer than 3 people with 30 items, or one prompt."""
    if not (panel.has_label.sum(axis=1)[was_asked] > 1).any():
        return "no item has the labels of two people and a reply of the judge"
    chosen = [duel for duel in all_duels if duel.n >= LEAST_ITEMS]
    if len(chosen) < LEAST_PEOPLE:
        return (
            f"{len(chosen)} of {panel.n_people} annotators labelled {LEAST_ITEMS} items or more that somebody else "
            f"labelled too, and the test needs {LEAST_PEOPLE}"
        )
    if any(len(np.unique(duel.cluster)) < 2 for duel in chosen):
        return "all items share one prompt, so nothing can be said about others"
    return ""
