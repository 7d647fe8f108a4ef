"""search_{search}.test.csv: the model of the best trial beside fixed recipes on the benchmarks, and what is left of it.

The winner was chosen on development sets; whether it beats what nobody searched for is seen on prompts that no trial
has seen. It is compared with the fixed recipe that is best on that very benchmark, which favours the recipe.
"""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.estimates import UNDEFINED, Estimate
from judgemerge.evaluate.juries import best_of, common_metric, paired_difference
from judgemerge.evaluate.metrics import metrics_for
from judgemerge.evaluate.score import benchmark_statistics, count_errors, metric_interval, value_note
from judgemerge.settings.report import Statistics

BETTER, WORSE, OPEN = "better", "worse", "no difference shown"


class OnBenchmark(NamedTuple):
    """One benchmark: the winner's value, the best fixed recipe, and their paired difference.

    Where the benchmark is the other part of a development set, `development_value` is the winner's value there and
    `gap` that minus the value here, in the same metric.
    """

    benchmark: str
    judge: str
    metric: str
    value: float
    ci_low: float
    ci_high: float
    fixed: str = ""
    fixed_value: float = math.nan
    difference: float = math.nan
    difference_low: float = math.nan
    difference_high: float = math.nan
    detectable: float = math.nan
    verdict: str = ""
    development_value: float = math.nan
    gap: float = math.nan
    gap_low: float = math.nan
    gap_high: float = math.nan
    n: int = 0
    errors: int = 0
    note: str = ""


def on_benchmark(
    items: Sequence[Item],
    verdicts: Mapping[str, Sequence[Verdict]],
    winner: str,
    settings: Statistics,
    development: tuple[str, Estimate] | None = None,
) -> OnBenchmark:
    """Return the row of a benchmark; `verdicts` are by judge, those of the winner and of the fixed recipes.

    `development` is the metric of the development set that the benchmark is the other part of, and the winner's value.
    """
    metrics = metrics_for(items[0].protocol, "headline")
    all_metrics = metrics if development is None else [*metrics, development[0]]
    statistics = benchmark_statistics(items, verdicts, settings, all_metrics)
    fixed = [judge for judge in verdicts if judge != winner]
    metric, mine = common_metric(statistics, list(verdicts)), statistics.judges[winner]
    if development is not None and development[0] in mine.values:
        metric = development[0]
    value = mine.values.get(metric, math.nan)
    here = Estimate(value, *metric_interval(statistics, mine, metric)) if math.isfinite(value) else UNDEFINED
    row = OnBenchmark(
        items[0].benchmark,
        winner,
        metric,
        *(here.value, here.low, here.high),
        n=statistics.benchmark.n_items,
        errors=count_errors(statistics.benchmark, mine.arrays, metric),
        note=value_note(statistics.benchmark, mine, metric),
    )
    if development is not None:
        row = row._replace(**_gap(development[1], here))
    best = best_of(statistics, fixed, metric)
    if best is None:
        return row._replace(note=row.note or "no fixed recipe of the same parents is judged here")
    numbers = paired_difference(statistics, winner, best, metric)
    low, high = numbers["ci_low"], numbers["ci_high"]
    return row._replace(
        fixed=best,
        fixed_value=statistics.judges[best].values[metric],
        difference=numbers["value"],
        difference_low=low,
        difference_high=high,
        detectable=numbers["detectable"],
        verdict=BETTER if low > 0 else WORSE if high < 0 else OPEN,
    )


def _gap(there: Estimate, here: Estimate) -> dict[str, float]:
    """Return the value on the development set, and that minus the value here; the sets share no prompts."""
    gap = there.value - here.value
    down, up = (
        math.hypot(there.value - there.low, here.high - here.value),
        math.hypot(there.high - there.value, here.value - here.low),
    )
    return {"development_value": there.value, "gap": gap, "gap_low": gap - down, "gap_high": gap + up}
