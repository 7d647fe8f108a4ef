"""Compare two runs of a study: verdicts that flipped, agreement that fell, what else differs; a gate for CI.

Exit status: 0 where the gate passes, 1 where it does not, 2 where the runs cannot be compared.

Example: python scripts/commands/compare_runs.py --a results/replay --b later/results/replay --allow 1%
"""

import argparse
import sys
from pathlib import Path

import _package  # noqa: F401
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.report import run_comparison


def main(
    a: str,
    b: str,
    allow: str | None = None,
    margin: float | None = None,
    other_items: bool = False,
    flips: str | None = None,
    shown: int = 10,
) -> tuple[str, bool]:
    """Return what is to be said of two runs, and whether the gate passes; `flips` is a file that lists all of them."""
    gate = run_comparison.Gate.of(allow, margin, other_items)
    comparison = run_comparison.compare_runs(run_comparison.read_run(a), run_comparison.read_run(b))
    reasons = run_comparison.failures_of(comparison, gate)
    if flips:
        Path(flips).resolve().parent.mkdir(parents=True, exist_ok=True)
        files.write_jsonl(flips, (flip._asdict() for row in comparison.compared for flip in row.flips))
    return "\n".join(run_comparison.lines_of(comparison, reasons, gate, shown)), not reasons


def parsed() -> argparse.Namespace:
    """Return what was typed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--a", required=True, metavar="FOLDER", help="results of the earlier run")
    parser.add_argument("--b", required=True, metavar="FOLDER", help="results of the later run")
    parser.add_argument(
        "--allow", metavar="N", help="verdicts that may flip per judge and benchmark: 12, or 1%% of them"
    )
    parser.add_argument(
        "--margin",
        type=float,
        metavar="M",
        help="how far agreement may fall: the interval of the difference has to exclude more (unless given, a fall "
        "that is shown after Holm's correction does not pass)",
    )
    parser.add_argument(
        "--other-items", action="store_true", help="pass although items of A are others in B, or not there"
    )
    parser.add_argument("--flips", metavar="FILE", help="write all verdicts that flipped as JSON lines")
    parser.add_argument("--shown", type=int, default=10, metavar="N", help="how many of them to print (10)")
    return parser.parse_args()


if __name__ == "__main__":
    try:
        text, passes = main(**vars(parsed()))
    except JudgemergeError as error:
        print(error, file=sys.stderr)
        sys.exit(2)
    print(text)
    sys.exit(not passes)
