"""Formats of replies that are log-probabilities, as backends score them.

The probability of a label is its share among the labels that were scored. Of two responses it is what ORPO trains: the
odds of a response are P / (1 - P), where P is the mean probability of its tokens (geometrically), and the first wins
with the share of its odds in both (Hong, Lee and Thorne 2024, arXiv:2403.07691, equation 6).
"""

import json
import math

from judgemerge.core.items import CLASSES
from judgemerge.core.probabilities import expected_grade, grade_name, normalised
from judgemerge.prompting.parsers import (
    EXPECTED,
    LABELS,
    UNNAMED,
    WEIGHED_SCALE,
    Reading,
    ReplySettings,
    reply_format,
)


@reply_format(UNNAMED, mode="likelihood")
def likelihoods(reply: str, settings: ReplySettings) -> Reading:
    """Compare the log-probabilities of both responses, averaged over their tokens as in ORPO; exact equality is a tie.

    The reply is {"logprobs": [sum per response], "tokens": [number per response]}, as backends score them.
    """
    values = _averages(reply, 2)
    if values is None:
        return Reading(reason="no_verdict")
    winner = "tie" if values[0] == values[1] else CLASSES[values.index(max(values))]
    return Reading(winner, raw=str(values), probabilities=_by_odds(values))


@reply_format(LABELS, mode="choices")
def choice(reply: str, settings: ReplySettings) -> Reading:
    """Take the label with the highest probability; two that are exactly alike decide nothing."""
    labels = list(settings.labels)
    sums = _sums(reply, len(labels))
    best = _best(sums)
    if best is None:
        return Reading(reason="no_verdict")
    return Reading(labels[best], raw=settings.labels[labels[best]], probabilities=normalised(labels, sums))


@reply_format(WEIGHED_SCALE, mode="choices", whole=True)
def choice_score(reply: str, settings: ReplySettings) -> Reading:
    """Take the whole number of the scale with the highest probability; two that are exactly alike decide nothing.

    With `grade: expected` the grade is the mean of the scale, weighted by the probabilities.
    """
    scale = range(settings.minimum, settings.maximum + 1)
    sums = _sums(reply, len(scale))
    best = _best(sums)
    is_expected = settings.grade == EXPECTED and sums is not None
    if best is None and not is_expected:
        return Reading(reason="no_score")
    shares = normalised([grade_name(grade) for grade in scale], sums)
    grade = expected_grade(shares) if is_expected else float(scale[best])
    return Reading(grade, raw=None if best is None else str(scale[best]), probabilities=shares)


def _scored(reply: str, expected: int) -> tuple[list[float], list[int]] | None:
    """Return the log-probabilities and token counts in a scored reply, None when it is not one of that many."""
    try:
        read = json.loads(reply)
        sums, tokens = [float(value) for value in read["logprobs"]], [int(value) for value in read["tokens"]]
    except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
        return None
    sound = len(sums) == len(tokens) == expected and all(map(math.isfinite, sums)) and min(tokens) > 0
    return (sums, tokens) if sound else None


def _sums(reply: str, expected: int) -> list[float] | None:
    scored = _scored(reply, expected)
    return scored[0] if scored else None


def _averages(reply: str, expected: int) -> list[float] | None:
    scored = _scored(reply, expected)
    return [total / n for total, n in zip(*scored, strict=True)] if scored else None


def _by_odds(averages: list[float]) -> dict[str, float]:
    """Return how likely each response is the better one; one whose every token is certain has infinite odds."""
    certain = [value >= 0 for value in averages]
    if any(certain):
        return dict(zip(CLASSES, (has / sum(certain) for has in certain), strict=False))
    return normalised(CLASSES[:2], [value - math.log(-math.expm1(value)) for value in averages])


def _best(values: list[float] | None) -> int | None:
    """Return the place of the highest value, None when it is not the only one."""
    return values.index(max(values)) if values and values.count(max(values)) == 1 else None
