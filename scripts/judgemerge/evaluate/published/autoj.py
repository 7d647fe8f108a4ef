"""Auto-J's test set (Li et al. 2024, arXiv:2310.05470; codes/leaderboard of GAIR-NLP/auto-j)."""

from collections.abc import Iterator

import numpy as np

from judgemerge.evaluate.metrics.classes import confusion_metrics
from judgemerge.evaluate.published import Case, Row
from judgemerge.evaluate.published._cells import aligned, confusion_table, order_measures, rate, truth_counts
from judgemerge.evaluate.verdict_arrays import ERROR, TIE

NON_TIES = "[non-ties]"


def rows(case: Case) -> Iterator[Row]:
    """Yield agreement (right in both orders), consistency and one-order accuracy, overall and per scenario group.

    Tie is a class. The leaderboard refuses unread verdicts; here they are wrong, and never consistent. `[non-ties]`
    leaves out the pairs that people call a tie. Macro averages run over the three classes.
    """
    yield from truth_counts(case)
    for benchmark, judge in aligned(case):
        parts = {"": np.ones(benchmark.n_items, dtype=bool), NON_TIES: benchmark.truth != TIE}
        for group in dict.fromkeys(item.category for item in benchmark.items):
            parts[f"[{group}]"] = np.array([item.category == group for item in benchmark.items])
        for metric, hits, unread in order_measures(benchmark, judge):
            if metric == "accuracy":  # the mean of both orders is no measure of Auto-J's
                continue
            hits = hits & ~unread
            for part, in_part in parts.items():
                yield rate(judge.judge, metric + part, hits[in_part], unread[in_part])
        if judge.recorded[0]:
            outcome = judge.codes[:, 0]
            for name, value in confusion_metrics(confusion_table(benchmark.truth, outcome)).items():
                if name != "kappa":
                    yield Row(judge.judge, f"{name}_first", float(value), len(outcome), int((outcome == ERROR).sum()))
