"""What protocols share: aligned arrays, rates, confusion tables, kappa of two codings, counts of the truth."""

from collections.abc import Iterator

import numpy as np

from judgemerge.core.items import CLASSES, as_published
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import draw_sample, estimate
from judgemerge.evaluate.published import HUMANS, Case, Row
from judgemerge.evaluate.verdict_arrays import (
    CODES,
    ERROR,
    BenchmarkArrays,
    JudgeArrays,
    benchmark_arrays,
    judge_arrays,
)

N_CODES = len(CODES)
ORDER_NAMES = ("first", "swapped")


def aligned(case: Case) -> Iterator[tuple[BenchmarkArrays, JudgeArrays]]:
    """Yield, per judge, all items of the benchmark (texts or not) and the judge's outcomes as the paper counts them."""
    benchmark = benchmark_arrays(case.items, judgeable_only=False)
    for judge, verdicts in case.verdicts.items():
        yield benchmark, judge_arrays(benchmark, judge, map(as_published, verdicts))


def rate(judge: str, metric: str, hits: np.ndarray, unread: np.ndarray) -> Row:
    """Return the share of hits, (n_items,) booleans; `unread` marks the items without a readable verdict."""
    value = float(hits.mean()) if len(hits) else np.nan
    return Row(judge, metric, value, len(hits), int(unread.sum()))


def order_measures(benchmark: BenchmarkArrays, judge: JudgeArrays) -> Iterator[tuple[str, np.ndarray, np.ndarray]]:
    """Yield metric, hits and unread, (n_items,) each: accuracy in each recorded order, right in both, same in both.

    Two unread verdicts count as the same.
    """
    right = judge.codes == benchmark.truth[:, None]
    unread = judge.codes == ERROR
    for order, name in enumerate(ORDER_NAMES):
        if judge.recorded[order]:
            yield f"accuracy_{name}", right[:, order], unread[:, order]
    if all(judge.recorded):
        either = unread.any(axis=1)
        yield "accuracy", right.mean(axis=1), either
        yield "accuracy_both", right.all(axis=1), either
        yield "consistency", judge.codes[:, 0] == judge.codes[:, 1], either


def kappa(one: np.ndarray, other: np.ndarray) -> float:
    """Return Cohen's kappa of two codings 0 … 3 of the same things, (n,) each; NaN when chance agreement is 1."""
    table = np.bincount(one * N_CODES + other, minlength=N_CODES**2).astype(float)
    return float(_kappa_of_counts(table[:, None])[0])


def house_kappa(
    case: Case, benchmark: BenchmarkArrays, judge: str, metric: str, one: np.ndarray, other: np.ndarray
) -> Row:
    """Return the row of the right kappa, with the interval that every house metric has."""
    sample = draw_sample([item.cluster for item in benchmark.items], f"{benchmark.benchmark}/published", case.settings)
    counts = sample.count(*(one * N_CODES + other == cell for cell in range(N_CODES**2)))
    columns = estimate(sample, counts, _kappa_of_counts).columns()
    errors = int((other == ERROR).sum() + (one == ERROR).sum())
    note = "" if np.isfinite(columns["value"]) else "both sides are one constant class"
    return Row(judge, metric, n=len(one), errors=errors, note=note, rules="house", **columns)


def _kappa_of_counts(sums: np.ndarray) -> np.ndarray:
    """Return kappa from how often each pair of codes occurs: (16, ...) → (...) (Cohen 1960)."""
    table = sums.reshape(N_CODES, N_CODES, *sums.shape[1:])
    total = table.sum(axis=(0, 1))
    observed = divide(np.trace(table), total)
    chance = divide((table.sum(axis=0) * table.sum(axis=1)).sum(axis=0), total * total)
    return divide(observed - chance, 1 - chance)


def truth_counts(case: Case) -> Iterator[Row]:
    """Yield how many items have each class as their truth."""
    for name in CLASSES:
        yield Row(HUMANS, f"truths[{name}]", sum(item.truth == name for item in case.items), len(case.items))


def confusion_table(truth: np.ndarray, outcome: np.ndarray) -> np.ndarray:
    """Return how often each truth met each outcome: (3, 4) from codes (n,), rows truth, columns outcome."""
    return np.bincount(truth * 4 + outcome, minlength=12).reshape(3, 4).astype(float)


def class_metrics(table: np.ndarray, label: int) -> dict[str, np.ndarray]:
    """Return precision, recall and F1 of the class with this code alone; `table` may have further axes (resamples).

    A class never predicted has precision 0, one that never occurs recall 0 (scikit-learn's zero_division=0).
    """
    true, predicted, support = table[label, label], table[:, label].sum(axis=0), table[label].sum(axis=0)
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
