"""Prometheus 2 (Kim et al. 2024, arXiv:2405.01535 v2; eval/utils.py, eval/cycle_consistency.py)."""

from collections import defaultdict
from collections.abc import Iterable, Iterator

import numpy as np

from judgemerge.core import files
from judgemerge.core.items import as_published
from judgemerge.evaluate.counts import pointwise_metrics
from judgemerge.evaluate.published import Case, Row
from judgemerge.evaluate.published._cells import aligned, rate, truth_counts
from judgemerge.evaluate.verdict_arrays import ERROR, TIE, BenchmarkArrays, JudgeArrays, benchmark_arrays, judge_arrays

NON_TIES = "[non-ties]"


def rows(case: Case) -> Iterator[Row]:
    """Yield what the paper prints: correlations and exact hits of grades, accuracy of one order of pairs.

    Grades: the mean over the runs against the mean of GPT-4's scores (or people's), over the items whose reply was
    read. `exact` is the share of items whose grade in the first run equals the truth, errors are misses; the paper
    gives it for Feedback Bench alone.

    Pairs: the original order only, as the paper judges one order (half of the pairs are turned here); where both orders
    were judged, `accuracy_drawn` is the same with one order per pair, drawn at random with the seed of `statistics`, as
    the paper draws it without one. `accuracy_first` is over all pairs, by part for HHH; an error is a miss. "With ties"
    has two readings, so it has two names: `accuracy_first[tie from verdicts]` takes a tie when the verdict is one (a
    judge whose prompt offers none is always wrong there: its published rows in part), and a judge that compares two
    grades has its ties from scores: for it the same measure is called `accuracy_first[tie from scores]`. `[non-ties]`
    leaves out the pairs that people call a tie.
    """
    if case.items[0].protocol == "pointwise":
        yield from _grades(case)
    else:
        yield from truth_counts(case)
        yield from _pairs(case)


def _grades(case: Case) -> Iterator[Row]:
    benchmark = benchmark_arrays(case.items)
    for name, verdicts in case.verdicts.items():
        judge = judge_arrays(benchmark, name, verdicts)
        read = ~np.isnan(judge.scores)
        errors = int((~read).sum())
        truth, score = benchmark.truth[read], judge.scores[read]
        values = pointwise_metrics(truth, score, np.ones((len(truth), 1))) if len(truth) else {}
        for metric in ("pearson", "kendall", "spearman"):
            value = float(values[metric][0]) if metric in values else np.nan
            note = (
                "" if np.isfinite(value) else "no reply was read" if not len(truth) else "grades or truth are constant"
            )
            yield Row(name, metric, value, benchmark.n_items, errors, note=note)
        first = judge_arrays(benchmark, name, map(as_published, verdicts)).scores
        yield rate(name, "exact", first == benchmark.truth, np.isnan(first))


def _pairs(case: Case) -> Iterator[Row]:
    for benchmark, judge in aligned(case):
        if not judge.recorded[0]:
            continue
        yield from _one_order(benchmark, judge, judge.codes[:, 0], "accuracy_first")
        if all(judge.recorded):
            orders = [_drawn_order(case.settings.seed, item.id) for item in benchmark.items]
            outcomes = judge.codes[np.arange(benchmark.n_items), orders]
            yield from _one_order(benchmark, judge, outcomes, "accuracy_drawn")
        yield from _transitivity(benchmark, judge)


def _drawn_order(seed: int, item: str) -> int:
    """Return 0 for the original order or 1 for the swapped one, decided by seed and id alone."""
    return int(files.sha256_text(str(seed), item)[0], 16) % 2


def _one_order(benchmark: BenchmarkArrays, judge: JudgeArrays, outcomes: np.ndarray, metric: str) -> Iterator[Row]:
    """Yield the accuracies of one verdict per pair, (n_items,) codes."""
    hits, unread = outcomes == benchmark.truth, outcomes == ERROR
    decided = benchmark.truth != TIE
    yield rate(judge.judge, f"{metric}{NON_TIES}", hits[decided], unread[decided])
    if not decided.all():
        ties = "scores" if judge.judge.endswith("_from_grades") else "verdicts"
        yield rate(judge.judge, f"{metric}[tie from {ties}]", hits, unread)
    parts = list(dict.fromkeys(item.category for item in benchmark.items))
    if decided.all() and len(parts) > 1:
        yield rate(judge.judge, metric, hits, unread)
        for part in parts:
            in_part = np.array([item.category == part for item in benchmark.items])
            yield rate(judge.judge, f"{metric}[{part}]", hits[in_part], unread[in_part])


def _transitivity(benchmark: BenchmarkArrays, judge: JudgeArrays) -> Iterator[Row]:
    """Yield the published transitivity where the pairs of an instruction are all pairs of several answers.

    The paper's code takes both premises from the labels, not from the judge: for labels x < s < y it counts whether the
    judge puts y above x. That is the accuracy on the pairs that have an answer between them, counted once per answer
    between. Whether the judge contradicts itself is in tables/self_consistency.csv.
    """
    between, outcomes = answers_between(benchmark), judge.codes[:, 0]
    if between.any():
        hits, unread = (np.repeat(codes, between) for codes in (outcomes == benchmark.truth, outcomes == ERROR))
        yield rate(judge.judge, "transitivity", hits, unread)


def answers_between(benchmark: BenchmarkArrays) -> np.ndarray:
    """Return per pair, (n_items,), how many answers to its instruction the labels put between its two; ties have 0."""
    above: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    decided = [
        (place, item.cluster, _text(item.responses[truth]), _text(item.responses[1 - truth]))
        for place, (item, truth) in enumerate(zip(benchmark.items, benchmark.truth, strict=True))
        if truth != TIE
    ]
    for _, cluster, better, worse in decided:
        above[cluster][worse].add(better)
    counts = np.zeros(benchmark.n_items, dtype=int)
    for place, cluster, better, worse in decided:
        graph = above[cluster]
        counts[place] = sum(better in graph.get(middle, ()) for middle in graph.get(worse, ()))
    return counts


def _text(turns: Iterable[str]) -> str:
    return "\n".join(turns)
