"""How well people agree with each other, which is what a judge can be asked to reach, and judges against single votes.

Definitions. *Majority*: the most frequent class, a tie when several are equally frequent (MT-Bench's rule; PandaLM's
three votes never split three ways); for numbers the mean. *Alone*: one annotator's vote against the majority of all
votes, their own included, which flatters. *Left out*: the vote against the majority of the others, the human ceiling.
"""

import itertools
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import CLASSES, Item, Verdict
from judgemerge.evaluate.counts import cells_of, divide
from judgemerge.evaluate.estimates import (
    DEFAULTS,
    UNDEFINED,
    Estimate,
    Sample,
    confusion_estimates,
    draw_sample,
    estimate,
    grade_estimates,
    proportion,
)
from judgemerge.evaluate.metrics import metrics_for
from judgemerge.evaluate.verdict_arrays import (
    CODES,
    ERROR,
    NOT_ASKED,
    TIE,
    BenchmarkArrays,
    JudgeArrays,
    benchmark_arrays,
    judge_arrays,
)
from judgemerge.settings.report import Statistics

EVERYONE = "all"
CHANGE = ("change", "change_low", "change_high")


def majority(votes: Sequence[str | float]) -> str | float | None:
    """Return the most frequent class (several equally frequent: tie) or the mean number; None without votes."""
    if not votes:
        return None
    if not isinstance(votes[0], str):
        return float(np.mean(votes))
    counts = Counter(votes).most_common()
    return "tie" if is_split(votes) else counts[0][0]


def is_split(votes: Sequence[str]) -> bool:
    """Return whether no single class is the most frequent one."""
    counts = Counter(votes).most_common(2)
    return len(counts) == 2 and counts[0][1] == counts[1][1]


class VoteSummary(NamedTuple):
    """How many items have votes, how many votes and annotators there are, and how far they agree.

    `unanimous` and `split` count items with at least two votes, `split` for classes only; `truth_differs` those whose
    truth is not the majority.
    """

    benchmark: str
    n: int
    votes: int
    annotators: int
    unanimous: int
    split: int
    truth_differs: int


def vote_summary(items: Sequence[Item]) -> VoteSummary:
    """Return what is counted of the votes on items."""
    voted = [item for item in items if item.votes]
    lists = [[vote.vote for vote in item.votes] for item in voted]
    several = [votes for votes in lists if len(votes) > 1]
    classes = bool(voted) and voted[0].protocol == "pairwise"
    return VoteSummary(
        benchmark=items[0].benchmark if items else "",
        n=len(voted),
        votes=sum(map(len, lists)),
        annotators=len({vote.annotator for item in voted for vote in item.votes}),
        unanimous=sum(len(set(votes)) == 1 for votes in several),
        split=sum(map(is_split, several)) if classes else 0,
        truth_differs=sum(not _same(majority(v), item.truth) for v, item in zip(lists, voted, strict=True)),
    )


def _same(one: str | float, other: str | float) -> bool:
    return one == other if isinstance(one, str) else abs(one - other) < 1e-9


def annotator_agreement(items: Sequence[Item], settings: Statistics = DEFAULTS) -> pd.DataFrame:
    """Return how each annotator, and all pooled (`annotator` "all"), agree with the majority.

    `against` is "majority" (of all votes), "others" (leave-one-out, an even split of the others being a tie) or
    "others, splits left out". `n` counts votes, `splits` those of them whose others split evenly. Intervals resample
    the items' clusters.
    """
    rows = []
    for against, votes in _vote_tables(items).items():
        for annotator in [EVERYONE, *sorted({vote.annotator for vote in votes})]:
            compared = [vote for vote in votes if annotator in (EVERYONE, vote.annotator)]
            rows += _annotator_rows(items[0], annotator, against, compared, settings)
    columns = ["annotator", "against", "benchmark", "protocol", "metric", "value", "ci_low", "ci_high", "n", "splits"]
    return pd.DataFrame(rows, columns=columns)


@dataclass(frozen=True)
class _Compared:
    """One vote with what it is compared to; `split` when the votes it is compared to split evenly."""

    annotator: str
    vote: str | float
    cluster: str
    reference: str | float
    split: bool


def _vote_tables(items: Sequence[Item]) -> dict[str, list[_Compared]]:
    """Return for each kind of comparison its votes; an item with one vote has no others and is in none."""
    alone, left_out = [], []
    for item in items:
        votes = [vote.vote for vote in item.votes]
        if len(votes) < 2:
            continue
        pairwise = item.protocol == "pairwise"
        for index, one_vote in enumerate(item.votes):
            for table, those in ((alone, votes), (left_out, votes[:index] + votes[index + 1 :])):
                split = pairwise and is_split(those)
                table.append(_Compared(one_vote.annotator, one_vote.vote, item.cluster, majority(those), split))
    tables = {"majority": alone, "others": left_out}
    if any(vote.split for vote in left_out):
        tables["others, splits left out"] = [vote for vote in left_out if not vote.split]
    return tables


def _annotator_rows(
    item: Item, annotator: str, against: str, votes: Sequence[_Compared], settings: Statistics
) -> list[tuple]:
    name = f"{item.benchmark}/annotators/{against}/{annotator}"
    sample = draw_sample([vote.cluster for vote in votes], name, settings)
    estimates = _between(item.protocol, sample, [vote.reference for vote in votes], [vote.vote for vote in votes])
    place, sizes = (annotator, against, item.benchmark, item.protocol), (len(votes), sum(vote.split for vote in votes))
    return [(*place, metric, *value.columns().values(), *sizes) for metric, value in estimates.items()]


def _between(protocol: str, sample: Sample, reference: Sequence, values: Sequence) -> dict[str, Estimate]:
    """Return the metrics between two raters, with intervals, of their classes or numbers."""
    if protocol == "pairwise":
        return confusion_estimates(sample, *(np.array([CODES[x] for x in side]) for side in (reference, values)))
    return number_estimates(sample, *(np.array(side, dtype=float) for side in (reference, values)))


def number_estimates(sample: Sample, truth: np.ndarray, score: np.ndarray) -> dict:
    """Return the pointwise metrics with intervals for numbers, (n_units,) each."""
    cells = cells_of(truth, score, sample.cluster, sample.n_clusters)
    return grade_estimates(sample, cells, metrics_for("pointwise", "raters"))


def annotator_pairs(items: Sequence[Item], min_shared: int = 20, settings: Statistics = DEFAULTS) -> pd.DataFrame:
    """Return the agreement of every two annotators on the items both voted on, if at least `min_shared`.

    Pairwise: accuracy (share of equal votes) and kappa; pointwise: Pearson, Spearman, tau-b and mean absolute
    difference.
    """
    by_annotator: dict[str, dict[str, str | float]] = {}
    for item in items:
        for vote in item.votes:
            by_annotator.setdefault(vote.annotator, {})[item.id] = vote.vote
    cluster = {item.id: item.cluster for item in items}
    rows = []
    for one, other in itertools.combinations(sorted(by_annotator), 2):
        shared = sorted(by_annotator[one].keys() & by_annotator[other].keys())
        if len(shared) >= min_shared:
            pair = [[by_annotator[who][item] for item in shared] for who in (one, other)]
            rows += _pair_rows(items[0], one, other, pair, [cluster[item] for item in shared], settings)
    columns = ["annotator_a", "annotator_b", "benchmark", "metric", "value", "ci_low", "ci_high", "n"]
    return pd.DataFrame(rows, columns=columns)


def _pair_rows(item: Item, one: str, other: str, pair: list, clusters: list[str], settings: Statistics) -> list[tuple]:
    sample = draw_sample(clusters, f"{item.benchmark}/pairs/{one}/{other}", settings)
    estimates = _between(item.protocol, sample, *pair)
    metrics = ("accuracy", "kappa") if item.protocol == "pairwise" else estimates
    return [(one, other, item.benchmark, m, *estimates[m].columns().values(), len(clusters)) for m in metrics]


def combined_codes(judge: JudgeArrays) -> np.ndarray:
    """Return one outcome code per item from the recorded orders, (n_items,).

    The same readable outcome in both orders is the verdict; two different ones are a tie (MT-Bench's rule); an error in
    either order is an error. A judge asked in one order has its verdict in that order.
    """
    if not all(judge.recorded):
        return judge.codes[:, 1 if judge.recorded[1] else 0]
    original, swapped = judge.codes.T
    combined = np.where(original == swapped, original, TIE)
    return np.where((original == ERROR) | (swapped == ERROR), ERROR, combined)


def vote_agreement(
    items: Sequence[Item],
    verdicts_by_judge: Mapping[str, Iterable[Verdict]],
    settings: Statistics = DEFAULTS,
) -> pd.DataFrame:
    """Return agreement over votes as MT-Bench defines it (Zheng et al. 2023, arXiv:2306.05685).

    `rater` "human": all pairs of votes on one item. A judge: its combined verdict (`combined_codes`) against every vote
    on the item. `setting` "without ties" drops a comparison in which either side is a tie; an erroneous verdict never
    agrees and is dropped in neither. All items with votes count, with or without texts, except that a judge is compared
    only on items it has a verdict for. `n` counts comparisons, `errors` those with an erroneous verdict.
    """
    benchmark = benchmark_arrays(items, judgeable_only=False)
    votes = [np.array([CODES[vote.vote] for vote in item.votes], dtype=int) for item in benchmark.items]
    rows = _vote_rows(benchmark, "human", _human_comparisons(votes), settings)
    for judge, verdicts in verdicts_by_judge.items():
        verdicts = list(verdicts)
        seen = {verdict.item for verdict in verdicts if verdict.reason not in NOT_ASKED}
        has_verdict = np.array([item.id in seen for item in benchmark.items])
        codes = combined_codes(judge_arrays(benchmark, judge, verdicts))
        rows += _vote_rows(benchmark, judge, _judge_comparisons(votes, codes, has_verdict), settings)
    columns = ["rater", "benchmark", "setting", "agreements", "n", "errors", "value", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def _human_comparisons(votes: Sequence[np.ndarray]) -> np.ndarray:
    """Return (item, one vote, other vote) for all pairs of votes on one item, (n_comparisons, 3)."""
    rows = [(index, one, other) for index, codes in enumerate(votes) for one, other in itertools.combinations(codes, 2)]
    return np.array(rows, dtype=int).reshape(-1, 3)


def _judge_comparisons(votes: Sequence[np.ndarray], verdicts: np.ndarray, has_verdict: np.ndarray) -> np.ndarray:
    """Return (item, vote, verdict) for every vote on an item the judge was asked about, (n_comparisons, 3)."""
    rows = [(index, vote, verdicts[index]) for index, codes in enumerate(votes) if has_verdict[index] for vote in codes]
    return np.array(rows, dtype=int).reshape(-1, 3)


def _vote_rows(benchmark: BenchmarkArrays, rater: str, comparisons: np.ndarray, settings: Statistics) -> list[tuple]:
    rows = []
    for setting in ("with ties", "without ties"):
        compared = comparisons
        if setting == "without ties":
            compared = comparisons[(comparisons[:, 1] != TIE) & (comparisons[:, 2] != TIE)]
        clusters = [benchmark.items[index].cluster for index in compared[:, 0]]
        sample = draw_sample(clusters, f"{benchmark.benchmark}/votes/{setting}", settings)
        agree = compared[:, 1] == compared[:, 2]
        counts = int(agree.sum()), len(compared), int((compared[:, 2] == ERROR).sum())
        rows.append((rater, benchmark.benchmark, setting, *counts, *proportion(sample, agree).columns().values()))
    return rows


def alpha_table(
    items: Sequence[Item],
    verdicts_by_judge: Mapping[str, Iterable[Verdict]],
    settings: Statistics = DEFAULTS,
) -> pd.DataFrame:
    """Return Krippendorff's alpha among the annotators, and with each judge added as one more annotator.

    Nominal for classes, interval for numbers. `change` is the alpha with the judge minus the annotators' own; a judge
    that agrees with people as they do among themselves leaves it near 0; its interval (`change_low`, `change_high`)
    draws the items of both alphas together. An erroneous verdict is a missing value. `n`
    counts items with at least two values, `values` the values on them. Source: Krippendorff 2011, "Computing
    Krippendorff's Alpha-Reliability"; the value equals that of the `krippendorff` package.
    """
    benchmark = benchmark_arrays(items, judgeable_only=False)
    votes = [[vote.vote for vote in item.votes] for item in benchmark.items]
    rows = [_alpha_row(benchmark, "humans", votes, settings) | dict(zip(CHANGE, (0.0, np.nan, np.nan), strict=True))]
    for name, verdicts in verdicts_by_judge.items():
        judge = judge_arrays(benchmark, name, verdicts)
        added = [ratings + value for ratings, value in zip(votes, _judge_values(benchmark, judge), strict=True)]
        change = _alpha_change(benchmark, votes, added, settings).columns().values()
        row = _alpha_row(benchmark, f"humans and {name}", added, settings)
        rows.append(row | dict(zip(CHANGE, change, strict=True)))
    return pd.DataFrame(rows)


def _alpha_change(
    benchmark: BenchmarkArrays, votes: Sequence[Sequence], added: Sequence[Sequence], settings: Statistics
) -> Estimate:
    """Return the alpha of the values with a judge's minus that of the votes, over the same resamples of the items."""
    several_rated = [index for index, values in enumerate(added) if len(values) > 1]
    level = "nominal" if benchmark.protocol == "pairwise" else "interval"
    both = [[values[index] for index in several_rated] for values in (votes, added)]
    if any(len({value for ratings in values if len(ratings) > 1 for value in ratings}) < 2 for values in both):
        return UNDEFINED
    clusters = [benchmark.items[index].cluster for index in several_rated]
    sample = draw_sample(clusters, f"{benchmark.benchmark}/alpha change", settings)
    parts = []
    for values in both:
        several = np.array([len(ratings) > 1 for ratings in values])
        counts = (_class_counts if level == "nominal" else _number_counts)(
            [ratings for ratings in values if len(ratings) > 1]
        )
        full = np.zeros((len(counts), len(several_rated)))
        full[:, several] = counts
        parts.append(sample.count(*full))
    n_counts, alpha = len(parts[0]), _alpha_of[level]
    return estimate(sample, np.concatenate(parts), lambda sums: alpha(sums[n_counts:]) - alpha(sums[:n_counts]))


def _judge_values(benchmark: BenchmarkArrays, judge: JudgeArrays) -> list[list]:
    """Return for each item the judge's value in a list, empty where it is an error."""
    if benchmark.protocol == "pointwise":
        return [[] if np.isnan(score) else [float(score)] for score in judge.scores]
    names = {code: name for name, code in CODES.items()}
    return [[] if code == ERROR else [names[code]] for code in combined_codes(judge)]


def _alpha_row(benchmark: BenchmarkArrays, raters: str, values: Sequence[Sequence], settings: Statistics) -> dict:
    several_rated = [
        (item.cluster, ratings) for item, ratings in zip(benchmark.items, values, strict=True) if len(ratings) > 1
    ]
    different = {value for _, ratings in several_rated for value in ratings}
    level = "nominal" if benchmark.protocol == "pairwise" else "interval"
    note = ""
    if len(different) > 1:
        sample = draw_sample([cluster for cluster, _ in several_rated], f"{benchmark.benchmark}/alpha", settings)
        counts = (_class_counts if level == "nominal" else _number_counts)([ratings for _, ratings in several_rated])
        columns = estimate(sample, sample.count(*counts), _alpha_of[level]).columns()
    else:
        columns = UNDEFINED.columns()
        note = "fewer than two values on one item" if not several_rated else "all values are the same"
    identity = {"raters": raters, "benchmark": benchmark.benchmark, "level": level}
    return (
        identity
        | columns
        | {"n": len(several_rated), "values": sum(len(ratings) for _, ratings in several_rated), "note": note}
    )


def _class_counts(values: Sequence[Sequence[str]]) -> list[np.ndarray]:
    """Return, per item, the observed disagreement and how often each class occurs; each item has several values."""
    table = np.array([[ratings.count(name) for name in CLASSES] for ratings in values], dtype=float)
    n_values = table.sum(axis=1)
    return [(n_values**2 - (table**2).sum(axis=1)) / (n_values - 1), *table.T]


def _number_counts(values: Sequence[Sequence[float]]) -> list[np.ndarray]:
    """Return, per item, the observed disagreement, the number of values, their sum and the sum of their squares.

    The values are centred first: the expected disagreement is a difference of squares and would cancel far from 0.
    """
    middle = np.mean([value for ratings in values for value in ratings])
    n_values, sums, squares = (
        np.array([sum((value - middle) ** power for value in ratings) for ratings in values], dtype=float)
        for power in range(3)
    )
    return [2 * (n_values * squares - sums**2) / (n_values - 1), n_values, sums, squares]


def _class_alpha(sums: np.ndarray) -> np.ndarray:
    observed, classes = sums[0], sums[1:]
    total = classes.sum(axis=0)
    return 1 - divide(observed * (total - 1), total**2 - (classes**2).sum(axis=0))


def _number_alpha(sums: np.ndarray) -> np.ndarray:
    observed, n_values, total, squares = sums
    expected = 2 * (n_values * squares - total**2)
    return 1 - divide(observed * (n_values - 1), np.where(expected > 1e-9 * n_values * squares, expected, 0))


_alpha_of = {"nominal": _class_alpha, "interval": _number_alpha}
