"""What came of the records that the page judged: rows, means and shares with intervals, files to take away."""

import csv
import io
import json
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from judgemerge.judge import streaming
from judgemerge.judge.streaming import Fault, Record, Result
from judgemerge.prompting.dimensions import Scores

CONFIDENCE = 0.95
ANSWERS = {"pairwise": ("A", "B"), "pointwise": ("",)}
OUTCOMES = {"first": "A is better", "second": "B is better", "tie": "equally good"}
CONTRADICTORY, NO_VERDICT, NO_SCORE, NOT_READ = "changes with the order", "no verdict", "no score", "not read"
OVERALL = "Overall"
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take a cell for a formula by


@dataclass(frozen=True)
class Judged:
    """One record, what came of it, and per answer how far it overlaps with the reference answer."""

    record: Record
    result: Result | Fault
    overlaps: Sequence[Mapping[str, float | None]] = ()

    @property
    def original(self) -> Any:
        """The record as it came: an object, or the text that could not be read."""
        value, fault = streaming.parsed(self.record.text)
        return self.record.text if self.record.fault or fault else value


# ---- one record ----


def verdict_of(result: Result | Fault) -> str:
    """Return what came of a record in a few words."""
    if isinstance(result, Fault):
        return NOT_READ
    if result.protocol == "pointwise":
        return NO_SCORE if result.score is None else f"{result.score:g}"
    if result.consistent is False:
        return CONTRADICTORY
    return OUTCOMES.get(result.verdict or "", NO_VERDICT)


def scores_of(result: Result | Fault) -> dict[str, dict[str, float]]:
    """Return answer → dimension → score, the mean of the orders that state one; the overall score comes last."""
    if isinstance(result, Fault):
        return {}
    names = ANSWERS[result.protocol]
    stated: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in names}
    for order in result.orders:
        if len(order.scores) == len(names):  # of a pair, both answers or neither: alone it could be anybody's
            for name, scores in zip(names, order.scores, strict=True):
                for dimension, value in _named(scores):
                    stated[name][dimension].append(value)
    means = {name: {key: statistics.fmean(values) for key, values in of.items()} for name, of in stated.items() if of}
    return {name: dict(sorted(of.items(), key=lambda pair: pair[0] == OVERALL)) for name, of in means.items()}


def _named(scores: Scores) -> Iterable[tuple[str, float]]:
    yield from scores.dimensions.items()
    if scores.overall is not None:
        yield OVERALL, scores.overall


def flat(judged: Judged) -> dict[str, Any]:
    """Return one row of the table of a list: numbers and words, no nesting."""
    result = judged.result
    if isinstance(result, Fault):
        return {"id": "", "line": result.line, "verdict": NOT_READ, "fault": result.error}
    is_pair = result.protocol == "pairwise"
    row: dict[str, Any] = {"id": result.id, "line": result.line}
    row |= {"verdict": verdict_of(result), "consistent": result.consistent} if is_pair else {"score": result.score}
    row |= {"fault": ", ".join(dict.fromkeys(result.reasons))}
    for name, scores in scores_of(result).items():
        row |= {_column(dimension, name): value for dimension, value in scores.items()}
    for name, overlap in zip(ANSWERS[result.protocol], judged.overlaps, strict=False):
        row |= {_column(measure, name): value for measure, value in overlap.items()}
    for order in result.orders:
        row |= {f"feedback, {order.order} order" if is_pair else "feedback": order.feedback}
    return row


def _column(what: str, answer: str) -> str:
    return f"{what} {answer}".strip()


# ---- all of them ----


class Share(NamedTuple):
    """How many records came to something, of how many, and a 95 % interval of the share (Wilson's)."""

    what: str
    n: int
    of: int
    low: float
    high: float

    @property
    def value(self) -> float:
        """The share."""
        return self.n / self.of


class Mean(NamedTuple):
    """The mean of a score over records that have it, its 95 % interval (Student's t), None for a single record."""

    dimension: str
    answer: str
    score: float
    n: int
    low: float | None = None
    high: float | None = None


def shares(judged: Sequence[Judged]) -> list[Share]:
    """Return how many records of a list came to what, the commonest verdicts first, errors last."""
    from statsmodels.stats.proportion import proportion_confint

    kinds = Counter(_kind(one.result) for one in judged)
    errors = (CONTRADICTORY, NO_VERDICT, NO_SCORE, NOT_READ)
    names = [
        *(name for name, _ in kinds.most_common() if name not in errors),
        *(name for name in errors if kinds[name]),
    ]
    return [
        Share(name, kinds[name], len(judged), *proportion_confint(kinds[name], len(judged), 1 - CONFIDENCE, "wilson"))
        for name in names
    ]


def _kind(result: Result | Fault) -> str:
    is_score = isinstance(result, Result) and result.protocol == "pointwise" and result.score is not None
    return "has a score" if is_score else verdict_of(result)


def means(judged: Sequence[Judged]) -> list[Mean]:
    """Return the mean score of every dimension and answer, in the order in which dimensions are met, overall last."""
    values: dict[tuple[str, str], list[float]] = defaultdict(list)
    for one in judged:
        for answer, scores in scores_of(one.result).items():
            for dimension, value in scores.items():
                values[dimension, answer].append(value)
        if isinstance(one.result, Result) and one.result.protocol == "pointwise" and not scores_of(one.result):
            values[OVERALL, ""] += [] if one.result.score is None else [one.result.score]
    rows = [mean_of(*key, of) for key, of in values.items() if of]
    return sorted(rows, key=lambda row: row.dimension == OVERALL)


def mean_of(dimension: str, answer: str, values: Sequence[float]) -> Mean:
    """Return the mean of scores with its interval."""
    mean, n = statistics.fmean(values), len(values)
    if n < 2:
        return Mean(dimension, answer, mean, n)
    from scipy import stats

    half = stats.t.ppf((1 + CONFIDENCE) / 2, n - 1) * statistics.stdev(values) / n**0.5
    return Mean(dimension, answer, mean, n, mean - half, mean + half)


# ---- files ----


def as_json(judged: Sequence[Judged], about: Mapping[str, Any]) -> bytes:
    """Return the list as it came, every object with one key more, `judgemerge`: what came of it, and with what."""
    rows = []
    for one in judged:
        what = one.result.row() | ({"overlap": list(one.overlaps)} if one.overlaps else {})
        original = one.original if isinstance(one.original, dict) else {"record": one.original}
        rows.append({**original, "judgemerge": {**what, "judged_with": dict(about)}})
    return json.dumps(rows, ensure_ascii=False, indent=2).encode("utf-8", "backslashreplace")


def as_csv(judged: Sequence[Judged]) -> bytes:
    """Return a row per record; a text that a spreadsheet would take for a formula has an apostrophe before it."""
    rows = [flat(one) for one in judged]
    columns = list(dict.fromkeys(column for row in rows for column in row))
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, list(map(_inert, columns)))
    writer.writeheader()
    writer.writerows({_inert(column): _inert(value) for column, value in row.items()} for row in rows)
    return file.getvalue().encode("utf-8", "backslashreplace")


def _inert(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
