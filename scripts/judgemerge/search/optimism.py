"""search_{search}.optimism.csv: by how much the best trial's value flatters it, because it was chosen on those prompts.

In every resample of the development prompts the best trial is chosen again, and compared with what that trial is worth
on the prompts which the resample left out. The mean of these gaps is the optimism of choosing (Efron and Gong 1983's
bootstrap, with the prompts left out as the test). A resample knows fewer prompts than there are, so it is rather too
large than too small.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.bootstrap import generator, resampling_weights
from judgemerge.evaluate.score import judge_statistics
from judgemerge.evaluate.verdict_arrays import benchmark_arrays, judge_arrays
from judgemerge.search import searching
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import Search

Verdicts = Mapping[str, Mapping[int, Sequence[Verdict]]]  # development set → trial → its verdicts


class Optimism(NamedTuple):
    """One row: the best trial's value, the optimism of its choice with the middle of its resamples, and both together.

    `chosen_again` is the share of resamples in which the same trial is the best.
    """

    trial: int
    metric: str
    value: float
    optimism: float = math.nan
    optimism_low: float = math.nan
    optimism_high: float = math.nan
    corrected: float = math.nan
    corrected_low: float = math.nan
    corrected_high: float = math.nan
    chosen_again: float = math.nan
    trials: int = 0
    resamples: int = 0
    n: int = 0
    errors: int = 0
    note: str = ""


def optimism(
    search: Search,
    best: Mapping[str, Any],
    sets: Mapping[str, Sequence[Item]],
    verdicts: Verdicts,
    settings: Statistics,
) -> Optimism:
    """Return the optimism of a search; `best` is the row of its best trial among all trials (trials_table)."""
    targets = searching.targets(search)
    numbers = sorted(set.intersection(*(set(of_set) for of_set in verdicts.values())) if verdicts else ())
    place = {"trial": int(best["trial"]), "metric": searching.label(search), "value": float(best["value"])}
    sizes = {"trials": len(numbers), "n": int(best["n"]), "errors": int(best["errors"])}
    if searching.EVALUATION_LOSS in targets.values():
        return Optimism(**place, **sizes, note="a loss of a training has no verdicts to resample")
    if len(numbers) < 2:
        return Optimism(**place, **sizes, note="fewer than two complete trials: nothing was chosen")
    by_set = [_values(name, sets[name], verdicts[name], numbers, metric, settings) for name, metric in targets.items()]
    inside, outside = (sum(parts) / len(targets) for parts in zip(*by_set, strict=True))
    sign = -1 if searching.is_minimised(search) else 1
    winners = np.argmax(np.where(np.isfinite(inside), sign * inside, -np.inf), axis=0)  # of equals the earliest
    draws = np.arange(inside.shape[1])
    gaps = sign * (inside[winners, draws] - outside[winners, draws])
    wins = np.array(numbers)[winners] == place["trial"]
    has_gap = np.isfinite(gaps)
    if not has_gap.any():
        return Optimism(**place, **sizes, note="no resample has a value on the prompts that it left out")
    tail = (1 - settings.confidence) / 2
    mean, (low, high) = gaps[has_gap].mean(), np.quantile(gaps[has_gap], [tail, 1 - tail])
    ends = (float(best[end]) - sign * mean for end in ("value", "ci_low", "ci_high"))
    shares = {"chosen_again": wins[has_gap].mean(), "resamples": int(has_gap.sum())}
    return Optimism(**place, **sizes, **shares, **dict(zip(GAP, (mean, low, high, *ends), strict=True)))


GAP = ("optimism", "optimism_low", "optimism_high", "corrected", "corrected_low", "corrected_high")


def _values(
    name: str,
    items: Sequence[Item],
    verdicts: Mapping[int, Sequence[Verdict]],
    numbers: Sequence[int],
    metric: str,
    settings: Statistics,
) -> tuple[np.ndarray, np.ndarray]:
    """Return a metric of every trial in each resample, and on the prompts it left out: (n_trials, n_resamples) each."""
    benchmark = benchmark_arrays(items)
    weights = resampling_weights(benchmark.n_clusters, settings.resamples, generator(settings.seed, f"optimism/{name}"))
    left_out = (weights == 0).astype(weights.dtype)
    arrays = [judge_arrays(benchmark, str(number), verdicts[number]) for number in numbers]

    def of_all(weights: np.ndarray) -> np.ndarray:
        undefined = np.full(len(weights), np.nan)
        resampled = [
            judge_statistics(benchmark, judge, weights, [metric], settings.group_by).resampled for judge in arrays
        ]
        return np.array([of_trial.get(metric, undefined) for of_trial in resampled], dtype=float)

    return of_all(weights), of_all(left_out)
