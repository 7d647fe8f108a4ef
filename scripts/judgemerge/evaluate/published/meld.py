"""How MELD-Eval's scripts count (Bound2-2/MELD-Eval, src/eval), on its pairs, its grades and its length-bias pairs."""

from collections.abc import Iterator

import numpy as np

from judgemerge.core.items import CLASSES, Verdict
from judgemerge.evaluate.published import Case, Row
from judgemerge.evaluate.published._cells import aligned, rate
from judgemerge.evaluate.verdict_arrays import ERROR, BenchmarkArrays, JudgeArrays


def rows(case: Case) -> Iterator[Row]:
    """Yield what the scripts print for the benchmark's protocol; the pairs tagged long and short get their own rows."""
    if case.items[0].protocol == "pointwise":
        yield from _pointwise(case)
    elif {item.category for item in case.items} <= {"long", "short"}:
        yield from _length_bias(case)
    else:
        yield from _pairwise(case)


def _pairwise(case: Case) -> Iterator[Row]:
    """Yield agreement, precision, recall and F1 of the original order, and consistency and accuracy over both.

    Precision and F1 are averages weighted by class, recall is the plain mean; the classes are those of truth and
    predictions together. An unread verdict counts as a wrong class and is inconsistent. `unread` counts the replies of
    both orders that could not be read.
    """
    for benchmark, judge in aligned(case):
        if not judge.recorded[0]:
            continue
        outcome, truth = judge.codes[:, 0], benchmark.truth
        unread = outcome == ERROR
        yield rate(judge.judge, "accuracy_first", outcome == truth, unread)
        for metric, value in _classification(benchmark, judge).items():
            yield Row(judge.judge, metric, value, len(truth), int(unread.sum()))
        if all(judge.recorded):
            either = (judge.codes == ERROR).any(axis=1)
            same = (judge.codes[:, 0] == judge.codes[:, 1]) & ~either
            yield rate(judge.judge, "consistency", same, either)
            yield rate(judge.judge, "accuracy_both", (judge.codes == truth[:, None]).all(axis=1), either)
            n_unread = int((judge.codes == ERROR).sum())
            yield Row(judge.judge, "unread", n_unread, judge.codes.size, n_unread)


def _classification(benchmark: BenchmarkArrays, judge: JudgeArrays) -> dict[str, float]:
    from sklearn.metrics import precision_recall_fscore_support

    truth, outcome = benchmark.truth, judge.codes[:, 0]
    # The scripts put another class in the place of a verdict that they cannot read: the first one that is wrong.
    wrong = np.where(truth == 0, 1, 0)
    predicted = np.where(outcome == ERROR, wrong, outcome)
    labels = [code for code in range(len(CLASSES)) if (truth == code).any() or (predicted == code).any()]
    by_average = {
        average: precision_recall_fscore_support(truth, predicted, labels=labels, average=average, zero_division=0)
        for average in ("weighted", "macro")
    }
    return {
        "precision_weighted": float(by_average["weighted"][0]),
        "recall_macro": float(by_average["macro"][1]),
        "f1_weighted": float(by_average["weighted"][2]),
    }


def _pointwise(case: Case) -> Iterator[Row]:
    """Yield Pearson, Kendall (tau-b) and Spearman of the grades that could be read; the others are dropped."""
    from scipy import stats

    truths = {item.id: float(item.truth) for item in case.items}
    for judge, verdicts in case.verdicts.items():
        read = {verdict.item: verdict.score for verdict in verdicts if _is_grade(verdict)}
        scores = np.array(list(read.values()))
        truth = np.array([truths[item] for item in read])
        constant = len(read) < 2 or np.ptp(scores) == 0 or np.ptp(truth) == 0
        functions = {"pearson": stats.pearsonr, "kendall": stats.kendalltau, "spearman": stats.spearmanr}
        for metric, function in functions.items():
            value = float("nan") if constant else float(function(scores, truth).statistic)
            yield Row(judge, metric, value, len(read), len(truths) - len(read))


def _is_grade(verdict: Verdict) -> bool:
    return verdict.order == "original" and verdict.outcome == "score"


def _length_bias(case: Case) -> Iterator[Row]:
    """Yield accuracy in the file's own order where the longer answer is right, where the shorter is, and the gap.

    There are no ties in the truth; a tie or an unread verdict is wrong.
    """
    for benchmark, judge in aligned(case):
        if not judge.recorded[0]:
            continue
        outcome = judge.codes[:, 0]
        parts = {
            tag: rate(
                judge.judge,
                f"accuracy_first[{tag}]",
                outcome[tagged] == benchmark.truth[tagged],
                outcome[tagged] == ERROR,
            )
            for tag in ("long", "short")
            if (tagged := np.array([item.category == tag for item in benchmark.items])).any()
        }
        yield from parts.values()
        if len(parts) == 2:
            gap = parts["long"].value - parts["short"].value
            yield Row(judge.judge, "length_gap", gap, benchmark.n_items, int((outcome == ERROR).sum()))
