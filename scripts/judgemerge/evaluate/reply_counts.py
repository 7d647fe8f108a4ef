"""How replies ended and what became of them, per judge and benchmark: the rows of tables/replies.csv.

A judge that talks until the limit of tokens looks, in a table of agreement, like one that errs. `cut` counts the
replies that ran into the limit, whether their verdict could be read or not; `errors` those without a verdict.
"""

from collections import Counter
from collections.abc import Sequence

from judgemerge.core.items import Verdict

COLUMNS = ("judge", "benchmark", "verdicts", "cut", "cut_share", "errors", "reasons", "note")


def table_row(judge: str, benchmark: str, verdicts: Sequence[Verdict]) -> dict:
    """Return one row; `cut_share` is of the replies whose end is known, empty where there are none.

    `reasons` are the reason codes of the errors, the most frequent first.
    """
    ends = [verdict.cut for verdict in verdicts if verdict.cut is not None]
    unknown = sum(verdict.cut is None and verdict.outcome != "error" for verdict in verdicts)
    reasons = Counter(verdict.reason for verdict in verdicts if verdict.outcome == "error")
    by_number = sorted(reasons.items(), key=lambda one: (-one[1], one[0]))
    return {
        "judge": judge,
        "benchmark": benchmark,
        "verdicts": len(verdicts),
        "cut": sum(ends),
        "cut_share": f"{sum(ends) / len(ends):.4f}" if ends else "",
        "errors": sum(reasons.values()),
        "reasons": ", ".join(f"{reason} {n}" for reason, n in by_number),
        "note": f"how {unknown} replies ended is not known" if unknown else "",
    }
