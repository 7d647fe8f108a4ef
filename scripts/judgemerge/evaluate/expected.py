"""Published numbers (config/expected.tsv) beside the reproduced ones: tables/published.csv and its verdict.

A line of expected.tsv is one number that somebody printed, or that follows from files that somebody released: `kind` is
`printed` or `recomputed`, `source` says where. `published` is written as printed: 0.6677, 54.96%, or 765/1392. The
tolerance is half a unit of the last printed digit. Imports nothing heavy: the Snakefile asks which studies have lines.
"""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from judgemerge.core.errors import JudgemergeError

FIELDS = ("study", "judge", "benchmark", "metric", "rules", "published", "tolerance", "kind", "source")
KINDS = ("printed", "recomputed")
RULES = ("published", "house")
COLUMNS = (
    "judge",
    "benchmark",
    "metric",
    "rules",
    "printed",
    "published",
    "reproduced",
    "difference",
    "tolerance",
    "result",
    "n",
    "errors",
    "kind",
    "source",
    "note",
)
SLACK = 1e-9  # for decimals that binary fractions do not hold
NAMED = 30  # cells that are named when the comparison fails


@dataclass(frozen=True)
class Expected:
    """One published number; `published` and `tolerance` are fractions, `printed` is the number as it was written."""

    study: str
    judge: str
    benchmark: str
    metric: str
    rules: str
    printed: str
    published: float
    tolerance: float
    kind: str
    source: str

    @property
    def cell(self) -> tuple[str, str, str, str]:
        """What the number is about: judge, benchmark, metric, rules."""
        return self.judge, self.benchmark, self.metric, self.rules


def read_expected(path: str | Path, study: str | None = None) -> list[Expected]:
    """Return the lines of expected.tsv, of one study when it is given; none when there is no such file.

    A line that cannot be right raises JudgemergeError with its number.
    """
    if not Path(path).exists():
        return []
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        if tuple(rows.fieldnames or ()) != FIELDS:
            raise JudgemergeError(f"{path}: line 1 is not the header {', '.join(FIELDS)}, separated by tabs")
        lines = [_expected(row, f"{path}: line {rows.line_num}") for row in rows]
    seen: dict[tuple, int] = {}
    for number, line in enumerate(lines, 2):
        first = seen.setdefault((line.study, *line.cell, line.printed), number)
        if first != number:
            raise JudgemergeError(f"{path}: line {number} repeats line {first}; delete one")
    return [line for line in lines if study in (None, line.study)]


def _expected(row: dict, where: str) -> Expected:
    if None in row or None in row.values() or not all(row.values()):
        raise JudgemergeError(f"{where} does not have {len(FIELDS)} filled fields separated by tabs")
    for name, choices in (("kind", KINDS), ("rules", RULES)):
        if row[name] not in choices:
            raise JudgemergeError(f"{where}: {name} is '{row[name]}', not {' or '.join(choices)}")
    numbers = {name: _number(row[name], f"{where}: {name}") for name in ("published", "tolerance")}
    return Expected(**{**row, **numbers, "printed": row["published"]})


def _number(text: str, where: str) -> float:
    """Return the value of 0.6677, 54.96% or 765/1392."""
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        above, _, below = text.partition("/")
        return float(above) / float(below) if below else float(text)
    except (ValueError, ZeroDivisionError):
        raise JudgemergeError(f"{where} is '{text}', not a number like 0.6677, 54.96% or 765/1392") from None


def compare(expected: Sequence[Expected], scores: Iterable[Mapping[str, str]]) -> list[dict]:
    """Return a row with COLUMNS per published number; `scores` are the rows of agreement.csv.

    A number that did not come out, or came out undefined, has no `reproduced` and fails.
    """
    by_cell = {(row["judge"], row["benchmark"], row["metric"], row["rules"]): row for row in scores}
    return [_compared(line, by_cell.get(line.cell)) for line in expected]


def _compared(line: Expected, score: Mapping[str, str] | None) -> dict:
    row = {name: getattr(line, name) for name in COLUMNS if hasattr(line, name)}
    if score is None or not score["value"]:
        note = "this cell is not in agreement.csv" if score is None else score["note"]
        return row | dict.fromkeys(("reproduced", "difference", "n", "errors"), "") | {"result": "fail", "note": note}
    value = float(score["value"])
    difference = value - line.published
    return row | {
        "reproduced": value,
        "difference": float(f"{difference:.6g}"),
        "result": "pass" if abs(difference) <= line.tolerance + SLACK and not math.isnan(value) else "fail",
        "n": score["n"],
        "errors": score["errors"],
        "note": score["note"],
    }


def failures(rows: Sequence[Mapping], table: str) -> str:
    """Return one sentence per published number that was not reproduced; empty when all were."""
    failed = [row for row in rows if row["result"] != "pass"]
    if not failed:
        return ""
    sentences = [_sentence(row) for row in failed[:NAMED]]
    if len(failed) > NAMED:
        sentences.append(f"{len(failed) - NAMED} more are in the table.")
    opening = f"{table}: {len(failed)} of {len(rows)} published numbers are not reproduced."
    return "\n".join([opening, *sentences])


def _sentence(row: Mapping) -> str:
    cell = f"{row['judge']} on {row['benchmark']}, {row['metric']} ({row['rules']} rules)"
    printed = f"published is {row['printed']} ({row['source']})"
    if row["reproduced"] in ("", None):
        return f"{cell}: {printed}, but no value came out: {row['note']}."
    return (
        f"{cell}: {printed}, but {float(row['reproduced']):.6g} came out, off by {abs(float(row['difference'])):.3g} "
        f"where {float(row['tolerance']):.3g} is allowed."
    )
