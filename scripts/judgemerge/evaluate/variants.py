"""What other words for the same judge change: its agreement with people under both prompts, and the paired difference.

Both are measured on the same items with the same resamples as agreement.csv, so that the values are those of that
table. The difference is variant − usual: of a variant without the reference answer, a drop is negative. Items whose
reply could not be read count as in agreement.csv: of pairs as misses, of grades they are left out.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.comparisons import difference
from judgemerge.evaluate.estimates import DECIMALS, Estimate, Measurement
from judgemerge.evaluate.multiple_testing import holm
from judgemerge.evaluate.power import detectable_by_test
from judgemerge.evaluate.score import (
    BenchmarkStatistics,
    benchmark_statistics,
    count_errors,
    interval_note,
    metric_interval,
    value_note,
)
from judgemerge.settings.report import Statistics

METRICS = {"pairwise": ("accuracy",), "pointwise": ("pearson", "spearman", "kendall")}
USUAL, VARIANT, DIFFERENCE = "usual", "variant", "variant_minus_usual"
COLUMNS = (
    *("variant", "judge", "benchmark", "protocol", "asked", "prompt"),
    *Measurement._fields[:-1],
    *("detectable", "p", "p_holm", "note"),
)


class Pair(NamedTuple):
    """A judge and its variant on a benchmark: their names, that of the variant, and the two prompts."""

    variant: str
    judge: str
    other: str
    prompt: str
    other_prompt: str


def variant_rows(
    items: Iterable[Item], verdicts: Mapping[str, Iterable[Verdict]], pairs: Sequence[Pair], settings: Statistics
) -> pd.DataFrame:
    """Return three rows per pair and metric on one benchmark: as usual, under the variant, and the difference."""
    every = tuple(metric for metrics in METRICS.values() for metric in metrics)
    statistics = benchmark_statistics(items, verdicts, settings, every)
    rows = [row for pair in pairs for row in _rows(statistics, pair)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _rows(statistics: BenchmarkStatistics, pair: Pair) -> Iterator[tuple]:
    benchmark = statistics.benchmark
    place = (pair.variant, pair.judge, benchmark.benchmark, benchmark.protocol)
    both = {USUAL: (pair.judge, pair.prompt), VARIANT: (pair.other, pair.other_prompt)}
    for metric in METRICS[benchmark.protocol]:
        for asked, (name, prompt) in both.items():
            yield (*place, asked, prompt, *_value(statistics, name, metric))
        usual, other = (statistics.judges[name] for name, _ in both.values())
        gap, test = difference(statistics, other, usual, metric)
        errors = count_errors(benchmark, usual.arrays, metric) + count_errors(benchmark, other.arrays, metric)
        *numbers, note = Measurement.of(metric, Estimate(gap, test.low, test.high), benchmark.n_items, errors)
        note = "" if np.isfinite(gap) else "undefined under at least one of the prompts"
        if np.isfinite(gap) and not np.isfinite(test.p):
            note = "the same in every resample, or one prompt only: no test"
        shown, p = np.round([detectable_by_test(test, statistics.confidence), test.p], DECIMALS)
        prompts = f"{pair.other_prompt} − {pair.prompt}"
        yield (*place, DIFFERENCE, prompts, *numbers, shown, p, np.nan, note)


def _value(statistics: BenchmarkStatistics, name: str, metric: str) -> tuple:
    judge = statistics.judges[name]
    value = judge.values.get(metric, np.nan)
    ends = metric_interval(statistics, judge, metric) if np.isfinite(value) else (np.nan, np.nan)
    note = value_note(statistics.benchmark, judge, metric) or interval_note(
        statistics, metric, bool(np.isfinite(ends[0]))
    )
    errors = count_errors(statistics.benchmark, judge.arrays, metric)
    *numbers, note = Measurement.of(metric, Estimate(value, *ends), statistics.benchmark.n_items, errors, note)
    return (*numbers, np.nan, np.nan, np.nan, note)


def with_holm(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with p_holm: Holm 1979 over the judges and benchmarks of one variant in one metric."""
    table = table.copy()
    for _, family in table[table.p.notna()].groupby(["variant", "metric"], sort=False):
        table.loc[family.index, "p_holm"] = np.round(holm(family.p), DECIMALS)
    return table
