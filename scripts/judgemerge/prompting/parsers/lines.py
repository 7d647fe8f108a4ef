"""Formats that read a line, or a sentence, of its own."""

import re

from judgemerge.prompting.parsers import LABELS, SCALE, Reading, ReplySettings, reply_format
from judgemerge.prompting.parsers._forms import (
    CLOSE,
    LEAD,
    OPEN,
    all_alike,
    at_the_end,
    closed_by,
    label_pattern,
    labels_in,
    number_pattern,
    numbers_in,
)


@reply_format(LABELS)
def verdict_line(text: str, settings: ReplySettings) -> Reading:
    """Read the last line `Verdict: <label>`; earlier lines may say anything but several other verdicts."""
    pattern = rf"^{LEAD}verdict[^\w\n:]*:(?:{label_pattern(settings)}{CLOSE}$|.*)"
    places = labels_in(pattern, text, settings, re.MULTILINE)
    later = labels_in(
        rf"\bverdict\b[^\n:]{{0,30}}?(?::|=|\bis\b)(?:{label_pattern(settings)}{CLOSE}$)", text, settings, re.M
    )
    return closed_by(r"[^\w\n]*[\n)\]}>]", at_the_end(places, text, settings, later=later), places, text)


@reply_format(SCALE)
def score_line(text: str, settings: ReplySettings) -> Reading:
    """Read the last line `Score: <number>`, optionally followed by `/ <maximum>` or `out of <maximum>`."""
    number = rf"{OPEN}{number_pattern(settings)}[ \t\r.!)\]}}\"'”’]*$"
    places = numbers_in(rf"^{LEAD}score[^\w\n:]*:(?:{number}|.*)", text, re.MULTILINE)
    later = numbers_in(rf"\bscore\b[^\n:]{{0,30}}?(?::|=|\bis\b){number}", text, re.MULTILINE)
    return at_the_end(places, text, settings, later=later)


@reply_format(LABELS)
def first_line(text: str, settings: ReplySettings) -> Reading:
    """Read the first line, which holds the label alone, as in PandaLM (Wang et al. 2023): `1`, `2` or `Tie`."""
    text = text.lstrip()
    pattern = rf"\A[#> \t]{{0,10}}{label_pattern(settings)}{CLOSE}(?:\n|\Z)"
    places = labels_in(pattern, text, settings)[:1]
    return closed_by(r"[^\w\n]*\n", all_alike(places, text, settings, feedback_follows=True), places, text)


@reply_format(LABELS)
def final_decision(text: str, settings: ReplySettings) -> Reading:
    """Read what follows the last "final decision is", as in Auto-J (Li et al. 2023): `Response 1`, say."""
    reason = r"[ \t]+\((?!or\b)|[ \t]*,?[ \t]+(?:because|since|as|for|due|given|between)\b"
    end = rf"[\"'”’)*`]*(?=[ \t\r]*(?:\n|\Z)|[.;!,…]*[\"'”’)]*(?:[ \t\r]*\n|\s*\Z)|[.;!…]+[\"'”’)]*\s|{reason})"
    pattern = rf"final decision(?:[ \t]+is\b|[ \t]*(?=:)):?(?:{label_pattern(settings)}{end})?"
    return at_the_end(labels_in(pattern, text, settings), text, settings)


@reply_format(SCALE, whole=True)
def integer(text: str, settings: ReplySettings) -> Reading:
    """Read a reply that is one whole number and nothing else but the end of its scale."""
    pattern = rf"\A\s*{OPEN}{number_pattern(settings, whole=True)}{CLOSE}\s*\Z"
    return all_alike(numbers_in(pattern, text), text, settings)
