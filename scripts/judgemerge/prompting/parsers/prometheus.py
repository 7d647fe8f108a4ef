"""Prometheus' forms: a mark and the result at the end of the reply."""

import re

from judgemerge.prompting.parsers import LABELS, SCALE, Reading, ReplySettings, reply_format
from judgemerge.prompting.parsers._forms import (
    any_label,
    at_the_end,
    is_last,
    labels_in,
    nothing,
    number_pattern,
    numbers_in,
)

# What may stand between the mark of a result and its value, and what may follow the value at the end of a line.
_RESULT_MARK = r"(?:\[(?:result|score)\]|\b(?:result|score)\b(?=[ \t]*:)|\bscore[ \t]+of\b|[(\[]score\b)"
# A score that is spoken of and not given: "does not deserve a score of 5", "Max score: 5".
_DENIED = (
    r"(?:\b(?:not|never|cannot|than|below|above|max(?:imum)?|min(?:imum)?|lowest|highest)\b|n['’]t\b)"
    r"[ \t]+(?:\w+[ \t]+){0,4}"
)
_RESULT_END = r"[ \t\r)\]}.]*$"


@reply_format(SCALE, whole=True)
def result_score(text: str, settings: ReplySettings) -> Reading:
    """Read Prometheus' `[RESULT] <number>` at the end of the reply.

    Also accepted, as by its library: [SCORE], `Score: n`, `Result: n`, "score of n", a bracket around the number, "/5"
    or "out of 5" after it. The number must be whole; a word after it is no end.
    """
    mark = rf"(?P<also>{_DENIED}(?!\[)|\b(?:or|not)[ \t]+)?{_RESULT_MARK}[ \t:([{{]*(?<![\w.])"
    pattern = rf"{mark}{number_pattern(settings, whole=True)}{_RESULT_END}"
    places = numbers_in(pattern, text, re.MULTILINE)
    return at_the_end(places, text, settings) if is_last(places, text) else nothing(settings)


@reply_format(LABELS)
def result_label(text: str, settings: ReplySettings) -> Reading:
    """Read Prometheus' `[RESULT] <label>` at the end of the reply.

    Also accepted, as by its library: `[RESULT: A]`, `[Response A]`, `[Result] Response A`, and `Result: A` at the start
    of the line. A label without a mark is prose.
    """
    alone = r"(?:^|(?<=[.!?:;]))[ \t]*\[(?=response[ \t])"
    mark = rf"(?:\[result\][ \t:]*|\[result[ \t]*:[ \t]*|{alone}|^[ \t]*result[ \t]*:[ \t]*)"
    label = rf"(?P<said>(?P<value>{any_label(settings)}))"
    pattern = rf"(?P<also>\bor[ \t]+)?{mark}(?:(?:response|assistant)[ \t]+)??[(\[{{]?{label}{_RESULT_END}"
    places = labels_in(pattern, text, settings, re.MULTILINE)
    return at_the_end(places, text, settings) if is_last(places, text) else nothing(settings)
