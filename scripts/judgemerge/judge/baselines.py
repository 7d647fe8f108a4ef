"""Content-blind baselines (length, random, majority): a judge that does not beat them has learned nothing of quality.

Each returns one verdict per item and order. `longer` prefers the longer response; `random` draws among the classes that
the benchmark's truth uses (or its range of scores); `majority` always gives the most common truth (or the median
score), which is the best any constant judge can do – it knows the truth, so it is an upper bound, not a competitor.
"""

import random as randomness
import statistics
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator

from judgemerge.core.items import CLASSES, SWAPPED, Item, Verdict
from judgemerge.judge.judging import ORDERS


def longer(items: list[Item], seed: int) -> Iterator[Verdict]:
    """Prefer the response with more characters (equal: tie); grade by the rank of the length on the true scale."""
    lengths = {item.id: [sum(map(len, response)) for response in item.responses] for item in items}
    for item in items:
        if item.protocol == "pairwise":
            first, second = lengths[item.id]
            outcome = "tie" if first == second else "first" if first > second else "second"
            yield from (Verdict(item.id, order, outcome) for order in ORDERS["pairwise"])
    grades = [item for item in items if item.protocol == "pointwise"]
    if grades:
        ranked = sorted(lengths[item.id][0] for item in grades)
        truths = [item.truth for item in grades if item.truth is not None] or [0.0, 1.0]
        low, high = min(truths), max(truths)
        for item in grades:
            share = bisect_left(ranked, lengths[item.id][0]) / max(len(ranked) - 1, 1)
            yield Verdict(item.id, "original", "score", score=round(low + share * (high - low), 6))


def random(items: list[Item], seed: int) -> Iterator[Verdict]:
    """Draw each verdict independently, also for the two orders of one item, from a generator seeded with `seed`."""
    generator = randomness.Random(seed)
    classes = [name for name in CLASSES if any(item.truth == name for item in items)] or CLASSES
    scores = sorted(set(_grades(items))) or [0.0, 1.0]
    for item in items:
        for order in ORDERS[item.protocol]:
            if item.protocol == "pairwise":
                outcome = generator.choice(classes)
                yield Verdict(item.id, order, outcome if order == "original" else SWAPPED[outcome])
            else:
                yield Verdict(item.id, order, "score", score=float(generator.choice(scores)))


def majority(items: list[Item], seed: int) -> Iterator[Verdict]:
    """Give every item the most common truth of its protocol (at a draw: first, second, tie in turn), or the median."""
    counts = Counter(item.truth for item in items if item.protocol == "pairwise")
    common = max(CLASSES, key=lambda name: counts[name])
    scores = _grades(items) or [0.0]
    for item in items:
        for order in ORDERS[item.protocol]:
            if item.protocol == "pairwise":
                yield Verdict(item.id, order, common)
            else:
                yield Verdict(item.id, order, "score", score=float(statistics.median(scores)))


def _grades(items: list[Item]) -> list[float]:
    """Return the truths of the items that are graded, as far as there are any."""
    return [item.truth for item in items if item.protocol == "pointwise" and item.truth is not None]


BASELINES: dict[str, Callable[[list[Item], int], Iterator[Verdict]]] = {
    "longer": longer,
    "random": random,
    "majority": majority,
}
