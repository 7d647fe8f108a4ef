"""How well people agree with each other, which is what a judge can be asked to reach, and judges against single votes.

Definitions. *Majority*: the most frequent class, a tie when several are equally frequent (MT-Bench's rule; PandaLM's
three votes never split three ways); for numbers the mean. *Alone*: one annotator's vote against the majority of all
votes, their own included, which flatters. *Left out*: the vote against the majority of the others, the human ceiling.
"""

import dataclasses
import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import krippendorff
import numpy as np
import pandas as pd

from judgemerge.agreement.arrays import CODES, ERROR, TIE, BenchmarkArrays, JudgeArrays, benchmark_arrays, judge_arrays
from judgemerge.agreement.estimates import (
    DEFAULTS,
    UNDEFINED,
    Estimate,
    Sample,
    Settings,
    confusion_estimates,
    draw_sample,
    estimate,
    proportion,
)
from judgemerge.agreement.metrics import divide, pointwise_metrics
from judgemerge.items import Item, Verdict, Vote

CLASS_METRICS = ("accuracy", "macro_f1", "kappa")
NUMBER_METRICS = ("pearson", "spearman", "kendall", "mae")
EVERYONE = "all"


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


def keep_votes(items: Iterable[Item], keep: Callable[[Vote], bool]) -> list[Item]:
    """Return the items with only the votes that `keep` accepts (experts, say); the truth stays what it was."""
    return [dataclasses.replace(item, votes=tuple(vote for vote in item.votes if keep(vote))) for item in items]


def vote_summary(items: Sequence[Item]) -> pd.DataFrame:
    """Return one row: items with votes, votes, annotators, unanimous items, splits, items whose truth is another.

    Unanimous items and splits count items with at least two votes; splits exist for classes only.
    """
    voted = [item for item in items if item.votes]
    lists = [[vote.vote for vote in item.votes] for item in voted]
    several = [votes for votes in lists if len(votes) > 1]
    classes = bool(voted) and voted[0].protocol == "pairwise"
    row = {
        "benchmark": items[0].benchmark if items else "",
        "n": len(voted),
        "votes": sum(map(len, lists)),
        "annotators": len({vote.annotator for item in voted for vote in item.votes}),
        "unanimous": sum(len(set(votes)) == 1 for votes in several),
        "split": sum(map(is_split, several)) if classes else 0,
        "truth_differs": sum(not _same(majority(v), item.truth) for v, item in zip(lists, voted, strict=True)),
    }
    return pd.DataFrame([row])


def _same(one: str | float, other: str | float) -> bool:
    return one == other if isinstance(one, str) else abs(one - other) < 1e-9


def annotator_agreement(items: Sequence[Item], settings: Settings = DEFAULTS) -> pd.DataFrame:
    """Return how each annotator, and all pooled (`annotator` "all"), agree with the majority.

    `against` is "majority" (of all votes), "others" (leave-one-out, an even split of the others being a tie) or
    "others, splits left out". `n` counts votes, `splits` those of them whose others split evenly. Intervals resample
    the items' clusters.
    """
    rows = []
    for against, votes in _vote_tables(items).items():
        for annotator in [EVERYONE, *sorted({vote.annotator for vote in votes})]:
            chosen = [vote for vote in votes if annotator in (EVERYONE, vote.annotator)]
            rows += _annotator_rows(items[0], annotator, against, chosen, settings)
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
        for index, own in enumerate(item.votes):
            for table, those in ((alone, votes), (left_out, votes[:index] + votes[index + 1 :])):
                split = pairwise and is_split(those)
                table.append(_Compared(own.annotator, own.vote, item.cluster, majority(those), split))
    tables = {"majority": alone, "others": left_out}
    if any(vote.split for vote in left_out):
        tables["others, splits left out"] = [vote for vote in left_out if not vote.split]
    return tables


def _annotator_rows(
    item: Item, annotator: str, against: str, votes: Sequence[_Compared], settings: Settings
) -> list[dict]:
    name = f"{item.benchmark}/annotators/{against}/{annotator}"
    sample = draw_sample([vote.cluster for vote in votes], name, settings)
    if item.protocol == "pairwise":
        reference, own = (np.array([CODES[x] for x in side]) for side in _sides(votes))
        estimates = confusion_estimates(sample, reference, own)
    else:
        estimates = number_estimates(sample, *(np.array(side, dtype=float) for side in _sides(votes)))
    return [
        {
            "annotator": annotator,
            "against": against,
            "benchmark": item.benchmark,
            "protocol": item.protocol,
            "metric": metric,
            **estimates[metric].columns(),
            "n": len(votes),
            "splits": sum(vote.split for vote in votes),
        }
        for metric in (CLASS_METRICS if item.protocol == "pairwise" else NUMBER_METRICS)
    ]


def _sides(votes: Sequence[_Compared]) -> tuple[list, list]:
    return [vote.reference for vote in votes], [vote.vote for vote in votes]


def number_estimates(sample: Sample, truth: np.ndarray, score: np.ndarray) -> dict:
    """Return the pointwise metrics with intervals for numbers, (n_units,) each."""
    cells, index = np.unique(np.column_stack([truth, score]), axis=0, return_inverse=True)
    index = index.reshape(-1)
    counts = sample.count(*(index == cell for cell in range(len(cells))))
    return {
        metric: estimate(sample, counts, lambda sums, m=metric: pointwise_metrics(cells[:, 0], cells[:, 1], sums)[m])
        for metric in NUMBER_METRICS
    }


def annotator_pairs(items: Sequence[Item], min_shared: int = 20, settings: Settings = DEFAULTS) -> pd.DataFrame:
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


def _pair_rows(item: Item, one: str, other: str, pair: list, clusters: list[str], settings: Settings) -> list[dict]:
    sample = draw_sample(clusters, f"{item.benchmark}/pairs/{one}/{other}", settings)
    if item.protocol == "pairwise":
        estimates = confusion_estimates(sample, *(np.array([CODES[vote] for vote in votes]) for votes in pair))
        metrics = ("accuracy", "kappa")
    else:
        estimates = number_estimates(sample, *(np.array(votes, dtype=float) for votes in pair))
        metrics = NUMBER_METRICS
    identity = {"annotator_a": one, "annotator_b": other, "benchmark": item.benchmark}
    return [identity | {"metric": m, **estimates[m].columns(), "n": len(clusters)} for m in metrics]


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
    settings: Settings = DEFAULTS,
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
        seen = {verdict.item for verdict in verdicts if verdict.reason != "not_recorded"}
        asked = np.array([item.id in seen for item in benchmark.items])
        codes = combined_codes(judge_arrays(benchmark, judge, verdicts))
        rows += _vote_rows(benchmark, judge, _judge_comparisons(votes, codes, asked), settings)
    columns = ["rater", "benchmark", "setting", "agreements", "n", "errors", "value", "ci_low", "ci_high"]
    return pd.DataFrame(rows, columns=columns)


def _human_comparisons(votes: Sequence[np.ndarray]) -> np.ndarray:
    """Return (item, one vote, other vote) for all pairs of votes on one item, (n_comparisons, 3)."""
    rows = [(index, one, other) for index, codes in enumerate(votes) for one, other in itertools.combinations(codes, 2)]
    return np.array(rows, dtype=int).reshape(-1, 3)


def _judge_comparisons(votes: Sequence[np.ndarray], verdicts: np.ndarray, asked: np.ndarray) -> np.ndarray:
    """Return (item, vote, verdict) for every vote on an item the judge was asked about, (n_comparisons, 3)."""
    rows = [(index, vote, verdicts[index]) for index, codes in enumerate(votes) if asked[index] for vote in codes]
    return np.array(rows, dtype=int).reshape(-1, 3)


def _vote_rows(benchmark: BenchmarkArrays, rater: str, comparisons: np.ndarray, settings: Settings) -> list[dict]:
    rows = []
    for setting in ("with ties", "without ties"):
        chosen = comparisons
        if setting == "without ties":
            chosen = comparisons[(comparisons[:, 1] != TIE) & (comparisons[:, 2] != TIE)]
        clusters = [benchmark.items[index].cluster for index in chosen[:, 0]]
        sample = draw_sample(clusters, f"{benchmark.benchmark}/votes/{setting}", settings)
        agree = chosen[:, 1] == chosen[:, 2]
        rows.append(
            {
                "rater": rater,
                "benchmark": benchmark.benchmark,
                "setting": setting,
                "agreements": int(agree.sum()),
                "n": len(chosen),
                "errors": int((chosen[:, 2] == ERROR).sum()),
                **proportion(sample, agree).columns(),
            }
        )
    return rows


def alpha_table(
    items: Sequence[Item],
    verdicts_by_judge: Mapping[str, Iterable[Verdict]],
    settings: Settings = DEFAULTS,
) -> pd.DataFrame:
    """Return Krippendorff's alpha among the annotators, and with each judge added as one more annotator.

    Nominal for classes, interval for numbers. `change` is the alpha with the judge minus the annotators' own; a judge
    that agrees with people as they do among themselves leaves it near 0; its interval (`change_low`, `change_high`)
    resamples both alphas together. An erroneous verdict is a missing value. `n`
    counts items with at least two values, `values` the values on them. Source: Krippendorff 2011, "Computing
    Krippendorff's Alpha-Reliability"; the value is that of the `krippendorff` package.
    """
    benchmark = benchmark_arrays(items, judgeable_only=False)
    votes = [[vote.vote for vote in item.votes] for item in benchmark.items]
    rows = [_alpha_row(benchmark, "humans", votes, settings)]
    changes = [UNDEFINED]
    for name, verdicts in verdicts_by_judge.items():
        judge = judge_arrays(benchmark, name, verdicts)
        added = [own + value for own, value in zip(votes, _judge_values(benchmark, judge), strict=True)]
        rows.append(_alpha_row(benchmark, f"humans and {name}", added, settings))
        changes.append(_alpha_change(benchmark, votes, added, settings))
    table = pd.DataFrame(rows)
    table["change"] = table["value"] - table["value"].iloc[0]
    ends = [change.columns() for change in changes]
    return table.assign(change_low=[end["ci_low"] for end in ends], change_high=[end["ci_high"] for end in ends])


def _alpha_change(
    benchmark: BenchmarkArrays, alone: Sequence[Sequence], added: Sequence[Sequence], settings: Settings
) -> Estimate:
    """Return alpha(added) − alpha(alone), its interval from resamples of the items that both share."""
    kept = [
        (item.cluster, *both) for item, *both in zip(benchmark.items, alone, added, strict=True) if len(both[1]) > 1
    ]
    domain = sorted({value for _, _, own in kept for value in own})
    if len(domain) < 2:
        return UNDEFINED
    level = "nominal" if benchmark.protocol == "pairwise" else "interval"
    numbers = np.arange(len(domain)) if level == "nominal" else np.array(domain, dtype=float)
    place = {value: index for index, value in enumerate(domain)}
    tables = np.zeros((2, len(kept), len(domain)))
    for row, (_, *both) in enumerate(kept):
        for table, own in zip(tables, both, strict=True):
            if len(own) > 1:  # a single value meets none to agree with
                np.add.at(table[row], [place[value] for value in own], 1)
    counts = [count for table in tables for count in _alpha_counts(table, numbers, level)]
    alpha, half = _alpha_function(numbers, level), len(counts) // 2
    sample = draw_sample([cluster for cluster, *_ in kept], f"{benchmark.benchmark}/alpha", settings)
    return estimate(sample, sample.count(*counts), lambda sums: alpha(sums[half:]) - alpha(sums[:half]))


def _judge_values(benchmark: BenchmarkArrays, judge: JudgeArrays) -> list[list]:
    """Return for each item the judge's value in a list, empty where it is an error."""
    if benchmark.protocol == "pointwise":
        return [[] if np.isnan(score) else [float(score)] for score in judge.scores]
    names = {code: name for name, code in CODES.items()}
    return [[] if code == ERROR else [names[code]] for code in combined_codes(judge)]


def _alpha_row(benchmark: BenchmarkArrays, raters: str, values: Sequence[Sequence], settings: Settings) -> dict:
    kept = [(item.cluster, own) for item, own in zip(benchmark.items, values, strict=True) if len(own) > 1]
    domain = sorted({value for _, own in kept for value in own})
    level = "nominal" if benchmark.protocol == "pairwise" else "interval"
    numbers = np.arange(len(domain)) if level == "nominal" else np.array(domain, dtype=float)
    position = {value: index for index, value in enumerate(domain)}
    table = np.zeros((len(kept), len(domain)))
    for row, (_, own) in enumerate(kept):
        np.add.at(table[row], [position[value] for value in own], 1)
    note = ""
    if len(domain) > 1:
        sample = draw_sample([cluster for cluster, _ in kept], f"{benchmark.benchmark}/alpha", settings)
        result = estimate(sample, sample.count(*_alpha_counts(table, numbers, level)), _alpha_function(numbers, level))
        value = krippendorff.alpha(value_counts=table, value_domain=numbers, level_of_measurement=level)
        columns = result.columns() | {"value": float(np.round(value, 12))}
    else:
        columns = {"value": np.nan, "ci_low": np.nan, "ci_high": np.nan}
        note = "fewer than two values on one item" if not kept else "all values are the same"
    identity = {"raters": raters, "benchmark": benchmark.benchmark, "level": level}
    return identity | columns | {"n": len(kept), "values": int(table.sum()), "note": note}


def _squared_distances(numbers: np.ndarray, level: str) -> np.ndarray:
    gap = numbers[:, None] - numbers
    return (gap != 0).astype(float) if level == "nominal" else gap**2


def _alpha_counts(table: np.ndarray, numbers: np.ndarray, level: str) -> list[np.ndarray]:
    """Return what alpha is made of, per item: observed disagreement, then how often each value occurs.

    `table` is (n_items, n_values) with at least two values in each row.
    """
    pairs = np.einsum("iv,vw,iw->i", table, _squared_distances(numbers, level), table)
    return [pairs / (table.sum(axis=1) - 1), *table.T]


def _alpha_function(numbers: np.ndarray, level: str) -> Callable[[np.ndarray], np.ndarray]:
    distances = _squared_distances(numbers, level)

    def alpha(sums: np.ndarray) -> np.ndarray:
        observed, values = sums[0], sums[1:]
        expected = ((distances @ values) * values).sum(axis=0)
        return 1 - divide(observed * (values.sum(axis=0) - 1), expected)

    return alpha
