"""Building blocks for the protocols of published tables: other orders, other averages, other ways to treat errors.

Tables are confusion counts (3 truths, 4 outcomes, ...) as everywhere in this package, so each block also works on
resamples: `estimate(sample, counts, lambda sums: class_metrics(sums.reshape(3, 4, -1), TIE)["f1"])`.
Agreement over votes is `humans.vote_agreement`.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from judgemerge.core.items import Item, Order, Verdict
from judgemerge.evaluate.arrays import CODES, ERROR, TIE, benchmark_arrays, judge_arrays
from judgemerge.evaluate.counts import divide

Errors = Literal["wrong", "tie", "drop"]


def codes(
    items: Sequence[Item], verdicts: Iterable[Verdict], order: Order = "original", errors: Errors = "wrong"
) -> tuple[np.ndarray, np.ndarray]:
    """Return truth and outcome codes of one order, sorted by item id, texts or not, (n_items,) each.

    `errors`: "wrong" keeps them as a class of their own, "tie" turns them into ties, "drop" leaves their items out. A
    missing verdict is an error.
    """
    benchmark = benchmark_arrays(items, judgeable_only=False)
    outcome = judge_arrays(benchmark, "judge", verdicts).codes[:, 0 if order == "original" else 1]
    if errors == "drop":
        readable = outcome != ERROR
        return benchmark.truth[readable], outcome[readable]
    return benchmark.truth, np.where(outcome == ERROR, TIE, outcome) if errors == "tie" else outcome


def confusion_table(truth: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return how often each truth met each outcome: (3, 4) from codes (n,), rows truth, columns outcome."""
    return np.bincount(truth * 4 + outcome, minlength=12).reshape(3, 4).astype(float)


def class_metrics(table: np.ndarray, positive: str | int) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 of one class ("first", "second", "tie" or its code) alone.

    A class never predicted has precision 0, one that never occurs recall 0 (scikit-learn's zero_division=0).
    """
    k = CODES[positive] if isinstance(positive, str) else positive
    true, predicted, support = table[k, k], table[:, k].sum(axis=0), table[k].sum(axis=0)
    return {
        "precision": np.nan_to_num(divide(true, predicted)),
        "recall": np.nan_to_num(divide(true, support)),
        "f1": np.nan_to_num(divide(2 * true, predicted + support)),
    }


def weighted_metrics(table: np.ndarray) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 averaged over the classes with their frequency in the truth as weight."""
    support = table.sum(axis=1)
    classes = [class_metrics(table, k) for k in range(3)]
    total = support.sum(axis=0)
    return {
        name: divide(sum(values[name] * weight for values, weight in zip(classes, support, strict=True)), total)
        for name in ("precision", "recall", "f1")
    }
