"""Juries: one verdict from those of several judges, per item and order. No model is asked.

A member whose reply could not be read has no vote; where no member could be read the jury has no verdict either
(`no_readable_member`). Strict majority is more than half of the votes that are there: two judges who disagree are a
tie, as are three who all say something else. An order that one of the members was never asked in is `not_recorded`.

The weights of rule `weighted` are log-odds of being right, with which a vote of independent judges is best (Nitzan and
Paroush 1982, doi:10.2307/2526438), for classes that are mistaken for each other alike: log((K − 1) p / (1 − p)) with K
classes among the labels and p the smoothed accuracy on development items. A judge worse than chance has no vote: turned
round it would say what is peculiar to a benchmark (on LLMBar's adversarial pairs, that the longer response is worse),
not what is good. Grades are weighted by 1 / (mean squared error on development items).
"""

import math
import statistics
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Literal, NamedTuple

from judgemerge.core.items import CLASSES, NOT_ASKED, Item, Verdict
from judgemerge.judge.development import ORDERS, Answers, by_item, fits, shared_orders

Rule = Literal["majority", "mean", "weighted"]
NO_VOTE = "no_readable_member"
_WINNERS = ("first", "second")


class Weights(NamedTuple):
    """What the word of each member counts; without `has_ties` people never call a tie, and no vote for one counts."""

    by_member: Mapping[str, float] = MappingProxyType({})
    has_ties: bool = True


def verdicts_of(
    rule: Rule, items: Sequence[Item], verdicts: Mapping[str, Sequence[Verdict]], weights: Mapping[str, Weights]
) -> Iterator[Verdict]:
    """Yield the jury's verdict on every item in each order that somebody was asked in.

    `verdicts` is by member, `weights` by item and member, which only rule `weighted` reads.
    """
    answers, orders = by_item(verdicts), shared_orders(verdicts)
    are_grades = bool(items) and items[0].protocol == "pointwise"
    for item in items:
        for order in ORDERS:
            cast = {member: answers[member].get(item.id, {}).get(order) for member in verdicts}
            if any(cast.values()):
                yield _verdict(item, order, cast, order in orders, rule, weights.get(item.id, Weights()), are_grades)


def _verdict(
    item: Item,
    order: str,
    cast: Mapping[str, Verdict | None],
    were_all_asked: bool,
    rule: Rule,
    weights: Weights,
    are_grades: bool,
) -> Verdict:
    readable = {member: one for member, one in cast.items() if one and one.outcome != "error"}
    if not were_all_asked:
        return Verdict(item.id, order, "error", reason=NOT_ASKED[0])
    if not readable:
        reasons = {one.reason for one in cast.values() if one}
        never_asked = reasons <= set(NOT_ASKED)
        return Verdict(item.id, order, "error", reason=min(reasons) if never_asked else NO_VOTE)
    raw = votes_in_words(cast)
    if are_grades:
        grades = {member: one.score for member, one in readable.items()}
        score = mean_grade(grades, weights.by_member if rule == "weighted" else {})
        return Verdict(item.id, order, "score", score=score, raw=raw)
    votes = {member: one.outcome for member, one in readable.items()}
    return Verdict(item.id, order, decide(rule, votes, weights), raw=raw)


def votes_in_words(cast: Mapping[str, Verdict | None]) -> str:
    """Return who said what, so that a jury's verdict can be checked by eye."""
    said = {member: "none" if one is None else one.answer or "error" for member, one in cast.items()}
    return ", ".join(f"{member}: {answer}" for member, answer in said.items())


def decide(rule: Rule, votes: Mapping[str, str], weights: Weights) -> str:
    """Return the outcome of votes by member: `first`, `second` or `tie`."""
    if rule == "weighted":
        return _weighted(votes, weights)
    counts = Counter(votes.values())
    if rule == "mean":
        margin = counts["first"] - counts["second"]
        return "tie" if margin == 0 else _WINNERS[margin < 0]
    outcome, n_votes = counts.most_common(1)[0]
    return outcome if 2 * n_votes > len(votes) else "tie"


def _weighted(votes: Mapping[str, str], weights: Weights) -> str:
    """Return the class with the greatest sum of weights; equal sums are a tie."""
    totals = dict.fromkeys(CLASSES if weights.has_ties else _WINNERS, 0.0)
    for member, outcome in votes.items():
        if outcome in totals:
            totals[outcome] += weights.by_member[member]
    greatest = max(totals.values())
    best = [outcome for outcome, total in totals.items() if math.isclose(total, greatest, abs_tol=1e-12)]
    return best[0] if len(best) == 1 else "tie"


def mean_grade(grades: Mapping[str, float], weights: Mapping[str, float]) -> float:
    """Return the mean of grades by member, weighted where weights are given."""
    total = sum(weights.get(member, 1.0) for member in grades)
    return sum(weights.get(member, 1.0) * grade for member, grade in grades.items()) / total


# ---- weights ----


def weights_by_item(
    items: Sequence[Item],
    verdicts: Mapping[str, Sequence[Verdict]],
    development: Mapping[str, Sequence[Item]],
    development_verdicts: Mapping[str, Mapping[str, Sequence[Verdict]]],
    seed: int,
) -> tuple[dict[str, Weights], list[dict]]:
    """Return the weights that each item's votes have, and the record of how they came about.

    `development_verdicts` is by benchmark and member; without `development` the halves of the items weigh each other.
    """
    by_id, record = {}, []
    for fit in fits(items, development, seed):
        weights = fitted_weights(
            fit.development, development_verdicts if development else {items[0].benchmark: verdicts}
        )
        by_id |= dict.fromkeys(fit.judged, weights)
        shown = {member: float(f"{weight:.9g}") for member, weight in weights.by_member.items()}
        record.append({"fitted_on": fit.fitted_on, "judges": len(fit.judged), "weights": shown})
    return by_id, record


def fitted_weights(
    development: Mapping[str, Sequence[Item]], verdicts: Mapping[str, Mapping[str, Sequence[Verdict]]]
) -> Weights:
    """Return the weight of each member from labelled items of one protocol, by benchmark; equal ones without any."""
    labelled = {name: [item for item in items if item.truth is not None] for name, items in development.items()}
    answers = {name: by_item(some) for name, some in verdicts.items()}
    members = list(next(iter(verdicts.values())))
    everything = [item for items in labelled.values() for item in items]
    if not everything:
        return Weights(dict.fromkeys(members, 1.0))
    if everything[0].protocol == "pointwise":
        return Weights({member: _grade_weight(member, labelled, answers) for member in members})
    has_ties = any(item.truth == "tie" for item in everything)
    return Weights({member: _vote_weight(member, labelled, answers, has_ties) for member in members}, has_ties)


def _vote_weight(
    member: str, labelled: Mapping[str, Sequence[Item]], answers: Mapping[str, Answers], has_ties: bool
) -> float:
    n_classes = 3 if has_ties else 2
    right = said = 0
    for name, items in labelled.items():
        for item in items:
            for verdict in answers[name][member].get(item.id, {}).values():
                if verdict.outcome in (CLASSES if has_ties else _WINNERS):
                    right, said = right + (verdict.outcome == item.truth), said + 1
    share = (right + 1) / (said + n_classes)  # as if each class had been seen once: never sure, and no vote unheard
    return max(0.0, math.log((n_classes - 1) * share / (1 - share)))


def _grade_weight(member: str, labelled: Mapping[str, Sequence[Item]], answers: Mapping[str, Answers]) -> float:
    truths, squares = [], []
    for name, items in labelled.items():
        for item in items:
            for verdict in answers[name][member].get(item.id, {}).values():
                if verdict.score is not None and verdict.order == "original":
                    squares.append((verdict.score - item.truth) ** 2)
            truths.append(item.truth)
    spread = statistics.pvariance(truths)
    return (len(squares) + 1) / (sum(squares) + max(spread, 1e-9))  # as if it had missed once by the people's spread
