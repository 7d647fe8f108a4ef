"""Published numbers (config/expected.tsv) beside the reproduced ones: tables/published.csv and its verdict.

A line of expected.tsv is one number that somebody printed, or that follows from files that somebody released: `kind` is
`printed` or `recomputed`, `source` says where. `published` is written as printed: 0.6677, 54.96%, or 765/1392. The
tolerance is half a unit of the last printed digit. Imports nothing heavy: the Snakefile asks which studies have lines.
"""

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from judgemerge.core.errors import JudgemergeError

FIELDS = ("study", "judge", "benchmark", "metric", "rules", "published", "tolerance", "kind", "source")
CHOICES = {"kind": ("printed", "recomputed"), "rules": ("published", "house")}
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


class Score(NamedTuple):
    """What a row of a table that is compared with papers says, as it stands there."""

    judge: str
    benchmark: str
    metric: str
    rules: str
    value: str
    n: str
    errors: str
    note: str


class Reproduced(NamedTuple):
    """One row of published.csv; `reproduced` and `difference` are empty where no value came out."""

    judge: str
    benchmark: str
    metric: str
    rules: str
    printed: str
    published: float
    reproduced: float | str
    difference: float | str
    tolerance: float
    result: str
    n: str
    errors: str
    kind: str
    source: str
    note: str


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
    for name, choices in CHOICES.items():
        if row[name] not in choices:
            raise JudgemergeError(f"{where}: {name} is '{row[name]}', not {' or '.join(choices)}")
    printed, tolerance = row.pop("published"), row.pop("tolerance")
    published, tolerance = _number(printed, f"{where}: published"), _number(tolerance, f"{where}: tolerance")
    return Expected(**row, printed=printed, published=published, tolerance=tolerance)


def _number(text: str, where: str) -> float:
    """Return the value of 0.6677, 54.96% or 765/1392."""
    try:
        if text.endswith("%"):
            return float(text[:-1]) / 100
        above, _, below = text.partition("/")
        return float(above) / float(below) if below else float(text)
    except (ValueError, ZeroDivisionError):
        raise JudgemergeError(f"{where} is '{text}', not a number like 0.6677, 54.96% or 765/1392") from None


def compare(expected: Sequence[Expected], scores: Iterable[Mapping[str, str]]) -> list[Reproduced]:
    """Return a row per published number; `scores` are the rows of the tables that are compared.

    A number that did not come out, or came out undefined, has no `reproduced` and fails.
    """
    rows = (Score(*(row[name] for name in Score._fields)) for row in scores)
    by_cell = {row[:4]: row for row in rows}
    return [_compared(line, by_cell.get(line.cell)) for line in expected]


def _compared(line: Expected, score: Score | None) -> Reproduced:
    value: float | str = ""
    difference: float | str = ""
    note = score.note if score else "this cell is in none of the tables that are compared with papers"
    n = errors = ""
    is_same = False
    if score and score.value:
        value, n, errors = float(score.value), score.n, score.errors
        is_same = abs(value - line.published) <= line.tolerance + SLACK  # never so for NaN
        difference = float(f"{value - line.published:.6g}")
    return Reproduced(
        *line.cell, line.printed, line.published, value, difference, line.tolerance,
        "pass" if is_same else "fail", n, errors, line.kind, line.source, note,
    )  # fmt: skip


def failures(rows: Sequence[Reproduced], table: str) -> str:
    """Return one sentence per published number that was not reproduced; empty when all were."""
    failed = [row for row in rows if row.result != "pass"]
    if not failed:
        return ""
    sentences = [_sentence(row) for row in failed[:NAMED]]
    if len(failed) > NAMED:
        sentences.append(f"{len(failed) - NAMED} more are in the table.")
    opening = f"{table}: {len(failed)} of {len(rows)} published numbers are not reproduced."
    return "\n".join([opening, *sentences])


def _sentence(row: Reproduced) -> str:
    cell = f"{row.judge} on {row.benchmark}, {row.metric} ({row.rules} rules)"
    printed = f"published is {row.printed} ({row.source})"
    if row.reproduced == "":
        return f"{cell}: {printed}, but no value came out: {row.note}."
    return (
        f"{cell}: {printed}, but {float(row.reproduced):.6g} came out, off by {abs(float(row.difference)):.3g} "
        f"where {float(row.tolerance):.3g} is allowed."
    )
