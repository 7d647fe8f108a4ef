"""Replies → verdicts. A reply that cannot be read is an error with a reason code, never a tie and never a guess.

Each format is one function from the reply text and the template's `reply` settings to (value, reason): exactly one of
the two is set. Pairwise formats return `first`, `second` or `tie` *as shown to the judge*; pointwise ones a number.
Reason codes: `empty`, `turn_mark` (the mark of another turn stands in the reply), `no_verdict`, `contradictory`,
`no_score`, `out_of_range`.
"""

import json
import math
import re
from collections.abc import Callable
from dataclasses import dataclass

from judgemerge.chat_templates import has_turn_mark
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


def final_verdict(reply: str, settings: dict) -> Parsed:
    """Read `Final Verdict: [[<label>]]`; a label in brackets elsewhere says nothing, two different ones contradict."""
    pattern = r"final verdict[^\w\n:]*:[^\w\n\[]*\[\[\s*(\w+)\s*\]\]"
    return _verdict(re.findall(pattern, reply, re.IGNORECASE), settings)


def score_line(reply: str, settings: dict) -> Parsed:
    """Read the last line `Score: <number>`, optionally followed by `/ <maximum>`."""
    scale = rf"(?:[ \t]*/[ \t]*{settings['maximum']:g})?"
    pattern = rf"^{_MARKS}score[^\w\n:]*:[^\w\n.]*?({_NUMBER}){scale}[ \t\r.*]*$"
    return _score(re.findall(pattern, reply, re.IGNORECASE | re.MULTILINE)[-1:], settings)


def rating_brackets(reply: str, settings: dict) -> Parsed:
    """Read `[[<number>]]`, as in MT-Bench and Auto-J; two different numbers contradict each other."""
    return _score(re.findall(rf"\[\[\s*({_NUMBER})\s*\]\]", reply), settings)


def likelihoods(reply: str, settings: dict) -> Parsed:
    """Compare the log-probabilities of both responses, averaged over their tokens as in ORPO; exact equality is a tie.

    The reply is {"logprobs": [sum per response], "tokens": [number per response]}, as backends score them.
    """
    values = _averages(reply, 2)
    if values is None:
        return None, "no_verdict"
    return ("tie" if values[0] == values[1] else CLASSES[values.index(max(values))]), None


def choice(reply: str, settings: dict) -> Parsed:
    """Take the label with the highest probability; two that are exactly alike decide nothing."""
    labels = [outcome for outcome in CLASSES if outcome in settings]
    best = _best(_sums(reply, len(labels)))
    return (labels[best], None) if best is not None else (None, "no_verdict")


def choice_score(reply: str, settings: dict) -> Parsed:
    """Take the whole number of the scale with the highest probability; two that are exactly alike decide nothing."""
    scale = range(settings["minimum"], settings["maximum"] + 1)
    best = _best(_sums(reply, len(scale)))
    return (float(scale[best]), None) if best is not None else (None, "no_score")


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


def _best(values: list[float] | None) -> int | None:
    """Return the place of the highest value, None when it is not the only one."""
    return values.index(max(values)) if values and values.count(max(values)) == 1 else None


def final_result(reply: str, settings: dict) -> Parsed:
    """Read the last `Final Result: {<label>}` of MELD's pairwise form; braces and quotes may be missing.

    `{A or B or Tie}`, the form itself, is no verdict.
    """
    found = re.findall(r"final result[^\w\n:]*:[^\w\n]*(\w+)\b(?! or )", reply, re.IGNORECASE)
    return _verdict(found[-1:], settings)


def overall_score(reply: str, settings: dict) -> Parsed:
    """Read `###Overall Score: {<number>}` of MELD's pointwise form: the field after ###, not the dimension's entry."""
    found = re.findall(rf"###[^\w\n]*overall score[^\w\n:]*:[^\w\n.+-]*({_NUMBER})(?![\w.]*\d)", reply, re.IGNORECASE)
    return _score(found, settings)


# What may stand between the mark of a result and its value, and what may follow the value at the end of a reply.
_RESULT_MARK = r"(?:\[(?:result|score)\]|\b(?:result|score)\b(?=[ \t]*:)|\bscore[ \t]+of\b|[(\[]score\b)"
_RESULT_END = r"[ \t]*[)\]]?[ \t]*[.*]*[ \t]*$"


def result_score(reply: str, settings: dict) -> Parsed:
    """Read Prometheus' `[RESULT] <number>` at the end of the reply.

    Also accepted, as by its library: [SCORE], `Score: n`, `Result: n`, "score of n", a bracket around the number, "/5"
    or "out of 5" after it. The number must be whole; a word after it is no end.
    """
    top = f"{settings['maximum']:g}"
    scale = rf"(?:[ \t]*/[ \t]*{top}|[ \t]*out[ \t]*of[ \t]*{top})?"
    value = rf"{_RESULT_MARK}[ \t:([]*(?<![\w.])([-+]?\d{{1,9}}){scale}{_RESULT_END}"
    return _score(re.findall(value, _last_line(reply), re.IGNORECASE), settings)


def result_label(reply: str, settings: dict) -> Parsed:
    """Read Prometheus' `[RESULT] <label>` at the end of the reply.

    Also accepted, as by its library: `[RESULT: A]`, `[Response A]`, `[Result] Response A`, and `Result: A` at the start
    of the line. A label without a mark is prose.
    """
    mark = (
        r"(?:\[result\][ \t:]*(?:response[ \t]+)?|\[result[ \t]*:[ \t]*|\[response[ \t]+|^[ \t*]*result[ \t]*:[ \t]*)"
    )
    return _verdict(re.findall(rf"{mark}[(\[]?(\w{{1,9}}){_RESULT_END}", _last_line(reply), re.IGNORECASE), settings)


def _last_line(reply: str) -> str:
    """Return the end of the last line that is not empty: long enough for any result, short enough for any pattern."""
    return reply.rstrip().rpartition("\n")[2][-200:]


def score_tag(reply: str, settings: dict) -> Parsed:
    """Read `<score>n</score>` after the feedback, as in Flow-Judge (`<feedback>…</feedback><score>n</score>`).

    Tags within the feedback are prose; without a feedback the whole reply counts. The number must be whole and the tag
    closed: a rubric describes nothing between its scores, and a reply that was cut may have been about to say 10.
    """
    found = re.findall(r"<score>\s*([-+]?\d{1,9})\s*</score>", after_feedback(reply), re.IGNORECASE)
    return _score(found, settings)


def after_feedback(reply: str) -> str:
    """Return what follows the last `</feedback>`; the whole reply where there is none."""
    ends = [match.end() for match in re.finditer(r"</feedback>", reply, re.IGNORECASE)]
    return reply[ends[-1] :] if ends else reply


def final_decision(reply: str, settings: dict) -> Parsed:
    """Read what follows the last "final decision is", as in Auto-J (Li et al. 2023): `Response 1`, say."""
    ends = [match.end() for match in re.finditer("final decision is", reply, re.IGNORECASE)]
    labels = "|".join(re.escape(str(settings[outcome])) for outcome in CLASSES if outcome in settings)
    match = re.compile(rf"{_MARKS}({labels})(?!\w)", re.IGNORECASE).match(reply, ends[-1]) if ends else None
    return _verdict([match[1]] if match else [], settings)


def first_line(reply: str, settings: dict) -> Parsed:
    """Read the first line, which holds the label alone, as in PandaLM (Wang et al. 2023): `1`, `2` or `Tie`."""
    match = re.fullmatch(rf"{_MARKS}(\w+){_MARKS}", reply.strip().partition("\n")[0])
    return _verdict([match[1]] if match else [], settings)


def integer(reply: str, settings: dict) -> Parsed:
    """Read a reply that is one whole number and nothing else."""
    match = re.fullmatch(r"[^\w+-]*([-+]?\d+)\W*", reply)
    return _score([match[1]] if match else [], settings)


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
    """A reply format: its parser, the protocol it serves, the settings a template must give, and the judging mode."""

    parse: Callable[[str, dict], Parsed]
    protocol: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    mode: str = "generate"


_LABELS = {"protocol": "pairwise", "required": frozenset({"first", "second"}), "optional": frozenset({"tie"})}
_SCALE = {"protocol": "pointwise", "required": frozenset({"minimum", "maximum"})}
FORMATS = {
    "verdict_line": Format(verdict_line, **_LABELS),
    "double_brackets": Format(double_brackets, **_LABELS),
    "final_result": Format(final_result, **_LABELS),
    "final_verdict": Format(final_verdict, **_LABELS),
    "final_decision": Format(final_decision, **_LABELS),
    "first_line": Format(first_line, **_LABELS),
    "score_line": Format(score_line, **_SCALE),
    "overall_score": Format(overall_score, **_SCALE),
    "rating_brackets": Format(rating_brackets, **_SCALE),
    "score_tag": Format(score_tag, **_SCALE),
    "integer": Format(integer, **_SCALE),
    "result_label": Format(result_label, **_LABELS),
    "result_score": Format(result_score, **_SCALE),
    "choice": Format(choice, **_LABELS, mode="choices"),
    "choice_score": Format(choice_score, **_SCALE, mode="choices"),
    "likelihoods": Format(likelihoods, "pairwise", frozenset(), mode="likelihood"),
}


def check_format(settings: dict, protocol: str, where: str, mode: str = "generate") -> None:
    """Refuse reply settings that name no format, the wrong protocol, mode or keys; `where` names their file."""
    name = settings.get("format")
    if name not in FORMATS:
        raise JudgemergeError(f"{where}: reply.format '{name}' is unknown{did_you_mean(name, FORMATS)}")
    chosen = FORMATS[name]
    if chosen.protocol != protocol:
        raise JudgemergeError(f"{where}: reply.format '{name}' is {chosen.protocol}, but the prompt is {protocol}")
    if chosen.mode != mode:
        raise JudgemergeError(
            f"{where}: reply.format '{name}' reads replies of mode {chosen.mode}; set mode: {chosen.mode}"
        )
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
    if has_turn_mark(reply):
        return Verdict(item, order, "error", reason="turn_mark")
    chosen = FORMATS[settings["format"]]
    value, reason = chosen.parse(reply, settings)
    if reason:
        return Verdict(item, order, "error", reason=reason)
    if chosen.protocol == "pointwise":
        return Verdict(item, order, "score", score=value)
    return Verdict(item, order, value if order == "original" else SWAPPED[value])
