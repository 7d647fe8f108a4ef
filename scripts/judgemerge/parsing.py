"""Replies → verdicts. A reply that cannot be read is an error with a reason code, never a tie and never a guess.

Each format is one function from the reply text and the template's `reply` settings to (value, reason): exactly one of
the two is set. Pairwise formats return `first`, `second` or `tie` *as shown to the judge*; pointwise ones a number.
Reason codes: `empty`, `no_verdict`, `contradictory`, `no_score`, `out_of_range`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass

from judgemerge.errors import JudgemergeError, did_you_mean
from judgemerge.items import CLASSES, SWAPPED, Order, Verdict

Parsed = tuple[str | float | None, str | None]
_NUMBER = r"[-+]?\d+(?:\.\d+)?"
# Marks around a word on the same line. It must not run over line ends: a reply of many empty lines took minutes.
_MARKS = r"[^\w\n]*"


def verdict_line(reply: str, settings: dict) -> Parsed:
    """Read the last line `Verdict: <label>`; earlier lines may say anything."""
    pattern = rf"^{_MARKS}verdict[^\w\n:]*:{_MARKS}(\w+){_MARKS}$"
    return _verdict(re.findall(pattern, reply, re.IGNORECASE | re.MULTILINE)[-1:], settings)


def double_brackets(reply: str, settings: dict) -> Parsed:
    """Read `[[<label>]]`, as in MT-Bench (Zheng et al. 2023); two different labels contradict each other."""
    return _verdict(re.findall(r"\[\[\s*(\w+)\s*\]\]", reply), settings)


def score_line(reply: str, settings: dict) -> Parsed:
    """Read the last line `Score: <number>`, optionally followed by `/ <maximum>`."""
    scale = rf"(?:[ \t]*/[ \t]*{settings['maximum']:g})?"
    pattern = rf"^{_MARKS}score[^\w\n:]*:[^\w\n.]*?({_NUMBER}){scale}[ \t\r.*]*$"
    return _score(re.findall(pattern, reply, re.IGNORECASE | re.MULTILINE)[-1:], settings)


def rating_brackets(reply: str, settings: dict) -> Parsed:
    """Read `[[<number>]]`, as in MT-Bench and Auto-J; two different numbers contradict each other."""
    return _score(re.findall(rf"\[\[\s*({_NUMBER})\s*\]\]", reply), settings)


def _verdict(found: list[str], settings: dict) -> Parsed:
    if len({label.lower() for label in found}) > 1:
        return None, "contradictory"
    for outcome in CLASSES:
        if found and outcome in settings and found[0].lower() == str(settings[outcome]).lower():
            return outcome, None
    return None, "no_verdict"


def _score(found: list[str], settings: dict) -> Parsed:
    values = {float(number) for number in found}
    if not values:
        return None, "no_score"
    if len(values) > 1:
        return None, "contradictory"
    score = values.pop()
    return (score, None) if settings["minimum"] <= score <= settings["maximum"] else (None, "out_of_range")


@dataclass(frozen=True)
class Format:
    """A reply format: its parser, the protocol it serves and the settings a template must give."""

    parse: Callable[[str, dict], Parsed]
    protocol: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()


_LABELS = {"protocol": "pairwise", "required": frozenset({"first", "second"}), "optional": frozenset({"tie"})}
_SCALE = {"protocol": "pointwise", "required": frozenset({"minimum", "maximum"})}
FORMATS = {
    "verdict_line": Format(verdict_line, **_LABELS),
    "double_brackets": Format(double_brackets, **_LABELS),
    "score_line": Format(score_line, **_SCALE),
    "rating_brackets": Format(rating_brackets, **_SCALE),
}


def check_format(settings: dict, protocol: str, where: str) -> None:
    """Refuse reply settings that name no format, the wrong protocol or wrong keys; `where` names their file."""
    name = settings.get("format")
    if name not in FORMATS:
        raise JudgemergeError(f"{where}: reply.format '{name}' is unknown{did_you_mean(name, FORMATS)}")
    chosen = FORMATS[name]
    if chosen.protocol != protocol:
        raise JudgemergeError(f"{where}: reply.format '{name}' is {chosen.protocol}, but the prompt is {protocol}")
    given = set(settings) - {"format"}
    for key in sorted(chosen.required - given):
        raise JudgemergeError(f"{where}: reply.{key} is missing; format '{name}' needs it")
    for key in sorted(given - chosen.required - chosen.optional):
        allowed = chosen.required | chosen.optional
        raise JudgemergeError(f"{where}: reply.{key} is unknown{did_you_mean(key, allowed)}")


def parse(reply: str | None, reason: str | None, settings: dict, item: str, order: Order) -> Verdict:
    """Return the verdict in a reply, mapped back to the benchmark's order; `reason` says why there is no reply."""
    if reply is None:
        return Verdict(item, order, "error", reason=reason or "no_reply")
    if not reply.strip():
        return Verdict(item, order, "error", reason="empty")
    chosen = FORMATS[settings["format"]]
    value, reason = chosen.parse(reply, settings)
    if reason:
        return Verdict(item, order, "error", reason=reason)
    if chosen.protocol == "pointwise":
        return Verdict(item, order, "score", score=value)
    return Verdict(item, order, value if order == "original" else SWAPPED[value])
