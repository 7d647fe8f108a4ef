"""Scores per dimension in replies of MELD's form, and what follows from them.

A reply states a score for every dimension of the criteria, an overall score and, for pairs, a verdict. Whether these
fit each other says how far a judge means its own words. Two rules for the overall score are in use in MELD-Eval: the
plain mean (inference prompts), and a mean in which dimensions 1 and 2 count twice (demo templates); both are rounded to
the nearest whole number, halves up.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from judgemerge.core.items import SWAPPED, Order
from judgemerge.prompting import parsing

OVERALL = "overall score"
RULES = ("mean", "weighted")
# A name in quotes of any kind, a colon, a number. Names are short: an unclosed quote must not run through the reply.
_ENTRY = re.compile(r"['\"‘’“”]\s*([^'\"‘’“”:\n]{1,80}?)\s*['\"‘’“”]\s*:\s*(\d{1,3}(?:\.\d+)?)")


@dataclass(frozen=True)
class Scores:
    """Dimension → score of one response, in the order stated, and the overall score stated among them, if any."""

    dimensions: dict[str, float]
    overall: float | None

    def recomputed(self, rule: str) -> int | None:
        """Return the overall score that follows from the dimensions by `mean` or `weighted`; None without any."""
        values = list(self.dimensions.values())
        if not values:
            return None
        weights = [2 if rule == "weighted" and position < 2 else 1 for position in range(len(values))]
        mean = sum(weight * value for weight, value in zip(weights, values, strict=True)) / sum(weights)
        return math.floor(mean + 0.5)


def read_scores(reply: str, protocol: str) -> list[Scores]:
    """Return the scores of each response as shown: two for a pair, one for a single answer, none where none are stated.

    Scores count only before `###`: the feedback may quote others. A thought before the answer states nothing.
    """
    head = parsing.answer(reply)[0].partition("###")[0]
    blocks = re.split(r"@@@", head)[1:] if protocol == "pairwise" else [head]
    return [scores for scores in map(_scores, blocks) if scores.dimensions or scores.overall is not None]


def _scores(block: str) -> Scores:
    entries = {name.strip(): float(number) for name, number in _ENTRY.findall(block)}
    overall = [value for name, value in entries.items() if name.lower() == OVERALL]
    dimensions = {name: value for name, value in entries.items() if name.lower() != OVERALL}
    return Scores(dimensions, next(iter(overall), None))


def feedback(reply: str) -> str | None:
    """Return the text after `Detailed Evaluation Feedback:`, without the marks around it."""
    match = re.search(r"Detailed Evaluation Feedback\s*:\s*(.*)", reply, re.IGNORECASE | re.DOTALL)
    return match[1].strip().removesuffix("***").strip().removeprefix("{").removesuffix("}").strip() if match else None


def derived_verdict(scores: Sequence[Scores], rule: str, order: Order) -> str | None:
    """Return the class that follows from both overall scores by a rule (stated, mean, weighted), mapped back."""
    if len(scores) != 2:
        return None
    one, other = (entry.overall if rule == "stated" else entry.recomputed(rule) for entry in scores)
    if one is None or other is None:
        return None
    better = "tie" if one == other else "first" if one > other else "second"
    return better if order == "original" else SWAPPED[better]


def statements(protocol: str, reply: str, stated: str | float, order: Order) -> Iterator[tuple[str, bool | None]]:
    """Yield (statement, whether it holds; None when the reply does not say enough) for one readable reply.

    `stated` is the verdict mapped back to the benchmark's order, or the score.
    """
    scores = read_scores(reply, protocol)
    if protocol == "pointwise":
        listed = scores[0] if scores else Scores({}, None)
        yield "overall_score = overall in the list", None if listed.overall is None else listed.overall == stated
        for rule in RULES:
            value = listed.recomputed(rule)
            yield f"overall_score = {rule} of dimensions", None if value is None else value == stated
        return
    for rule in RULES:
        values = [(entry.overall, entry.recomputed(rule)) for entry in scores]
        is_complete = len(values) == 2 and all(None not in pair for pair in values)
        yield f"overall scores = {rule} of dimensions", all(one == two for one, two in values) if is_complete else None
    for rule in ("stated", *RULES):
        verdict = derived_verdict(scores, rule, order)
        name = "overall scores" if rule == "stated" else f"{rule} of dimensions"
        yield f"verdict = better {name}", None if verdict is None else verdict == stated


def format_scores(dimensions: dict[str, float], overall: float) -> str:
    """Return the list of scores in the published form: 'Name': 7, …, 'Overall Score': 7."""
    entries = [*dimensions.items(), ("Overall Score", overall)]
    return ", ".join(f"'{name}': {value:g}" for name, value in entries)
