"""Formats that read what stands in double brackets."""

from judgemerge.prompting.parsers import LABELS, SCALE, Reading, ReplySettings, reply_format
from judgemerge.prompting.parsers._forms import (
    OPEN,
    all_alike,
    any_label,
    bracket_pattern,
    labels_in,
    number_pattern,
    numbers_in,
)


@reply_format(LABELS)
def double_brackets(text: str, settings: ReplySettings) -> Reading:
    """Read `[[<label>]]`, as in MT-Bench (Zheng et al. 2023); two different labels contradict each other."""
    return all_alike(labels_in(bracket_pattern(settings), text, settings), text, settings)


@reply_format(LABELS)
def final_verdict(text: str, settings: ReplySettings) -> Reading:
    """Read `Final Verdict: [[<label>]]`; a label in brackets elsewhere says nothing, two different ones contradict."""
    also = rf"(?P<also>[^\n]{{0,80}}?\[\[\s*+{OPEN}(?:{any_label(settings)}))?"
    pattern = rf"final verdict[^\w\n:]*:[ \t\"'“”‘’(*_`]{{0,40}}{bracket_pattern(settings)}{also}"
    return all_alike(labels_in(pattern, text, settings), text, settings)


@reply_format(SCALE)
def rating_brackets(text: str, settings: ReplySettings) -> Reading:
    """Read `[[<number>]]`, as in MT-Bench and Auto-J; two different numbers contradict each other."""
    other = r"[^\[\]\n]{0,20}\d[^\[\]\n]{0,20}"
    pattern = rf"\[\[\s*+(?:{OPEN}{number_pattern(settings)}[\"'”’.]*|{other})\s*\]\](?P<also>[ \t]*%)?"
    return all_alike(numbers_in(pattern, text), text, settings)
