"""Which judge is better: every two judges on the same items, paired, with Holm's correction."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from statsmodels.stats.multitest import multipletests

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.bootstrap import difference_test
from judgemerge.evaluate.estimates import DECIMALS, DEFAULTS
from judgemerge.evaluate.metrics import METRICS, metrics_for
from judgemerge.evaluate.power import detectable_by_interval
from judgemerge.evaluate.score import BenchmarkStatistics, JudgeStatistics, benchmark_statistics
from judgemerge.settings.report import Statistics

BOOTSTRAP_TEST = "paired cluster bootstrap t"
MCNEMAR_TEST = "exact McNemar"


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
) -> pd.DataFrame:
    """Return one row per two judges and metric: a − b, interval, p, p after Holm, and the test used.

    `metrics` are those that judges are compared by unless given. Pairwise benchmarks also get exact McNemar rows for
    accuracy_first, beside the bootstrap's: McNemar takes items as independent, so where items share prompts the
    bootstrap row is the one to quote. A metric that one of the two judges does not define (one recorded order, constant
    scores) has empty cells and a note.
    """
    of_grades = metrics or metrics_for("pointwise", "comparisons")
    statistics = benchmark_statistics(items, verdicts_by_judge, settings, of_grades)
    protocol = statistics.benchmark.protocol
    rows = []
    for judge_a, judge_b in itertools.combinations(statistics.judges.values(), 2):
        for metric in metrics or metrics_for(protocol, "comparisons"):
            rows.append(_bootstrap_row(statistics, judge_a, judge_b, metric))
        if protocol == "pairwise":
            rows.append(_mcnemar_row(statistics, judge_a, judge_b))
    table = pd.DataFrame(rows, columns=list(Comparison._fields))
    return add_holm(table)


def add_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with p_holm: Holm 1979 over all pairs of judges within one benchmark, metric and test."""
    table = table.assign(p_holm=np.nan)
    for _, family in table[table.p.notna()].groupby(["benchmark", "metric", "test"], sort=False):
        table.loc[family.index, "p_holm"] = multipletests(family.p.to_numpy(), method="holm")[1]
    return table


def _bootstrap_row(statistics: BenchmarkStatistics, a: JudgeStatistics, b: JudgeStatistics, metric: str) -> Comparison:
    difference, low, high, p = _difference(statistics, a, b, metric)
    return _row(statistics, a, b, metric, (difference, low, high), p, BOOTSTRAP_TEST, _note(statistics, difference, p))


def _mcnemar_row(statistics: BenchmarkStatistics, a: JudgeStatistics, b: JudgeStatistics) -> Comparison:
    """Exact McNemar on "right in the original order"; the interval is the bootstrap's, which minds clusters."""
    benchmark = statistics.benchmark
    difference, low, high, _ = _difference(statistics, a, b, "accuracy_first")
    if not np.isfinite(difference):
        note = _note(statistics, difference, np.nan)
        return _row(statistics, a, b, "accuracy_first", (difference, low, high), np.nan, MCNEMAR_TEST, note)
    right_a, right_b = (judge.arrays.codes[:, 0] == benchmark.truth for judge in (a, b))
    p = mcnemar(int((right_a & ~right_b).sum()), int((~right_a & right_b).sum()))
    clustered = benchmark.n_clusters < benchmark.n_items
    notes = [f"takes items as independent, but {benchmark.n_clusters} clusters"] if clustered else []
    notes += ["one cluster: no interval"] if benchmark.n_clusters < 2 else []
    note = "; ".join(notes)
    return _row(statistics, a, b, "accuracy_first", (difference, low, high), p, MCNEMAR_TEST, note)


def mcnemar(only_a: int, only_b: int) -> float:
    """Return the exact two-sided p of McNemar's test from the two discordant counts; 1 when there are none."""
    return float(stats.binomtest(only_a, only_a + only_b).pvalue) if only_a + only_b else 1.0


def _difference(
    statistics: BenchmarkStatistics, a: JudgeStatistics, b: JudgeStatistics, metric: str
) -> tuple[float, float, float, float]:
    if metric not in a.values or metric not in b.values:
        return np.nan, np.nan, np.nan, np.nan
    values = (a.values[metric], b.values[metric])
    ends_and_p = difference_test(
        values,
        (a.resampled[metric], b.resampled[metric]),
        statistics.benchmark.n_clusters,
        statistics.effective,
        statistics.confidence,
        correlation=METRICS[statistics.benchmark.protocol][metric].correlation,
    )
    return values[0] - values[1], *ends_and_p


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
    estimate: tuple[float, float, float],
    p: float,
    test: str,
    note: str,
) -> Comparison:
    shown = detectable_by_interval(*estimate[1:], statistics.effective, statistics.confidence)
    difference, low, high, shown = np.round([*estimate, shown], DECIMALS) + 0.0
    name, n = statistics.benchmark.benchmark, statistics.benchmark.n_items
    p = float(np.round(p, DECIMALS))
    judges = a.arrays.judge, b.arrays.judge
    return Comparison(*judges, name, metric, difference, low, high, shown, p, np.nan, test, n, note)
