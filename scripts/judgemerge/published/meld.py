"""MELD's length-bias pairs (MELD_length_bias_test.json of Bound2-2/MELD-Eval)."""

from collections.abc import Iterator

import numpy as np

from judgemerge.agreement.arrays import ERROR
from judgemerge.published import Case, Row
from judgemerge.published._cells import aligned, rate


def rows(case: Case) -> Iterator[Row]:
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
