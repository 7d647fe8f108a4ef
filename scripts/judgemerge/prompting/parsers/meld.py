"""MELD's forms: fields between marks, with scores per dimension before and feedback after them."""

from judgemerge.prompting.parsers import LABELS, SCALE, Reading, ReplySettings, reply_format
from judgemerge.prompting.parsers._forms import (
    LEAD,
    OPEN,
    all_alike,
    at_the_end,
    label_pattern,
    labels_in,
    number_pattern,
    numbers_in,
    scale_end_pattern,
)

# What ends a field of MELD's form: its marks, the end of the line or of a sentence, or the closed brace and a new word.
_FIELD_END = (
    r"(?:[ \t]*[\"'”’]?(?:[})\]][\"'”’]?)?[.;!]?(?=[ \t\r]*(?:&&&|@@@|###|\*\*|\n|\Z)|(?<=[.;!])\s)"
    r"|[ \t]*[\"'”’]?\}(?=[ \t]+(?!or\b|and\b|vs\b)[^\W\d]{3}))"
)


@reply_format(LABELS)
def final_result(text: str, settings: ReplySettings) -> Reading:
    """Read the last `Final Result: {<label>}` of MELD's pairwise form; braces and quotes may be missing.

    `{A or B or Tie}`, the form itself, is no verdict.
    """
    pattern = rf"final result[^\w\n:]*:(?:{label_pattern(settings)}{_FIELD_END}|{LEAD}\w+)"
    return at_the_end(labels_in(pattern, text, settings), text, settings, feedback_follows=True)


@reply_format(SCALE)
def overall_score(text: str, settings: ReplySettings) -> Reading:
    """Read `###Overall Score: {<number>}` of MELD's pointwise form: the field after ###, not the dimension's entry."""
    number = rf"{number_pattern(settings)}(?:\}}{scale_end_pattern(settings)})?"
    pattern = rf"###[^\w\n]*overall score[^\w\n:]*:{OPEN}(?:{number}{_FIELD_END}|(?P<also>[^\w\n]*\d[^\n]*))"
    return all_alike(numbers_in(pattern, text), text, settings, feedback_follows=True)
