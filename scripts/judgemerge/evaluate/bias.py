"""Judge biases: position, length, kind of task, self-preference.

Every table has judge, benchmark, metric, value, interval, n (what the value is a share or mean of), errors (erroneous
verdicts, which no value here counts) and a note where the value is undefined. Rates pool the recorded orders.
"""

import dataclasses
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np
import pandas as pd
import statsmodels.api as sm
from scipy.optimize import linprog
from statsmodels.tools.sm_exceptions import ConvergenceWarning, HessianInversionWarning

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import (
    DEFAULTS,
    UNDEFINED,
    Estimate,
    Measurement,
    Sample,
    draw_sample,
    estimate,
    proportion,
)
from judgemerge.evaluate.score import score_benchmark
from judgemerge.evaluate.verdict_arrays import ERROR, FIRST, SECOND, TIE, BenchmarkArrays, JudgeArrays, benchmark_arrays
from judgemerge.evaluate.verdict_arrays import judge_arrays as to_arrays
from judgemerge.settings.report import Statistics

COLUMNS = ("judge", "benchmark", *Measurement._fields)
ONE_ORDER = "only one order was recorded"
NO_VERDICT = "no verdict was recorded"
NO_TEXTS = "no item has its texts"
LENGTH_METRICS = (
    *("accuracy_longer_better", "accuracy_shorter_better", "longer_chosen", "longer_better", "accuracy_gap"),
    *("length_coefficient", "length_coefficient_given_truth"),
)
VerdictsByJudge = Mapping[str, Iterable[Verdict]]


@dataclasses.dataclass(frozen=True)
class _Verdicts:
    """All verdicts of one judge in the recorded orders, one below the other; arrays (n_verdicts,)."""

    item: np.ndarray
    swapped: np.ndarray
    outcome: np.ndarray
    truth: np.ndarray

    def where(self, mask: np.ndarray) -> "_Verdicts":
        return _Verdicts(*(getattr(self, field.name)[mask] for field in dataclasses.fields(self)))


def _stack(benchmark: BenchmarkArrays, judge: JudgeArrays) -> _Verdicts:
    orders = [order for order in range(2) if judge.recorded[order]]
    item = np.tile(np.arange(benchmark.n_items), len(orders))
    swapped = np.repeat(np.array(orders, dtype=bool), benchmark.n_items)
    outcome = judge.codes[item, swapped.astype(int)]
    return _Verdicts(item, swapped, outcome, benchmark.truth[item])


def _sample(benchmark: BenchmarkArrays, item: np.ndarray, table: str, settings: Statistics) -> Sample:
    return draw_sample(benchmark.cluster[item].astype(str), f"{benchmark.benchmark}/{table}", settings)


def _share(
    benchmark: BenchmarkArrays, item: np.ndarray, hits: np.ndarray, among: np.ndarray, table: str, settings: Statistics
) -> tuple[Estimate, int, str]:
    """Return the share of hits among the chosen units, how many these are, and an empty note."""
    sample = _sample(benchmark, item[among], table, settings)
    return proportion(sample, hits[among]), int(among.sum()), ""


def _rows(
    benchmark: BenchmarkArrays, judge: JudgeArrays, results: Mapping[str, tuple[Estimate, int, str]]
) -> list[tuple]:
    """Return one row per metric from metric → (estimate, n, note)."""
    orders = [order for order in range(2) if judge.recorded[order]]
    pairwise = benchmark.protocol == "pairwise"
    errors = int((judge.codes[:, orders] == ERROR).sum() if pairwise else np.isnan(judge.scores).sum())
    rows = []
    for metric, (result, n, note) in results.items():
        note = note or ("" if np.isfinite(result.value) else "nothing to count")
        rows.append((judge.judge, benchmark.benchmark, *Measurement.of(metric, result, n, errors, note)))
    return rows


def _table(
    items: Sequence[Item],
    verdicts_by_judge: VerdictsByJudge,
    compute: Callable[[BenchmarkArrays, JudgeArrays], Mapping[str, tuple[Estimate, int, str]]],
) -> pd.DataFrame:
    benchmark = benchmark_arrays(items)
    rows = []
    for name, verdicts in verdicts_by_judge.items():
        judge = to_arrays(benchmark, name, verdicts)
        rows += _rows(benchmark, judge, compute(benchmark, judge))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _pairwise_only(items: Sequence[Item], what: str) -> None:
    if items and items[0].protocol != "pairwise":
        raise JudgemergeError(f"{items[0].benchmark}: {what} needs a pairwise benchmark, this one is pointwise")


# Position


def position_bias(
    items: Sequence[Item], verdicts_by_judge: VerdictsByJudge, settings: Statistics = DEFAULTS
) -> pd.DataFrame:
    """Return how far the place of an answer decides (Wang et al. 2023, arXiv:2305.17926).

    `first_shown_excess`: share of decisive verdicts (no tie, no error) won by the answer shown first, minus 0.5. Each
    pair is shown both ways, so a judge without bias is at 0 whatever the truth.
    `position_only`: share of items, both verdicts readable, where the place alone decides: the answer shown first wins
    both times, or the one shown second does.
    `first_of_position_only`: among those, the share where the first place wins; 0.5 is inconsistency without a lean.
    `consistency`: as in the scores. All need both orders.
    """
    _pairwise_only(items, "position bias")
    return _table(items, verdicts_by_judge, lambda benchmark, judge: _position(benchmark, judge, settings))


def _position(benchmark: BenchmarkArrays, judge: JudgeArrays, settings: Statistics) -> dict:
    names = ("first_shown_excess", "position_only", "first_of_position_only", "consistency")
    if not all(judge.recorded):
        nothing = NO_VERDICT if benchmark.items[0].judgeable else NO_TEXTS
        return {name: (UNDEFINED, 0, ONE_ORDER if any(judge.recorded) else nothing) for name in names}
    verdicts = _stack(benchmark, judge)
    first_shown = verdicts.outcome == np.where(verdicts.swapped, SECOND, FIRST)
    share, n_decisive, _ = _share(benchmark, verdicts.item, first_shown, verdicts.outcome < TIE, "position", settings)
    excess = Estimate(share.value - 0.5, share.low - 0.5, share.high - 0.5)

    original, swapped = judge.codes.T
    readable = (original != ERROR) & (swapped != ERROR)
    first_twice = (original == FIRST) & (swapped == SECOND)
    by_place = first_twice | ((original == SECOND) & (swapped == FIRST))
    items, every = np.arange(benchmark.n_items), np.ones(benchmark.n_items, dtype=bool)
    results = (
        (excess, n_decisive, ""),
        _share(benchmark, items, by_place, readable, "position", settings),
        _share(benchmark, items, first_twice, by_place, "position", settings),
        _share(benchmark, items, (original == swapped) & readable, every, "position", settings),
    )
    return dict(zip(names, results, strict=True))


# Length


def length_bias(
    items: Sequence[Item], verdicts_by_judge: VerdictsByJudge, settings: Statistics = DEFAULTS
) -> pd.DataFrame:
    """Return how far length decides. Length is the number of characters of a response, all its turns together.

    `accuracy_longer_better`, `accuracy_shorter_better`: share of right verdicts where the better answer is the longer
    or the shorter one (truth no tie, lengths unequal; an error is not right); `accuracy_gap` is their difference
    (MELD's length bias). `longer_chosen`: share of decisive verdicts for the longer answer; `longer_better`: the same
    share for the truth. `length_coefficient`: log-odds of choosing the first answer for each doubling of its length
    relative to the other, from a logistic regression on the decisive verdicts; `length_coefficient_given_truth` has the
    truth beside it, so that it tells what length adds to quality. Their intervals are cluster-robust (t).
    """
    _pairwise_only(items, "length bias")
    return _table(items, verdicts_by_judge, lambda benchmark, judge: _length(benchmark, judge, settings))


def lengths(items: Sequence[Item]) -> np.ndarray:
    """Return the characters of each response: (n_items, 2)."""
    return np.array([[sum(map(len, turns)) for turns in item.responses] for item in items]).reshape(-1, 2)


def _length(benchmark: BenchmarkArrays, judge: JudgeArrays, settings: Statistics) -> dict:
    if not benchmark.items[0].judgeable:  # then no item is: where some have texts, the others are left out
        return {name: (UNDEFINED, 0, NO_TEXTS) for name in LENGTH_METRICS}
    verdicts = _stack(benchmark, judge)
    characters = lengths(benchmark.items)[verdicts.item]
    longer = np.where(characters[:, 0] > characters[:, 1], FIRST, SECOND)
    unequal = characters[:, 0] != characters[:, 1]
    clear = unequal & (verdicts.truth != TIE)
    long_better = verdicts.truth == longer
    right = verdicts.outcome == verdicts.truth
    gap = _accuracy_gap(_sample(benchmark, verdicts.item[clear], "length", settings), right[clear], long_better[clear])
    shares = {
        "accuracy_longer_better": (right, clear & long_better),
        "accuracy_shorter_better": (right, clear & ~long_better),
        "longer_chosen": (verdicts.outcome == longer, unequal & (verdicts.outcome < TIE)),
        "longer_better": (long_better, clear),
    }
    results = {
        name: _share(benchmark, verdicts.item, hits, among, "length", settings)
        for name, (hits, among) in shares.items()
    }
    results["accuracy_gap"] = (gap, int(clear.sum()), "")
    return results | _length_coefficients(benchmark, verdicts, characters, settings)


def _accuracy_gap(sample: Sample, right: np.ndarray, long_better: np.ndarray) -> Estimate:
    """Return the accuracy where the longer answer is better minus that where the shorter one is."""
    counts = sample.count(right & long_better, long_better, right & ~long_better, ~long_better)
    return estimate(sample, counts, lambda sums: divide(sums[0], sums[1]) - divide(sums[2], sums[3]))


def _length_coefficients(
    benchmark: BenchmarkArrays, verdicts: _Verdicts, characters: np.ndarray, settings: Statistics
) -> dict[str, tuple[Estimate, int, str]]:
    """Return the logistic coefficients over the decisive verdicts; `characters` is (n_verdicts, 2)."""
    decisive = verdicts.outcome < TIE
    ratio = np.log2((characters[:, 0] + 1) / (characters[:, 1] + 1))  # + 1: a response may be empty
    quality = np.select([verdicts.truth == FIRST, verdicts.truth == SECOND], [1.0, -1.0], 0.0)
    cluster = benchmark.cluster[verdicts.item]
    results = {}
    for name, columns in {
        "length_coefficient": (ratio,),
        "length_coefficient_given_truth": (ratio, quality),
    }.items():
        choice, design = verdicts.outcome[decisive] == FIRST, np.column_stack(columns)[decisive]
        slope, note = logistic_slope(choice, design, cluster[decisive], settings.confidence)
        results[name] = (slope, int(decisive.sum()), note)
    return results


def logistic_slope(
    choice: np.ndarray, columns: np.ndarray, cluster: np.ndarray, confidence: float
) -> tuple[Estimate, str]:
    """Return the first column's coefficient in a logistic regression with intercept, and a note when there is none.

    `choice` (n,), `columns` (n, n_columns), `cluster` (n,). The interval is cluster-robust with clusters − 1 degrees of
    freedom. When the columns separate the choices, wholly or in part, the likelihood has no maximum and any figure
    would be an accident of the optimiser: the estimate is NaN.
    """
    if len(np.unique(choice)) < 2:
        return UNDEFINED, "the choice is always the same"
    if np.ptp(columns[:, 0]) == 0:
        return UNDEFINED, "the lengths do not differ"
    if len(np.unique(cluster)) < 3:
        return UNDEFINED, "fewer than three clusters"
    design = sm.add_constant(columns[:, np.ptp(columns, axis=0) > 0], prepend=False)
    if np.linalg.matrix_rank(design) < design.shape[1]:
        return UNDEFINED, "length and truth cannot be told apart"
    if is_separated(choice, design):
        what = "length and truth separate" if design.shape[1] > 2 else "length separates"
        return UNDEFINED, f"{what} the choices"
    with warnings.catch_warnings():
        warnings.simplefilter("error", ConvergenceWarning)
        warnings.simplefilter("error", HessianInversionWarning)
        try:
            fit = sm.Logit(choice.astype(float), design).fit(
                disp=0, maxiter=100, cov_type="cluster", cov_kwds={"groups": cluster}, use_t=True
            )
        except (ConvergenceWarning, HessianInversionWarning, np.linalg.LinAlgError):
            return UNDEFINED, "the regression did not converge"
    low, high = fit.conf_int(1 - confidence)[0]
    return Estimate(float(fit.params[0]), float(low), float(high)), ""


def is_separated(choice: np.ndarray, design: np.ndarray) -> bool:
    """Return whether some direction of the design never points against a choice and sometimes with it.

    Complete or quasi-complete separation, found by a linear programme (Konis 2007).
    """
    signed = np.where(choice, 1, -1)[:, None] * design
    # Maximise Σ signed·b subject to signed·b ≥ 0, |b| ≤ 1: the maximum is 0 exactly when nothing separates.
    result = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(signed)), bounds=(-1, 1), method="highs")
    return bool(result.status == 0 and -result.fun > 1e-6 * len(signed))  # the solver allows 1e-7 in each row


# Kinds of task


def breakdown(
    items: Sequence[Item],
    verdicts_by_judge: VerdictsByJudge,
    by: str,
    settings: Statistics = DEFAULTS,
    metrics: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Return the scores per group of items: `by` is "category" or the name of a field of `extra` ("complexity").

    The columns are those of `score_benchmark` and, after the benchmark, `by` and `group`; items without a value form
    the group "(none)". `metrics` keeps only these metrics. Intervals of small groups are wide, as they should be.
    """
    groups: dict[str, list[Item]] = {}
    for item in items:
        value = item.category if by == "category" else item.extra.get(by)
        groups.setdefault("(none)" if value is None else str(value), []).append(item)
    if set(groups) == {"(none)"}:
        fields = sorted({"category"} | {name for item in items for name in item.extra})
        raise JudgemergeError(f"{items[0].benchmark}: no item has a {by}; known: {', '.join(fields)}")
    verdicts = {judge: list(judge_verdicts) for judge, judge_verdicts in verdicts_by_judge.items()}
    tables = []
    for group in sorted(groups):
        names = {item.id for item in groups[group]}
        part = {
            judge: [verdict for verdict in judge_verdicts if verdict.item in names]
            for judge, judge_verdicts in verdicts.items()
        }
        table = score_benchmark(groups[group], part, settings, metrics)
        table.insert(table.columns.get_loc("benchmark") + 1, "by", by)
        table.insert(table.columns.get_loc("by") + 1, "group", group)
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


# Its own writing


def self_preference(
    items: Sequence[Item],
    verdicts_by_judge: VerdictsByJudge,
    own_models: Mapping[str, Iterable[str]],
    settings: Statistics = DEFAULTS,
) -> pd.DataFrame:
    """Return how far a judge favours what its own model wrote (Panickssery et al. 2024, arXiv:2404.13076).

    `own_models` maps judge → the names in `Item.models` that are the judge itself or what it was made from; judges that
    are not in it have no rows. Pairwise, over readable verdicts on items where exactly one answer is its own:
    `own_chosen` (tie = ½), `own_deserved` (the same for the truth), `own_excess` (the difference). Pointwise:
    `own_excess`, the mean of score − truth on its own answers minus that on the others'.
    """
    with_models = {judge: verdicts for judge, verdicts in verdicts_by_judge.items() if judge in own_models}
    compute = _own_pairwise if items and items[0].protocol == "pairwise" else _own_pointwise
    return _table(items, with_models, lambda b, judge: compute(b, judge, set(own_models[judge.judge]), settings))


def _own_pairwise(benchmark: BenchmarkArrays, judge: JudgeArrays, names: set[str], settings: Statistics) -> dict:
    is_author = np.array(
        [[model in names for model in item.models] if item.models else [False] * 2 for item in benchmark.items]
    )
    is_author = is_author.reshape(-1, 2)
    verdicts = _stack(benchmark, judge)
    verdicts = verdicts.where((is_author[verdicts.item].sum(axis=1) == 1) & (verdicts.outcome != ERROR))
    side = np.where(is_author[verdicts.item, 0], FIRST, SECOND)

    def wins(codes: np.ndarray) -> np.ndarray:
        return np.where(codes == TIE, 0.5, codes == side)

    sample = _sample(benchmark, verdicts.item, "self", settings)
    wins_by_judge, deserved = wins(verdicts.outcome), wins(verdicts.truth)
    counts = sample.count(wins_by_judge - deserved, np.ones(len(side)))
    n = len(side)
    return {
        "own_chosen": (proportion(sample, wins_by_judge), n, ""),
        "own_deserved": (proportion(sample, deserved), n, ""),
        "own_excess": (estimate(sample, counts, lambda sums: divide(sums[0], sums[1])), n, ""),
    }


def _own_pointwise(benchmark: BenchmarkArrays, judge: JudgeArrays, names: set[str], settings: Statistics) -> dict:
    item = np.flatnonzero(~np.isnan(judge.scores))
    item = item[[bool(benchmark.items[index].models) for index in item]]
    is_author = np.array([benchmark.items[index].models[0] in names for index in item], dtype=bool)
    surplus = judge.scores[item] - benchmark.truth[item]
    sample = _sample(benchmark, item, "self", settings)
    counts = sample.count(surplus * is_author, is_author, surplus * ~is_author, ~is_author)
    excess = estimate(sample, counts, lambda sums: divide(sums[0], sums[1]) - divide(sums[2], sums[3]))
    return {"own_excess": (excess, int(is_author.sum()), "")}
