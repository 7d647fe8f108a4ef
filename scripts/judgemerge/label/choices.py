"""What people choose from: the better of two answers, or a grade of the scale that the judges grade on."""

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.prompting.rubric_metrics import Metric
from judgemerge.study.study import Study

LEFT, RIGHT, TIE = "left", "right", "tie"  # what is chosen of a pair, as it is shown
MOST = 20  # grades that fit beside each other
# Of grades that no digit stands for. The page keeps u, l and p for itself.
LETTERS = "abcdefghijkmnoqrstvwxyz"
SCALE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*(?:-|–|to|\.\.)\s*(-?\d+(?:\.\d+)?)\s*(?:(?::|by)\s*(\d+(?:\.\d+)?)\s*)?")

Value = str | float


class Choice(NamedTuple):
    """One thing that can be chosen: its value in the file of votes, the key for it, and how the page calls it."""

    value: Value
    key: str
    words: str

    def plain(self) -> dict[str, Value]:
        """Return it as the page gets it."""
        return self._asdict()


def pair_choices(with_ties: bool = True) -> list[Choice]:
    """Return what can be said of two answers that stand beside each other."""
    choices = [Choice(LEFT, "1", "A is better"), Choice(RIGHT, "2", "B is better"), Choice(TIE, "3", "Equally good")]
    return choices if with_ties else choices[:2]


def grade_choices(values: Iterable[float], words: Mapping[float, str] | None = None) -> list[Choice]:
    """Return the grades of a scale; a digit has its own key, ten that of zero if zero is no grade."""
    values = sorted(values)
    if not 2 <= len(values) <= MOST:
        raise JudgemergeError(
            f"the scale has {len(values)} grades, of which a page shows 2 to {MOST}; give another one, --scale 1-10 or "
            "--scale 0-10:0.5, or label the sheet of `make sample-labels`"
        )
    digits = {value: f"{value:g}" for value in values if f"{value:g}" in set("0123456789")}
    if 10.0 in values and 0.0 not in values:
        digits[10.0] = "0"
    letters = iter(LETTERS)
    keys = {value: digits.get(value) or next(letters) for value in values}
    described = {value: f"{value:g}" + (f": {words[value]}" if words and value in words else "") for value in values}
    return [Choice(plain_grade(value), keys[value], described[value]) for value in values]


def plain_grade(value: float) -> float:
    """Return a grade as a whole number where it is one."""
    return int(value) if float(value).is_integer() else float(value)


def parse_scale(text: str) -> list[float]:
    """Return the grades of a scale that is written as 1-5, or 0-1:0.25 with its step."""
    match = SCALE.fullmatch(text)
    low, high, step = (float(part) if part else 1.0 for part in match.groups()) if match else (0.0, 0.0, 1.0)
    if low >= high or not step or abs((high - low) / step - round((high - low) / step)) > 1e-9:
        raise JudgemergeError(f"--scale is '{text}'; give lowest and highest grade, 1-5, or 0-1:0.25 with the step")
    n_steps = round((high - low) / step)
    if n_steps >= MOST:
        raise JudgemergeError(
            f"--scale is '{text}', {n_steps + 1} grades; a page shows at most {MOST}, so give a greater step"
        )
    return [round(low + number * step, 9) for number in range(n_steps + 1)]


def choices_of(
    study: Study, of: str, metric: Metric | None, items: Iterable[Item], scale: str | None, with_ties: bool
) -> list[Choice]:
    """Return what people choose from about a benchmark, or about answers that a metric grades."""
    items = list(items)
    if items[0].protocol == "pairwise":
        if scale is not None:
            raise JudgemergeError(f"--scale is '{scale}', but people compare pairs of '{of}'; leave it out")
        return pair_choices(with_ties)
    if scale is not None:
        return grade_choices(parse_scale(scale))
    if metric is not None:
        return grade_choices(map(float, metric.scores), {float(score): text for score, text in metric.scores.items()})
    return grade_choices(whole_scale([*prompt_ends(study, of), *labels_of(items)], of))


def prompt_ends(study: Study, benchmark: str) -> list[float]:
    """Return the ends of the scales that the judges of a benchmark are told to grade on."""
    judges = [judge for judge in study.judges_of(benchmark) if study.kind(judge) == "model"]
    names = {study.prompt(judge, "pointwise") for judge in judges} - {None}
    replies = [study.template(name).reply for name in sorted(names)]
    return [float(end) for reply in replies for end in (reply.minimum, reply.maximum) if end is not None]


def labels_of(items: Iterable[Item]) -> list[float]:
    """Return the grades that people gave, else the gold labels; both only tell how far the scale reaches."""
    items = list(items)
    votes = [float(vote.vote) for item in items for vote in item.votes]
    return votes or [float(item.truth) for item in items if item.truth is not None]


def whole_scale(grades: list[float], of: str) -> list[float]:
    """Return all whole numbers between the extremes; grades that are none, or none at all, leave the scale unknown."""
    if not grades or not all(grade.is_integer() for grade in grades) or min(grades) == max(grades):
        why = "nobody has graded it" if not grades else "its grades are not all whole numbers, or all the same"
        raise JudgemergeError(f"the scale of '{of}' is not known: {why}; give it, e.g. --scale 1-10")
    if max(grades) - min(grades) >= MOST:
        raise JudgemergeError(
            f"the grades of '{of}' reach from {min(grades):g} to {max(grades):g}, and a page shows at most {MOST}; "
            "give --scale with a step, e.g. --scale 0-100:10"
        )
    return [float(grade) for grade in range(int(min(grades)), int(max(grades)) + 1)]
