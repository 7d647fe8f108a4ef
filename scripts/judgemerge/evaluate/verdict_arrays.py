"""Items and verdicts as integer arrays, built once per benchmark and used by every metric, interval and test."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import CLASSES, NOT_ASKED, Item, Verdict

FIRST, SECOND, TIE, ERROR = range(4)
CODES = {"first": FIRST, "second": SECOND, "tie": TIE, "error": ERROR}
ORDERS = {"original": 0, "swapped": 1}


@dataclass(frozen=True)
class BenchmarkArrays:
    """The judgeable items of one benchmark, sorted by id so that the order of a file never changes a result.

    `truth` is (n_items,): class codes (pairwise, 0 first, 1 second, 2 tie) or numbers (pointwise).
    `cluster` is (n_items,): 0 … n_clusters − 1 in the order of the sorted cluster names.
    `unjudgeable` holds the ids of the items without texts or without a truth: verdicts on them are passed over, not
    refused.
    """

    benchmark: str
    protocol: str
    items: tuple[Item, ...]
    truth: np.ndarray
    cluster: np.ndarray
    n_clusters: int
    unjudgeable: frozenset[str]
    n_without_truth: int = 0

    @property
    def n_items(self) -> int:
        """Number of judgeable items: the same for every judge."""
        return len(self.truth)

    @property
    def cluster_sizes(self) -> np.ndarray:
        """Items per cluster, (n_clusters,)."""
        return np.bincount(self.cluster, minlength=self.n_clusters)


@dataclass(frozen=True)
class JudgeArrays:
    """What one judge said about the items of a `BenchmarkArrays`.

    `codes` is (n_items, 2): outcome codes 0 first, 1 second, 2 tie, 3 error, columns original and swapped order.
    `scores` is (n_items,): pointwise scores, NaN where the verdict is an error; empty for a pairwise benchmark.
    `recorded` says for each order whether the judge was asked in it at all: an order in which every verdict is
    missing or carries the reason not_recorded or no_text was never run. A missing verdict in a recorded order is an
    error.
    """

    judge: str
    codes: np.ndarray
    scores: np.ndarray
    recorded: tuple[bool, bool]


def benchmark_arrays(items: Iterable[Item], judgeable_only: bool = True) -> BenchmarkArrays:
    """Return the arrays of one benchmark; items without texts are left out unless `judgeable_only` is false.

    Items without a truth are left out, too: they are judged, and there is nothing to score.

    A set without any text is there whole: nobody can be asked about it, but published verdicts on it are verdicts.
    """
    everything = sorted(items, key=lambda item: item.id)
    if not everything:
        raise JudgemergeError("no items to score: the items file is empty; check its loader in config/benchmarks.yaml")
    _refuse_mixture(everything)
    judgeable_only = judgeable_only and any(item.judgeable for item in everything)
    scored_items = tuple(
        item for item in everything if (item.judgeable or not judgeable_only) and item.truth is not None
    )
    pairwise = everything[0].protocol == "pairwise"
    truth = np.array(
        [CODES[item.truth] if pairwise else item.truth for item in scored_items], dtype=int if pairwise else float
    )
    names, cluster = np.unique(np.array([item.cluster for item in scored_items], dtype=str), return_inverse=True)
    return BenchmarkArrays(
        benchmark=everything[0].benchmark,
        protocol=everything[0].protocol,
        items=scored_items,
        truth=truth,
        cluster=cluster.astype(int),
        n_clusters=len(names),
        unjudgeable=frozenset(item.id for item in everything) - {item.id for item in scored_items},
        n_without_truth=sum(item.truth is None for item in everything),
    )


def _refuse_mixture(items: Sequence[Item]) -> None:
    if len({(item.benchmark, item.protocol) for item in items}) > 1:
        names = ", ".join(sorted({f"{item.benchmark} ({item.protocol})" for item in items}))
        raise JudgemergeError(f"items of several benchmarks cannot be scored together: {names}; score them one by one")
    for before, after in zip(items, items[1:], strict=False):
        if before.id == after.id:
            raise JudgemergeError(f"{before.benchmark}: item id '{before.id}' occurs twice; ids must be unique")


def judge_arrays(benchmark: BenchmarkArrays, judge: str, verdicts: Iterable[Verdict]) -> JudgeArrays:
    """Return the verdicts of one judge as arrays aligned with the items; a missing verdict becomes an error."""
    position = {item.id: index for index, item in enumerate(benchmark.items)}
    pairwise = benchmark.protocol == "pairwise"
    codes = np.full((benchmark.n_items, 2), ERROR)
    scores = np.full(0 if pairwise else benchmark.n_items, math.nan)
    seen = set()
    recorded = [False, False]
    for verdict in verdicts:
        _refuse_verdict(verdict, benchmark, judge, position, seen)
        seen.add((verdict.item, verdict.order))
        index, column = position.get(verdict.item), ORDERS[verdict.order]
        if index is None:
            continue
        recorded[column] |= verdict.outcome != "error" or verdict.reason not in NOT_ASKED
        if pairwise:
            codes[index, column] = CODES[verdict.outcome]
        elif verdict.outcome == "score" and column == ORDERS["original"]:
            scores[index] = verdict.score
    return JudgeArrays(judge=judge, codes=codes, scores=scores, recorded=tuple(recorded))


def _refuse_verdict(verdict: Verdict, benchmark: BenchmarkArrays, judge: str, position: dict, seen: set) -> None:
    """Refuse a verdict that does not belong to the benchmark: a stale file must not pass as errors of the judge."""
    where = f"{benchmark.benchmark}, judge '{judge}', item '{verdict.item}'"
    if verdict.item not in position and verdict.item not in benchmark.unjudgeable:
        raise JudgemergeError(f"{where}: no such item; the verdicts belong to another version, make them again")
    if verdict.order not in ORDERS:
        raise JudgemergeError(f"{where}: order is {verdict.order!r}, not original or swapped")
    if (verdict.item, verdict.order) in seen:
        raise JudgemergeError(f"{where}: two verdicts for the {verdict.order} order; keep one")
    allowed = (*CLASSES, "error") if benchmark.protocol == "pairwise" else ("score", "error")
    if verdict.outcome not in allowed:
        raise JudgemergeError(f"{where}: outcome is {verdict.outcome!r}, not one of {', '.join(allowed)}")
    if verdict.outcome == "score" and (verdict.score is None or not math.isfinite(verdict.score)):
        raise JudgemergeError(f"{where}: score is {verdict.score!r}, not a finite number")
