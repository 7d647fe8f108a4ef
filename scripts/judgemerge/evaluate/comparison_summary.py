"""Which rows of comparisons.csv a page or a figure shows first."""

import pandas as pd

from judgemerge.evaluate.metrics import PROTOCOLS, metrics_for

SIGNIFICANT = 0.05


def headline_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of one benchmark on the metric that most pairs of judges have, one row per pair.

    Accuracy over both orders goes before accuracy in the original order, which judges recorded in one order have, too.
    Where a metric has two tests (exact McNemar) the first is kept, which is the bootstrap's.
    """
    rows = rows.drop_duplicates(["judge_a", "judge_b", "metric"])
    candidates = [rows[rows.metric == metric] for protocol in PROTOCOLS for metric in metrics_for(protocol, "headline")]
    return max(candidates, key=lambda part: (part.difference.count(), len(part) > 0))


def against(rows: pd.DataFrame, judge: str) -> pd.DataFrame:
    """Return each other judge minus `judge`, indexed by the other; `rows` has one row per pair of judges."""
    ahead = rows[rows.judge_b == judge].set_index("judge_a")
    behind = rows[rows.judge_a == judge].set_index("judge_b")
    turned = {"difference": -behind.difference, "ci_low": -behind.ci_high, "ci_high": -behind.ci_low}
    return pd.concat([part for part in (ahead, behind.assign(**turned)) if len(part)]) if len(rows) else ahead


def best_judge(rows: pd.DataFrame) -> str | None:
    """Return the judge that is ahead of all others it can be compared to; None when nothing can be compared."""
    defined = rows.dropna(subset="difference")
    for judge in dict.fromkeys([*defined.judge_a, *defined.judge_b]):
        if (against(defined, judge).difference <= 0).all():
            return judge
    return None
