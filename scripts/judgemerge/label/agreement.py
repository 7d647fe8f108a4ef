"""How far people agree who have labelled the same units: raw, and beyond chance, with intervals.

Raw agreement is the share of equal votes, with Wilson's interval. Kappa is Cohen's (1960), for grades with quadratic
weights as chance_agreement.py has them; its interval is BCa's of pairs, Fisher's of grades, as in the table `humans`.
Prompts are clusters.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from judgemerge.core.items import Item
from judgemerge.evaluate.bootstrap import fisher_interval
from judgemerge.evaluate.chance_agreement import grade_counts, grade_kappa, pair_kappa
from judgemerge.evaluate.estimates import Estimate, Sample, confusion_estimates, draw_sample, proportion
from judgemerge.evaluate.verdict_arrays import CODES
from judgemerge.label.votes import LabelVote
from judgemerge.settings.report import Statistics

RAW, KAPPA, WEIGHTED = "raw agreement", "kappa", "kappa, quadratic weights"
CONSTANT = "somebody says the same of everything, so that nothing is left beyond chance"
EQUAL = "every vote is equal, so that nothing is left to be unsure of"
FEW = "too few prompts for an interval"


class Agreement(NamedTuple):
    """One number between two people; `value` and its ends are None where they are undefined, and `note` says why."""

    one: str
    other: str
    metric: str
    value: float | None
    low: float | None
    high: float | None
    n: int
    note: str = ""

    def plain(self) -> dict[str, Any]:
        """Return it as the page gets it."""
        return self._asdict()

    @property
    def words(self) -> str:
        """The value with its interval, or why there is none."""
        if self.value is None:
            return f"– ({self.note})"
        interval = f" [{self.low:.3f}, {self.high:.3f}]" if self.low is not None else f" ({self.note})"
        return f"{self.value:.3f}{interval}"


def agreements(items: Mapping[str, Item], votes: Sequence[LabelVote], settings: Statistics) -> list[Agreement]:
    """Return the agreement of every two annotators on the items on which both have voted."""
    said: dict[str, dict[str, str | float]] = {}
    for vote in votes:
        said.setdefault(vote.annotator, {})[vote.item] = vote.vote
    rows = []
    for one, other in combinations(sorted(said), 2):
        shared = sorted(said[one].keys() & said[other].keys())
        if shared:
            sides = [[said[who][unit] for unit in shared] for who in (one, other)]
            rows += _pair(one, other, sides, [items[unit] for unit in shared], settings)
    return rows


def _pair(one: str, other: str, sides: list[list], items: Sequence[Item], settings: Statistics) -> list[Agreement]:
    """Return both numbers of two people, who said `sides` of the same items."""
    sample = draw_sample([item.cluster for item in items], f"labels/{one}/{other}", settings)
    is_pairwise = items[0].protocol == "pairwise"
    codes = [np.array([CODES[vote] if is_pairwise else vote for vote in side], dtype=float) for side in sides]
    raw = proportion(sample, (codes[0] == codes[1]).astype(float))
    kappa = confusion_estimates(sample, *codes)["kappa"] if is_pairwise else weighted_kappa(sample, *codes)
    estimates = {RAW: raw, KAPPA if is_pairwise else WEIGHTED: kappa}
    return [_row(one, other, metric, estimate, len(items)) for metric, estimate in estimates.items()]


def weighted_kappa(sample: Sample, ours: np.ndarray, theirs: np.ndarray) -> Estimate:
    """Return kappa with quadratic weights of two people's grades, (n,) each, with Fisher's interval."""
    centre = np.concatenate([ours, theirs]).mean()
    kappa = pair_kappa(grade_counts(ours - centre, theirs - centre), sample.cluster, grade_kappa)
    ends = fisher_interval(kappa.value, kappa.without, sample.clusters, sample.settings.confidence)
    return Estimate(kappa.value, *ends)


def _row(one: str, other: str, metric: str, estimate: Estimate, n: int) -> Agreement:
    value, low, high = (None if end != end else float(end) for end in estimate.columns().values())
    note = CONSTANT if value is None else "" if low is not None else EQUAL if value == 1 else FEW
    return Agreement(one, other, metric, value, low, high, n, note)
