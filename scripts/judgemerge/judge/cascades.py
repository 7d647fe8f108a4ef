"""Cascades: the cheapest judge answers where it is sure, else the next; where the last is unsure, nobody answers.

How sure a judge is of a pair: the probability that it gives its own verdict, mean of the orders that it was asked in; 0
where the orders contradict each other. A judge without probabilities is sure (1) where both orders agree, else not (0).
A pair is drawn once, also where replies are sampled, so there are no runs that could agree.

The threshold of a judge comes from labelled items that reach it, by fixed-sequence testing with exact binomial bounds
(Jung, Brahman and Choi 2024, arXiv:2407.18370): thresholds are tried from the surest part downwards, in steps that do
not depend on the labels; each is kept while "agreement is below the target" is rejected, and the first that is not
rejected ends the sequence. So agreement on what a judge answers is at least the target with probability `confidence`.
Of k judges each is tested at (1 − confidence) / k, so that the sum over the cascade keeps it, the thresholds of the
judges before being taken as given. The bound takes items as independent: one item of each prompt is counted.
"""

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import NOT_ASKED, Item, Verdict
from judgemerge.judge.development import ORDERS, Answers, by_item, fits, one_per_prompt, shared_orders

ABSTAINED = "abstained"
START = 0.3  # the surest part that is tested first; of a smaller one the exact bound asks that nearly all is right
STEP = 0.05
LEAST_ITEMS = 20
NEVER = math.inf


class Opinion(NamedTuple):
    """What one judge says of a pair over the orders: an outcome (`error` where it cannot be read) and how sure."""

    outcome: str
    sure: float


@dataclasses.dataclass(frozen=True)
class Promise:
    """Agreement of at least `target` on what is answered, with probability `confidence` over development sets."""

    target: float
    confidence: float


def opinion(verdicts: Mapping[str, Verdict], orders: Sequence[str]) -> Opinion:
    """Return what a judge says of one pair in these orders: the same verdict in all, else a tie and unsure."""
    said = [verdicts.get(order) for order in orders]
    if not said or any(one is None or one.outcome == "error" for one in said):
        return Opinion("error", 0.0)
    if len({one.outcome for one in said}) > 1:
        return Opinion("tie", 0.0)
    confidences = [one.confidence for one in said]
    if None not in confidences:
        return Opinion(said[0].outcome, sum(confidences) / len(confidences))
    return Opinion(said[0].outcome, 1.0 if len(said) > 1 else math.nan)


def verdicts_of(
    members: Sequence[str],
    promise: Promise,
    items: Sequence[Item],
    verdicts: Mapping[str, Sequence[Verdict]],
    development: Mapping[str, Sequence[Item]],
    development_verdicts: Mapping[str, Mapping[str, Sequence[Verdict]]],
    seed: int,
) -> tuple[list[Verdict], list[dict]]:
    """Return the cascade's verdicts on the items, and the record of its thresholds.

    `development_verdicts` is by benchmark and member; without `development` each half of the items has the thresholds
    of the other. A verdict is that of the judge who answers, in every order; `raw` names that judge.
    """
    answers, orders = by_item(verdicts), shared_orders(verdicts)
    thresholds: dict[str, Mapping[str, float]] = {}
    record = []
    for fit in fits(items, development, seed):
        known = development_verdicts if development else {items[0].benchmark: verdicts}
        fitted = fitted_thresholds(members, promise, fit.development, known, seed)
        thresholds |= dict.fromkeys(fit.judged, fitted)
        shown = {member: None if value == NEVER else float(f"{value:.9g}") for member, value in fitted.items()}
        record.append({"fitted_on": fit.fitted_on, "judges": len(fit.judged), "thresholds": shown})
    answered = [one for item in items for one in _answer(item, answers, orders, thresholds[item.id])]
    return answered, record


def _answer(item: Item, answers: Answers, orders: Sequence[str], thresholds: Mapping[str, float]) -> Iterator[Verdict]:
    """Yield the verdicts on one item in every order that somebody was asked in."""
    who = answering(item.id, answers, orders, thresholds)
    for order in ORDERS:
        said = [one for answer in answers.values() if (one := answer.get(item.id, {}).get(order))]
        if not said:
            continue
        if order not in orders:
            yield Verdict(item.id, order, "error", reason=NOT_ASKED[0])
        elif who:
            yield dataclasses.replace(answers[who][item.id][order], raw=who, published=None)
        else:
            reasons = {one.reason for one in said}
            never_asked = None not in reasons and reasons <= set(NOT_ASKED)
            yield Verdict(item.id, order, "error", reason=min(reasons) if never_asked else ABSTAINED)


def answering(item: str, answers: Answers, orders: Sequence[str], thresholds: Mapping[str, float]) -> str | None:
    """Return the first judge that is sure enough of an item, None where none is."""
    for member, threshold in thresholds.items():
        said = opinion(answers[member].get(item, {}), orders)
        if said.outcome != "error" and said.sure >= threshold:
            return member
    return None


# ---- thresholds ----


def fitted_thresholds(
    members: Sequence[str],
    promise: Promise,
    development: Mapping[str, Sequence[Item]],
    verdicts: Mapping[str, Mapping[str, Sequence[Verdict]]],
    seed: int,
) -> dict[str, float]:
    """Return how sure each judge must be, from labelled items by benchmark; infinite where no part is good enough.

    Raises JudgemergeError where nothing says how sure a judge is.
    """
    waiting = []
    for name, items in development.items():
        answers, orders = by_item(verdicts[name]), shared_orders(verdicts[name])
        for item in one_per_prompt([item for item in items if item.truth is not None], seed):
            waiting.append((item.truth, {one: opinion(answers[one].get(item.id, {}), orders) for one in members}))
    thresholds = {}
    for member in members:
        readable = [(said[member], truth) for truth, said in waiting if said[member].outcome != "error"]
        if any(math.isnan(said.sure) for said, _ in readable):
            raise JudgemergeError(
                f"cascade: '{member}' gives no probabilities and was asked in one order, so nothing says how sure it "
                "is; name a judge with either"
            )
        sure, right = [said.sure for said, _ in readable], [said.outcome == truth for said, truth in readable]
        alone = (1 - promise.confidence) / len(members)
        threshold = thresholds[member] = fixed_sequence(sure, right, 1 - promise.target, alone)
        waiting = [one for one in waiting if one[1][member].outcome == "error" or one[1][member].sure < threshold]
    return thresholds


def fixed_sequence(sure: Sequence[float], right: Sequence[bool], risk: float, level: float) -> float:
    """Return the lowest threshold down to which "more than `risk` is wrong" is rejected at `level`; infinite if none.

    Jung et al. 2024, algorithm 1, with the exact binomial test in place of a grid of thresholds that starts at 1: the
    steps are shares of the items, which follow from how sure the judge is and not from whether it is right.
    """
    from scipy import stats

    kept = NEVER
    for threshold in _sequence(sure):
        chosen = [is_right for value, is_right in zip(sure, right, strict=True) if value >= threshold]
        n_wrong = len(chosen) - sum(chosen)
        if stats.binom.cdf(n_wrong, len(chosen), risk) > level:
            break
        kept = threshold
    return kept


def _sequence(sure: Sequence[float]) -> list[float]:
    """Return the thresholds that let through the surest 30 %, 35 %, … 100 % of the items, each once."""
    ordered = sorted(sure, reverse=True)
    n_steps = round((1 - START) / STEP)
    sizes = [max(LEAST_ITEMS, math.ceil((START + STEP * step) * len(ordered) - 1e-9)) for step in range(n_steps + 1)]
    return list(dict.fromkeys(ordered[size - 1] for size in sizes if size <= len(ordered)))
