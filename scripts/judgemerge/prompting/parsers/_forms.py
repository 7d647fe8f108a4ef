"""What reply formats share: patterns of labels and numbers, and how the places where they stand become one reading."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from judgemerge.prompting.parsers import Reading, ReplySettings

LONGEST_RAW = 200  # characters of what was matched that a verdict keeps
# What may stand at the beginning of a line before a form's words. It must not run over line ends: a reply of many empty
# lines took minutes.
LEAD = r"[^\w\n~]*+(?:\d{1,2}[.)][^\w\n~]*+)?"
# Marks around a label or a number that say nothing: blanks, quotes, brackets; after it also the end of a sentence.
OPEN = r"[ \t\"'“”‘’„«»「」【】()\[\]{}*_`✅🏆]{0,40}"
CLOSE = r"[ \t\r\"'“”‘’«»「」【】()\[\]{}*_`.,;!…。✅🏆]*(?:(?<=\w)[ \t]+(?:[-–—]|#+)[ \t\r]*)?"
# How a judge takes back what it has just said.
_REVISION = re.compile(
    r"(?:^|[.!?…\n])[\W_]{0,20}(?:no(?=\s*(?:[,.:;!—–-]|wait\b|\Z))|wait|"
    r"actually|sorry|oops|hmm+|correction|corrected|edit|update|scratch that|"
    r"or rather|on (?:reflection|second thoughts?)|"
    r"i (?:meant|mean|was wrong|made a mistake|take (?:that|it) back|change my mind))\b",
    re.IGNORECASE,
)
_ALTERNATIVE = re.compile(r"(?:\W|\b(?:or|and|vs|versus|either|oder|ou)\b)*", re.IGNORECASE)
# What ends a label or a number, so that nothing written later can be part of it.
_LABEL_ENDS = re.compile(r"[ \t]*(?:[\n)\]}>.!;\"'”’]|&&&|</)")
_NUMBER_ENDS = re.compile(r"[ \t]*(?:[\n)\]}>\"'”’]|&&&|</)")


# ---- patterns ----


def any_label(settings: ReplySettings) -> str:
    """Return the pattern of a label, longest first; white space within it may be any."""
    return "|".join(map(_bounded, sorted(settings.labels.values(), key=len, reverse=True)))


def _bounded(label: str) -> str:
    pattern = r"[ \t]+".join(map(re.escape, label.split()))
    before = r"(?<!\w)" if re.match(r"\w", label) else ""
    return before + pattern + (r"(?!\w)" if re.search(r"\w\Z", label) else "")


def number_pattern(settings: ReplySettings, whole: bool = False) -> str:
    """Return the pattern of a number, as group `value`, and of the scale's end after it: `/10`, `out of 10`."""
    digits = r"\d{1,9}(?:\.0{1,9})?" if whole else r"\d{1,30}(?:\.\d{1,30})?"
    return rf"(?P<said>(?P<value>[-+]?{digits}){scale_end_pattern(settings)})"


def scale_end_pattern(settings: ReplySettings) -> str:
    """Return the pattern of the scale's end after a number, which need not be there."""
    top = re.escape(f"{settings.maximum:.15g}" if settings.maximum % 1 else str(int(settings.maximum)))
    return rf"(?:[ \t]*(?:/|(?:out[ \t]*)?of\b)[ \t]*{top}(?:\.0{{1,9}})?(?![\w.]*\d))?"


def label_pattern(settings: ReplySettings) -> str:
    """Return the pattern of a label, as group `value`, with marks around it that say nothing."""
    return rf"{OPEN}(?P<angle><(?=\w))?(?P<said>(?P<value>{any_label(settings)}))(?(angle)>)"


def bracket_pattern(settings: ReplySettings) -> str:
    """Return the pattern of `[[<label>]]`, or of brackets with another word or with a label among others in them."""
    other = rf"[^\[\]\s]{{1,40}}|[^\[\]\n]{{0,40}}?(?:{any_label(settings)})[^\[\]\n]{{0,40}}"
    return rf"\[\[\s*+(?:{OPEN}(?P<said>(?P<value>{any_label(settings)}))[\"'”’.!]*|(?:{other}))\s*\]\]"


# ---- what stands where → one reading ----


@dataclass(frozen=True)
class Place:
    """A place where a verdict (a label in small letters) or a score stands; `value` is None where it is neither."""

    value: str | float | None
    start: int
    end: int
    said_end: int  # where the label or the number ends
    raw: str


def labels_in(pattern: str, text: str, settings: ReplySettings, flags: int = 0) -> list[Place]:
    """Return where a pattern with a label as group `value` stands; a group `also` makes it no verdict."""
    known_labels = outcomes(settings)

    def read(label: str) -> str | None:
        """Return the label as it is looked up; None for one that only some letters of other scripts make alike."""
        normal = " ".join(label.lower().split())
        return normal if normal in known_labels else None

    return _places_of(pattern, text, flags, read)


def outcomes(settings: ReplySettings) -> dict[str, str]:
    """Return the outcome of every label, in small letters with single blanks."""
    return {" ".join(label.lower().split()): outcome for outcome, label in settings.labels.items()}


def numbers_in(pattern: str, text: str, flags: int = 0) -> list[Place]:
    """Return where a pattern with a number as group `value` stands; a group `also` makes it no score."""
    return _places_of(pattern, text, flags, float)


def _places_of(pattern: str, text: str, flags: int, read: Callable[[str], str | float | None]) -> list[Place]:
    places = []
    for match in re.finditer(pattern, text, flags | re.IGNORECASE):
        is_value = match["value"] is not None and match.groupdict().get("also") is None
        value = read(match["value"]) if is_value else None
        said_end = match.end() if value is None else match.end("said")
        places.append(Place(value, match.start(), match.end(), said_end, match[0].strip()))
    return places


def is_last(places: Sequence[Place], text: str) -> bool:
    """Return whether nothing but white space follows the last place."""
    return bool(places) and not text[places[-1].end :].strip()


def _has_words(text: str) -> bool:
    return re.search(r"\w", text) is not None


def all_alike(places: Sequence[Place], text: str, settings: ReplySettings, feedback_follows: bool = False) -> Reading:
    """Return the one value that all places agree in; others contradict each other."""
    if len({one.raw.lower() if one.value is None else one.value for one in places}) > 1:
        return _contradictory(places)
    return _reading(places, text, settings, feedback_follows)


def at_the_end(
    places: Sequence[Place],
    text: str,
    settings: ReplySettings,
    feedback_follows: bool = False,
    later: Sequence[Place] = (),
) -> Reading:
    """Return the last value; an earlier one counts as taken back by it.

    What is said after it in other words (`later`) must not differ, nor take it back.

    That takes words between the two, and the last one standing at the end. Different verdicts one below the other are
    the form copied, and more than two are no change of mind: they contradict each other.
    """
    read = [one for one in places if one.value is not None]
    changes = [(one, two) for one, two in zip(read, read[1:], strict=False) if one.value != two.value]
    copied = any(_ALTERNATIVE.fullmatch(text[one.end : two.start]) for one, two in changes)
    several = len(changes) > 1 and isinstance(read[0].value, str)
    unsettled = bool(changes) and not feedback_follows and _has_words(text[places[-1].end :])
    if copied or several or unsettled:
        return _contradictory(read)
    if read and read[-1] is places[-1] and not feedback_follows:
        others = [one for one in later if one.start >= read[-1].end and one.value not in (None, read[-1].value)]
        if others or _REVISION.search(text, read[-1].end):
            return _contradictory([read[-1], *others])
    return _reading(places, text, settings, feedback_follows)


def _reading(places: Sequence[Place], text: str, settings: ReplySettings, feedback_follows: bool) -> Reading:
    if not places or places[-1].value is None:
        return nothing(settings)
    last = places[-1]
    closed = _is_closed(places, text, feedback_follows)
    raw = last.raw[:LONGEST_RAW]
    if isinstance(last.value, str):
        return Reading(outcomes(settings)[last.value], raw=raw, closed=closed)
    if settings.minimum <= last.value <= settings.maximum:
        return Reading(last.value, raw=raw, closed=closed)
    return Reading(reason="out_of_range", raw=raw, closed=closed)


def _is_closed(places: Sequence[Place], text: str, feedback_follows: bool) -> bool:
    """Return whether the last place would be read alike, whatever was written after the text."""
    last = places[-1]
    if not (_LABEL_ENDS if isinstance(last.value, str) else _NUMBER_ENDS).match(text, last.said_end):
        return False
    rest = text[last.end :]
    repeats = sum(one.value == last.value for one in places) > 1
    begun = repeats and _without_marks(last.raw).startswith(_without_marks(rest))
    return feedback_follows or begun or not re.search(r"[\w\[({<#@]", rest)


def closed_by(end: str, reading: Reading, places: Sequence[Place], text: str) -> Reading:
    """Return the reading, closed only where `end` follows the label: 1. may become 1.5, or number a list."""
    return replace(reading, closed=reading.closed and re.compile(end).match(text, places[-1].said_end) is not None)


def _without_marks(text: str) -> str:
    return re.sub(r"^\W+", "", text).rstrip().lower()


def nothing(settings: ReplySettings) -> Reading:
    """Return that neither a verdict nor a score was read."""
    return Reading(reason="no_verdict" if settings.minimum is None else "no_score")


def _contradictory(places: Sequence[Place]) -> Reading:
    texts = list(dict.fromkeys(one.raw for one in places))
    return Reading(reason="contradictory", raw=" | ".join(texts)[:LONGEST_RAW])
