"""How far verdicts agree with people, and which of two judges agrees better: the statistics of the tables, in Python.

Verdicts are what `Judge` gives, or lists of one's own; the functions beneath are those of a study's `score_benchmark`
and `compare_judges` jobs, with the same intervals (docs/evaluation.md).
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import pandas as pd

from judgemerge.api.judging import Judged, numbered, truth_of
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Verdict, Vote, is_finite_number, plain_number
from judgemerge.data.loose_votes import answer
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.several_judges import agreement_between, agreement_with_people
from judgemerge.settings.report import Statistics

Outcome = str | float | None
Verdicts = Judged | Sequence[Outcome | Sequence[Outcome]]
Votes = Sequence[Outcome | Sequence[Outcome]]
OF_COMPARISON = ["metric", "difference", "ci_low", "ci_high", "p", "test", "n", "note"]
OF_AGREEMENT = ["metric", "value", "ci_low", "ci_high", "n", "errors", "clusters", "note"]
ORDERS = ("original", "swapped")


class Sides(NamedTuple):
    """What is compared: items with what people say of them, and every judge's verdicts on them."""

    items: list[Item]
    verdicts: dict[str, list[Verdict]]


def agreement(
    verdicts: Verdicts,
    votes: Votes | None = None,
    *,
    clusters: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 7,
) -> pd.DataFrame:
    """Return how far verdicts agree with people: one row per metric, with interval, n and errors.

    Args:
        verdicts: what `Judge.grade` or `Judge.compare` returned; or one entry per item. Of pairs an entry is `first`,
            `second`, `tie` or None (an error), or two of them: in the original and in the swapped order, both meant in
            the item's own order. Of grades it is a number, or None (an error).
        votes: per item what people say: a class (A and B are first and second), a number, a list of them, or None for
            an item that nobody labelled. Several votes count as their majority (an even split is a tie), of grades as
            their mean. Not given, those in the records that were judged.
        clusters: per item what it shares with others, its prompt for example: intervals resample clusters. Not given,
            items with the same prompt are one cluster, and each item is its own where prompts are not known.
        metrics: names of metrics (docs/evaluation.md), all of the protocol unless given: accuracy, kappa, macro F1,
            consistency … of pairs; correlations, quadratic kappa, mean absolute error … of grades.
        resamples, confidence, seed: of the bootstrap.

    Returns a data frame with the columns metric, value, ci_low, ci_high (shares and correlations between −1 and 1,
    errors in points of the scale), n (items), errors (verdicts that could not be read; they count as wrong), clusters,
    and note (why a value or interval is missing, or may be too narrow). Raises JudgemergeError where lengths differ,
    or a vote is neither a class nor a number.
    """
    sides = sides_of({"judge": verdicts}, votes, clusters)
    settings = Statistics(resamples=resamples, confidence=confidence, seed=seed)
    table = agreement_with_people(sides.items, sides.verdicts, settings, metrics)[OF_AGREEMENT]
    return table if metrics else _defined(table)


def _defined(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of metrics that the recorded orders define."""
    one_order = table.value.isna() & table.note.str.startswith("only the ")
    return table[~one_order].reset_index(drop=True)


def compare(
    a: Verdicts,
    b: Verdicts,
    votes: Votes | None = None,
    *,
    clusters: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    resamples: int = 10_000,
    confidence: float = 0.95,
    seed: int = 7,
) -> pd.DataFrame:
    """Return which of two judges agrees better with people, paired: one row per metric, a − b.

    Arguments are those of `agreement`; `a` and `b` are of the same items, in the same order. The columns are metric,
    difference, ci_low, ci_high, p (two-sided, of the paired test that `test` names), n (items) and note.
    """
    sides = sides_of({"a": a, "b": b}, votes, clusters)
    settings = Statistics(resamples=resamples, confidence=confidence, seed=seed)
    return compare_benchmark(sides.items, sides.verdicts, settings, metrics)[OF_COMPARISON]


def between(judged: Sequence[Judged], resamples: int = 10_000, confidence: float = 0.95, seed: int = 7) -> pd.DataFrame:
    """Return how far every two of several judges of the same records agree, and the mean over all pairs of judges.

    The columns are judge_a, judge_b, metric, value, ci_low, ci_high, n (items both have a verdict on), errors (those
    where one has none), clusters and note.
    """
    sides = sides_of(named(judged))
    settings = Statistics(resamples=resamples, confidence=confidence, seed=seed)
    return agreement_between(sides.items, sides.verdicts, settings)


def with_people(
    judged: Sequence[Judged], resamples: int = 10_000, confidence: float = 0.95, seed: int = 7
) -> pd.DataFrame:
    """Return `agreement` of several judges of the same records with the people in these, and the mean over judges."""
    sides = sides_of(named(judged))
    settings = Statistics(resamples=resamples, confidence=confidence, seed=seed)
    return agreement_with_people(sides.items, sides.verdicts, settings)[["judge", *OF_AGREEMENT]]


def named(judged: Iterable[Judged]) -> dict[str, Judged]:
    """Return several judges' results by the name of the judge; two of one name are refused."""
    by_name: dict[str, Judged] = {}
    for one in judged:
        if by_name.setdefault(one.judge, one) is not one:
            raise JudgemergeError(f"two judges are called '{one.judge}'; give one of them another name")
    return by_name


def sides_of(by_judge: dict[str, Verdicts], votes: Votes | None = None, clusters: Sequence[str] | None = None) -> Sides:
    """Return the items and verdicts that judges and people are compared on."""
    lengths = {name: len(verdicts) for name, verdicts in by_judge.items()}
    lengths |= {} if votes is None else {"votes": len(votes)}
    lengths |= {} if clusters is None else {"clusters": len(clusters)}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{name} {n}" for name, n in lengths.items())
        raise JudgemergeError(
            f"these are of different length: {said}; give one entry per item, None where there is none"
        )
    items = _items(list(by_judge.values()), votes)
    items = {place: _labelled(item, place, votes, clusters) for place, item in items.items()}
    if votes is not None and all(item.truth is None for item in items.values()):
        raise JudgemergeError("votes: nobody labelled an item; give at least one that is not None")
    return Sides(list(items.values()), {name: _verdicts(verdicts, items) for name, verdicts in by_judge.items()})


def _items(of_judges: Sequence[Verdicts], votes: Votes | None) -> dict[int, Item]:
    """Return place, from 1, → item: the records that a judge could read, or items without texts for lists."""
    judged = [one for one in of_judges if isinstance(one, Judged)]
    places = range(1, len(of_judges[0]) + 1)
    if judged:
        of_place = zip(*(numbered(one.items) for one in judged), strict=True)
        readable = {place: next(filter(None, items), None) for place, items in zip(places, of_place, strict=True)}
        return {place: item for place, item in readable.items() if item}
    if votes is None:
        raise JudgemergeError("votes is missing: what people say of the items; give one entry per item")
    protocol = _protocol(of_judges[0], votes)
    return {place: Item(str(place), "input", protocol, (), (), None, str(place), {}) for place in places}


def _protocol(verdicts: Sequence, votes: Votes) -> str:
    """Return pointwise where verdicts, or else votes, are numbers."""
    said = next((one for entry in [*verdicts, *votes] for one in _listed(entry) if one is not None), None)
    return "pointwise" if is_finite_number(plain_number(said)) else "pairwise"


def _listed(entry: Outcome | Sequence[Outcome]) -> list[Outcome]:
    return [entry] if entry is None or isinstance(entry, str) or not isinstance(entry, Sequence) else list(entry)


def _labelled(item: Item, place: int, votes: Votes | None, clusters: Sequence[str] | None) -> Item:
    """Return an item with what people say of it, and its cluster, where these are given."""
    if clusters is not None:
        item = dataclasses.replace(item, cluster=str(clusters[place - 1]))
    if votes is None:
        return item
    cast = []
    for number, vote in enumerate(_listed(votes[place - 1]), 1):
        said = None if _is_missing(vote) else answer(plain_number(vote), item.protocol)
        if said is None and not _is_missing(vote):
            words = "first, second, tie, A or B" if item.protocol == "pairwise" else "a number"
            raise JudgemergeError(f"votes: item {place} has {vote!r}, which is not {words}; correct it, or give None")
        cast += [] if said is None else [Vote(str(number), said)]
    return dataclasses.replace(item, votes=tuple(cast), truth=truth_of(cast, item.protocol))


def _is_missing(vote: object) -> bool:
    return vote is None or vote != vote  # NaN, as pandas has it


def _verdicts(verdicts: Verdicts, items: dict[int, Item]) -> list[Verdict]:
    """Return verdicts on items by their place; of a record that its judge could not read there is none."""
    if isinstance(verdicts, Judged):
        return verdicts.verdicts
    return [
        _verdict(place, order, said, items[place].protocol)
        for place, entry in enumerate(verdicts, 1)
        for order, said in zip(ORDERS, _listed(entry), strict=False)
    ]


def _verdict(place: int, order: str, said: Outcome, protocol: str) -> Verdict:
    """Return one verdict of a list; what is neither a class nor a number is refused, None is an error."""
    if _is_missing(said) or said == "error":
        return Verdict(str(place), order, "error", reason="no_verdict")
    read = answer(plain_number(said), protocol)
    if read is None:
        raise JudgemergeError(f"verdicts: item {place} has {said!r}, which is no verdict; correct it, or give None")
    return (
        Verdict(str(place), order, read) if protocol == "pairwise" else Verdict(str(place), order, "score", score=read)
    )
