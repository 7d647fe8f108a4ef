"""Which judge is better: two judges on the same items, paired, with Holm's correction over all pairs."""

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.bootstrap import NO_TEST, DifferenceTest, difference_test
from judgemerge.evaluate.estimates import DECIMALS, DEFAULTS
from judgemerge.evaluate.metrics import METRICS, metrics_for
from judgemerge.evaluate.multiple_testing import holm
from judgemerge.evaluate.power import detectable_by_test
from judgemerge.evaluate.score import BenchmarkStatistics, JudgeStatistics, benchmark_statistics
from judgemerge.evaluate.verdict_arrays import BenchmarkArrays, JudgeArrays
from judgemerge.settings.report import Statistics

BOOTSTRAP_TEST = "paired cluster bootstrap t"
MCNEMAR_TEST = "exact McNemar"
CLUSTERED_MCNEMAR_TEST = "exact McNemar of clusters"
MCNEMAR_METRIC = "accuracy_first"
MOST_AMONG_EACH_OTHER = 12  # of the best judges


class Comparison(NamedTuple):
    """One row of comparisons.csv: a − b in one metric; `p_holm` is corrected for all pairs of judges.

    `detectable` is the smallest difference that the test would have found with power .8 (power.py).
    """

    judge_a: str
    judge_b: str
    benchmark: str
    metric: str
    difference: float
    ci_low: float
    ci_high: float
    detectable: float
    p: float
    p_holm: float
    test: str
    n: int
    note: str


def compare_benchmark(
    items: Iterable[Item],
    verdicts_by_judge: Mapping[str, Iterable[Verdict]],
    settings: Statistics = DEFAULTS,
    metrics: Sequence[str] | None = None,
    asked: Iterable[tuple[str, str]] | None = None,
) -> pd.DataFrame:
    """Return one row per two judges and metric: a − b, interval, p, p after Holm, and the test used.

    With `asked` only these pairs are compared, besides each judge with the best one on the metric and the twelve best
    among each other; without, all are.

    `metrics` are those that judges are compared by unless given. Pairwise benchmarks also get exact McNemar rows for
    accuracy_first, beside the bootstrap's; where items share prompts that test is made of whole prompts. A metric that
    one of the two judges does not define (one recorded order, constant scores) has empty cells and a note.
    """
    of_grades = metrics or metrics_for("pointwise", "comparisons")
    statistics = benchmark_statistics(items, verdicts_by_judge, settings, of_grades)
    protocol = statistics.benchmark.protocol
    rows = []
    names = metrics or metrics_for(protocol, "comparisons")
    tested = [MCNEMAR_METRIC] if protocol == "pairwise" else []
    pairs = {metric: _compared(statistics, metric, asked) for metric in {*names, *tested}}
    for judge_a, judge_b in itertools.combinations(statistics.judges.values(), 2):
        pair = frozenset((judge_a.arrays.judge, judge_b.arrays.judge))
        rows += [_bootstrap_row(statistics, judge_a, judge_b, metric) for metric in names if pair in pairs[metric]]
        rows += [_mcnemar_row(statistics, judge_a, judge_b) for metric in tested if pair in pairs[metric]]
    table = pd.DataFrame(rows, columns=list(Comparison._fields))
    return add_holm(table, math.comb(len(statistics.judges), 2) if asked is not None else 0)


def _compared(
    statistics: BenchmarkStatistics, metric: str, asked: Iterable[tuple[str, str]] | None
) -> set[frozenset[str]]:
    """Return the pairs of judges that are compared on a metric."""
    if asked is None:
        return set(map(frozenset, itertools.combinations(statistics.judges, 2)))
    lower = METRICS[statistics.benchmark.protocol][metric].lower_is_better
    values = {judge: of.values.get(metric, np.nan) for judge, of in statistics.judges.items()}
    order = sorted((judge for judge in values if np.isfinite(values[judge])), key=values.get, reverse=not lower)
    among = itertools.combinations(order[:MOST_AMONG_EACH_OTHER], 2)
    return set(map(frozenset, [*asked, *among, *((order[0], other) for other in order[1:])]))


def add_holm(table: pd.DataFrame, n_pairs: int = 0) -> pd.DataFrame:
    """Return the table with p_holm: Holm 1979 over all pairs of judges within one benchmark, metric and test.

    Pairs that the table leaves out count, too, up to `n_pairs`, as if their p were 1: which judge is the best, with
    which others are compared, is seen in the data, and that must not make the correction smaller.
    """
    table = table.assign(p_holm=np.nan)
    for _, family in table[table.p.notna()].groupby(["benchmark", "metric", "test"], sort=False):
        p = np.concatenate([family.p, np.ones(max(0, n_pairs - len(family)))])
        table.loc[family.index, "p_holm"] = holm(p)[: len(family)]
    return table


def _bootstrap_row(statistics: BenchmarkStatistics, a: JudgeStatistics, b: JudgeStatistics, metric: str) -> Comparison:
    return _row(statistics, a, b, metric, *difference(statistics, a, b, metric), BOOTSTRAP_TEST)


def _mcnemar_row(statistics: BenchmarkStatistics, a: JudgeStatistics, b: JudgeStatistics) -> Comparison:
    """Exact McNemar on "right in the original order"; the interval is the bootstrap's."""
    benchmark = statistics.benchmark
    kind = CLUSTERED_MCNEMAR_TEST if benchmark.n_clusters < benchmark.n_items else MCNEMAR_TEST
    gap, test = difference(statistics, a, b, MCNEMAR_METRIC)
    is_tested = np.isfinite(gap) and benchmark.n_clusters > 1
    p = mcnemar(cluster_gains(benchmark, a.arrays, b.arrays)) if is_tested else np.nan
    return _row(statistics, a, b, MCNEMAR_METRIC, gap, test._replace(p=p), kind)


def cluster_gains(benchmark: BenchmarkArrays, a: JudgeArrays, b: JudgeArrays) -> np.ndarray:
    """Return per cluster how many items only a gets right minus those that only b does, in the original order."""
    right_a, right_b = ((judge.codes[:, 0] == benchmark.truth).astype(float) for judge in (a, b))
    return np.bincount(benchmark.cluster, weights=right_a - right_b, minlength=benchmark.n_clusters)


def mcnemar(gains: np.ndarray) -> float:
    """Return the exact two-sided p of McNemar's test from whole numbers, (n_clusters,): wins of a minus wins of b.

    Were the judges alike, each cluster's gain could as well have the other sign: p is the share of all signs with which
    the sum is as far from 0 as it is. With one item per cluster that is McNemar's test (1947); with more it minds that
    items of a cluster go together, as the tests of Obuchowski (1998) and Durkalski et al. (2003) do for many clusters.
    """
    sizes, numbers = np.unique(np.abs(gains[gains != 0]).astype(int), return_counts=True)
    chances = np.ones(1)  # of the sum of the gains that are positive
    for size, number in zip(sizes, numbers, strict=True):
        one = np.zeros(size * number + 1)
        one[::size] = stats.binom.pmf(np.arange(number + 1), number, 0.5)
        chances = np.convolve(chances, one)
    sums = 2 * np.arange(len(chances)) - (len(chances) - 1)
    return float(min(chances[np.abs(sums) >= abs(int(gains.sum()))].sum(), 1.0))


def difference(
    statistics: BenchmarkStatistics, a: JudgeStatistics, b: JudgeStatistics, metric: str
) -> tuple[float, DifferenceTest]:
    """Return a − b in a metric, and its test; NaN where it is undefined for one of the judges."""
    if metric not in a.values or metric not in b.values:
        return np.nan, NO_TEST
    of_a, of_b = a.replicates(metric), b.replicates(metric)
    correlation = METRICS[statistics.benchmark.protocol][metric].correlation
    test = difference_test(of_a, of_b, statistics.clusters, statistics.confidence, correlation)
    return of_a.value - of_b.value, test


def _note(statistics: BenchmarkStatistics, difference: float, p: float) -> str:
    if not np.isfinite(difference):
        return "undefined for at least one of the judges"
    if not np.isfinite(p):
        return "one cluster: no test" if statistics.benchmark.n_clusters < 2 else "the same in every resample: no test"
    return ""


def _row(
    statistics: BenchmarkStatistics,
    a: JudgeStatistics,
    b: JudgeStatistics,
    metric: str,
    gap: float,
    test: DifferenceTest,
    kind: str,
) -> Comparison:
    shown = detectable_by_test(test, statistics.confidence)
    numbers = map(float, np.round([gap, test.low, test.high, shown, test.p], DECIMALS) + 0.0)
    judges, benchmark = (a.arrays.judge, b.arrays.judge), statistics.benchmark
    note = _note(statistics, gap, test.p)
    return Comparison(*judges, benchmark.benchmark, metric, *numbers, np.nan, kind, benchmark.n_items, note)
