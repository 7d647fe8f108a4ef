"""What quantization costs and gains: each quantization and the model it is made from, on the same items.

Two errors are not the same verdict (as in position consistency), but nothing has changed either; a reply that was
readable and no longer is has changed. Verdicts are compared order by order; all items of a prompt are drawn together.
What agreement with people it costs is a paired difference, with the smallest one that the items would have shown.
"""

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.bootstrap import Replicated, difference_test, leave_one_out, weighted_sums
from judgemerge.evaluate.counts import divide, pointwise_cells, replicated
from judgemerge.evaluate.estimates import (
    DECIMALS,
    UNDEFINED,
    Estimate,
    Measurement,
    Sample,
    grade_estimates,
    proportion,
)
from judgemerge.evaluate.power import detectable_by_test
from judgemerge.evaluate.verdict_arrays import (
    ERROR,
    FIRST,
    SECOND,
    BenchmarkArrays,
    JudgeArrays,
    benchmark_arrays,
    judge_arrays,
)
from judgemerge.settings.report import Statistics

COLUMNS = (
    *("judge", "parent", "type", "file_bytes", "bits_per_weight", "fallbacks", "benchmark", "protocol"),
    *Measurement._fields[:-1],
    *("detectable", "items_per_second", "prompt_tokens_per_second", "speed_note", "note"),
)
# Against the model it is made from: readable and equal, another outcome, another winner, and ranks of grades.
COMPARED = ("same_verdict", "changed", "flipped", "spearman_with_parent")
AGREEMENT = {"pairwise": "accuracy", "pointwise": "spearman"}
COST = "minus_parent"  # of agreement: accuracy_minus_parent


class Speed(NamedTuple):
    """What a record of speed.py says of one run of a suite."""

    items: int
    seconds: float
    prompt_tokens: int | None
    threads: int
    settings: str


@dataclass(frozen=True)
class Model:
    """A quantization, or the model that quantizations are made from (`kind` is then its number format).

    `speed` is the record of the job that judged the suite (speed.py), None where there is none.
    """

    name: str
    parent: str
    kind: str
    file_bytes: int
    bits_per_weight: float
    fallbacks: str
    speed: Mapping[str, Any] | None


def quantization_table(
    items: Iterable[Item], verdicts: Mapping[str, Iterable[Verdict]], models: Iterable[Model], settings: Statistics
) -> pd.DataFrame:
    """Return one row per model and metric on one benchmark; a model that is its own parent is compared to nothing."""
    benchmark = benchmark_arrays(items)
    name = f"{benchmark.benchmark}, quantization"
    sample = Sample(benchmark.cluster, benchmark.n_clusters, name, settings)
    outcomes = {judge: judge_arrays(benchmark, judge, of_judge) for judge, of_judge in verdicts.items()}
    rows = []
    for model in models:
        mine = outcomes[model.name]
        agreement = AGREEMENT[benchmark.protocol]
        estimates, shown = {agreement: with_people(benchmark, mine, sample)}, {}
        if model.name != model.parent and model.parent in outcomes:
            parent = outcomes[model.parent]
            estimates |= with_parent(benchmark, mine, parent, sample)
            cost, shown[f"{agreement}_{COST}"] = minus_parent(benchmark, mine, parent, sample)
            estimates[f"{agreement}_{COST}"] = cost
        rows += [
            _row(benchmark, model, mine, metric, value, shown.get(metric, np.nan))
            for metric, value in estimates.items()
        ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def with_people(benchmark: BenchmarkArrays, judge: JudgeArrays, sample: Sample) -> Estimate:
    """Return accuracy over both orders, or Spearman's correlation of the grades with the truth."""
    if benchmark.protocol == "pointwise":
        return _spearman(benchmark, judge, sample)
    right = (judge.codes == benchmark.truth[:, None])[:, np.array(judge.recorded)]
    return proportion(sample, right.mean(axis=1)) if right.size else UNDEFINED


def with_parent(
    benchmark: BenchmarkArrays, judge: JudgeArrays, parent: JudgeArrays, sample: Sample
) -> dict[str, Estimate]:
    """Return how far a judge says what its parent says: COMPARED, those that the protocol defines."""
    if benchmark.protocol == "pointwise":
        both_failed = np.isnan(judge.scores) & np.isnan(parent.scores)
        same = judge.scores == parent.scores
        with_scores = dataclasses.replace(benchmark, truth=np.nan_to_num(parent.scores))
        of_readable = dataclasses.replace(judge, scores=np.where(np.isnan(parent.scores), np.nan, judge.scores))
        return {
            "same_verdict": proportion(sample, same),
            "changed": proportion(sample, ~same & ~both_failed),
            "spearman_with_parent": _spearman(with_scores, of_readable, sample),
        }
    orders = np.array(judge.recorded) & np.array(parent.recorded)
    if not orders.any() or not benchmark.n_items:
        return dict.fromkeys(("same_verdict", "changed", "flipped"), UNDEFINED)
    mine, parents = judge.codes[:, orders], parent.codes[:, orders]
    winners = np.isin(mine, (FIRST, SECOND)) & np.isin(parents, (FIRST, SECOND))
    return {
        "same_verdict": proportion(sample, ((mine == parents) & (mine != ERROR)).mean(axis=1)),
        "changed": proportion(sample, (mine != parents).mean(axis=1)),
        "flipped": proportion(sample, (winners & (mine != parents)).mean(axis=1)),
    }


def minus_parent(
    benchmark: BenchmarkArrays, judge: JudgeArrays, parent: JudgeArrays, sample: Sample
) -> tuple[Estimate, float]:
    """Return how much agreement with people a judge has over its parent, and the smallest difference that is shown.

    Accuracy over the orders that both have, or Spearman's correlation; the test is that of comparisons.csv.
    """
    confidence, is_correlation = sample.settings.confidence, benchmark.protocol == "pointwise"
    if is_correlation:
        cells = [replicated(pointwise_cells(benchmark, one), sample.weights, ["spearman"]) for one in (judge, parent)]
        both = [
            Replicated(float(one.whole["spearman"][0]), one.resampled["spearman"], one.jackknife["spearman"])
            for one in cells
        ]
    else:
        orders = np.array(judge.recorded) & np.array(parent.recorded)
        if not orders.any() or not benchmark.n_items:
            return UNDEFINED, np.nan
        both = [_share(sample, (one.codes == benchmark.truth[:, None])[:, orders]) for one in (judge, parent)]
    test = difference_test(*both, sample.clusters, confidence, is_correlation)
    return Estimate(both[0].value - both[1].value, test.low, test.high), detectable_by_test(test, confidence)


def _share(sample: Sample, right: np.ndarray) -> Replicated:
    """Return the share of verdicts that are right, (n_items, n_orders), in every resample and without each cluster."""
    counts = sample.count(right.mean(axis=1), np.ones(len(right)))
    resampled, without = weighted_sums(counts, sample.weights).astype(float), leave_one_out(counts)
    return Replicated(float(right.mean()), divide(*resampled), divide(*without))


def _spearman(benchmark: BenchmarkArrays, judge: JudgeArrays, sample: Sample) -> Estimate:
    (value,) = grade_estimates(sample, pointwise_cells(benchmark, judge), ["spearman"]).values()
    return value


def _row(
    benchmark: BenchmarkArrays, model: Model, judge: JudgeArrays, metric: str, value: Estimate, shown: float
) -> tuple:
    failed = np.isnan(judge.scores)
    if benchmark.protocol == "pairwise":
        failed = judge.codes[:, np.array(judge.recorded)] == ERROR
    note = ""
    if np.isnan(value.value):
        note = "undefined: constant grades, or nothing that can be read"
    elif np.isnan(value.low):
        note = "no interval: the same in every resample, or one prompt only"
    *about, record = dataclasses.astuple(model)
    *numbers, note = Measurement.of(metric, value, benchmark.n_items, int(failed.sum()), note)
    shown = round(shown, DECIMALS)
    return (*about, benchmark.benchmark, benchmark.protocol, *numbers, shown, *_speed_columns(record), note)


def _speed_columns(record: Mapping[str, Any] | None) -> tuple[float, float, str]:
    """Return items and prompt tokens per second, and how they were measured or why they were not."""
    if not record:
        return np.nan, np.nan, "not judged in one go, so no rate"
    speed = Speed(*(record[name] for name in Speed._fields))
    rate = round(speed.items / speed.seconds, 3) if speed.seconds else np.nan
    tokens = speed.prompt_tokens
    token_rate = np.nan if not speed.seconds or tokens is None else round(tokens / speed.seconds, 1)
    plural = "s" if speed.threads > 1 else ""
    return rate, token_rate, f"{speed.items} items in one go, {speed.threads} thread{plural}, {speed.settings}"
