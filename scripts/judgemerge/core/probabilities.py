"""How likely a judge finds each verdict: a mapping from outcome, or from grade as text, to a probability.

A judge that knows the probability of its own verdict alone has a mapping with one entry. What is not in a mapping is
not known; it is not zero.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

DIGITS = 9  # significant ones that files keep: the last of a double differ between machines
Probabilities = Mapping[str, float]


def grade_name(grade: float) -> str:
    """Return how a grade is called in a mapping: `4`, not `4.0`; `2.5` stays."""
    return str(int(grade)) if float(grade).is_integer() else str(float(grade))


def normalised(names: Sequence[str], logs: Sequence[float]) -> dict[str, float]:
    """Return the probabilities of what is so likely in logarithms, as shares of all that is named (softmax)."""
    highest = max(logs)
    weights = [math.exp(value - highest) for value in logs]
    return {name: rounded(weight / sum(weights)) for name, weight in zip(names, weights, strict=True)}


def rounded(value: float) -> float:
    """Return a number with as many digits as files keep."""
    return float(f"{value:.{DIGITS}g}")


def mean(mappings: Iterable[Probabilities | None]) -> dict[str, float] | None:
    """Return the average of several mappings, of what every one of them knows; None where that is nothing."""
    mappings = list(mappings)
    if not mappings or not all(mappings):
        return None
    shared = [name for name in mappings[0] if all(name in other for other in mappings)]
    return {name: rounded(sum(one[name] for one in mappings) / len(mappings)) for name in shared} or None


def renamed(probabilities: Probabilities | None, names: Mapping[str, str]) -> dict[str, float] | None:
    """Return the same probabilities under other names: those of outcomes in the other order of a pair."""
    return probabilities and {names[name]: value for name, value in probabilities.items()}


def expected_grade(probabilities: Probabilities) -> float:
    """Return the mean of the grades, weighted by their probabilities (G-Eval, Liu et al. 2023, arXiv:2303.16634)."""
    total = sum(probabilities.values())
    return rounded(sum(float(grade) * value for grade, value in probabilities.items()) / total)


def of_compared_grades(first: Probabilities | None, second: Probabilities | None) -> dict[str, float] | None:
    """Return the probabilities of the outcomes of a pair whose two grades are drawn independently of each other."""
    if not first or not second:
        return None
    outcomes = {"first": 0.0, "second": 0.0, "tie": 0.0}
    for one, p_one in first.items():
        for other, p_other in second.items():
            difference = float(one) - float(other)
            outcomes["first" if difference > 0 else "second" if difference < 0 else "tie"] += p_one * p_other
    return {outcome: rounded(value) for outcome, value in outcomes.items()}
