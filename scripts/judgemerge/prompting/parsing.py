"""Replies → verdicts. A reply that cannot be read is an error with a reason code, never a tie and never a guess.

Each format is one function from the answer in a reply and the template's `reply` settings to a Reading. Pairwise
formats return `first`, `second` or `tie` *as shown to the judge*; pointwise ones a number. All formats agree in what
is not theirs: a thought (`<think>…</think>`) is no part of the answer, nor is what is struck out; marks of emphasis,
tags around text and TeX mean nothing; `8/10` and `8 out of 10` are 8, `4.0` is 4. Between the words of a form and its
label or number stand blanks, quotes and brackets alone: any other sign (`≠A`, `≥7`, `–7`, `7%`, `A?`) says something.
Reason codes: `empty`, `turn_mark` (the mark of another turn stands in the reply), `unfinished_thought`, `cut`,
`no_verdict`, `contradictory`, `no_score`, `out_of_range`.

A reply that ran into the limit of tokens (`finish_reason` length) is `cut`, unless the format closes the verdict itself
(by a bracket, a tag, the end of the line or what else cannot be part of it), and what was written after it cannot take
it back: in forms that end with the verdict nothing but the same verdict again, in forms that begin with it anything.
"""

import json
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import CLASSES, SWAPPED, Order, Verdict
from judgemerge.prompting.chat_templates import has_turn_mark

CUT = "length"  # the finish reason of a reply that ran into the limit of tokens
# How models mark a thought: tags with one of these words in their names. Some chat templates open it already in the
# prompt (opened_thought).
_THOUGHT = (
    r"(?:begin_of_|start_)?[\w:-]{0,20}(?:think|thought|reason|reflect|scratchpad|monologue|deliberat|analysis|"
    r"\bcot\b)[\w:-]{0,20}"
)
_THOUGHT_ENDS = re.compile(
    rf"(?:<|&lt;|＜)[ \t]{{0,3}}(?:[|｜]?[ \t]{{0,3}}/[ \t]{{0,3}}{_THOUGHT}|[|｜]end_(?:of_)?{_THOUGHT})"
    r"[ \t]{0,3}[|｜]?"
    rf"(?:>|&gt;|＞)|\[/{_THOUGHT}\]|◁/{_THOUGHT}▷|<unused95>|assistantfinal",
    re.IGNORECASE,
)
_THOUGHT_BEGINS = re.compile(
    rf"(?:<|&lt;|＜)[ \t]{{0,3}}[|｜]?(?!end_){_THOUGHT}(?:[ \t][^<>\n]{{0,80}})?[|｜]?(?:>|&gt;|＞)"
    rf"|\[(?:think|thinking|thought|reasoning)\]|◁{_THOUGHT}▷|<unused94>|<\|channel\|>analysis\b"
    r"|\Aanalysis(?=[A-Z\"'(])",
    re.IGNORECASE,
)
# The thought of a reply in OpenAI's Harmony form, whose parts are turns of their own.
_HARMONY = re.compile(r"\A(?:<\|start\|>assistant)?<\|channel\|>analysis.*<\|channel\|>final<\|message\|>", re.DOTALL)
LONGEST_RAW = 200  # characters of what was matched that a verdict keeps
MOST_SCORES = 1000  # of a scale that are tried one by one
# What may stand at the beginning of a line before a form's words. It must not run over line ends: a reply of many empty
# lines took minutes.
_LEAD = r"[^\w\n~]*+(?:\d{1,2}[.)][^\w\n~]*+)?"
# Marks around a label or a number that say nothing: blanks, quotes, brackets; after it also the end of a sentence.
_OPEN = r"[ \t\"'“”‘’„«»「」【】()\[\]{}*_`✅🏆]{0,40}"
_CLOSE = r"[ \t\r\"'“”‘’«»「」【】()\[\]{}*_`.,;!…。✅🏆]*(?:(?<=\w)[ \t]+(?:[-–—]|#+)[ \t\r]*)?"
# Marks of emphasis, at the edge of a word or alone: 2**3 stays as it is.
_EMPHASIS = re.compile(r"(?<![\w*_`])[*_`]++|(?<![*_`])[*_`]++(?!\w)")
# Text that is taken back where it stands: struck out, or a comment.
_STRUCK = re.compile(r"~~[^\n~]*(?:~~|\Z)|<(del|strike)>[^<]*</\1>|<!--.*?(?:-->|\Z)", re.DOTALL | re.IGNORECASE)
_EMPHASIS_TAGS = re.compile(r"</?(?:b|i|u|em|strong|mark|code|span)>", re.IGNORECASE)
_LINE_TAGS = re.compile(
    r"</?(?:p|div|br/?|answer|final|final_answer|response|output)>|<\|(?:START|END)_RESPONSE\|>", re.IGNORECASE
)
_TEX = re.compile(r"\\(?:boxed|fbox|text|textbf|textit|texttt|mathbf|mathrm|emph)[ \t]?\{([^{}\n]*)\}")
_TEX_MATHS = re.compile(r"\$\$?([^$\n]+)\$\$?")
_SIGNS = {0x2212: "-", 0xFF0D: "-", 0xFE63: "-", 0xA0: " ", 0x202F: " ", 0x200B: None, 0x2060: None, 0xFEFF: None}
_SIGNS |= {0xFF21 + place: chr(0x41 + place) for place in range(26)} | {0xFF10 + n: str(n) for n in range(10)}
_SIGNS |= {0xFF41 + place: chr(0x61 + place) for place in range(26)} | {0xFF0F: "/", 0xFF05: "%", 0xFF0E: "."}
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


@dataclass(frozen=True)
class Reading:
    """What a format makes of an answer: exactly one of value and reason, the words that it was read from, and whether
    these would stand whatever was written after them."""

    value: str | float | None = None
    reason: str | None = None
    raw: str | None = None
    closed: bool = False


# ---- what of a reply is the answer ----


def answer(reply: str) -> tuple[str, str | None]:
    """Return what follows the last thought of a reply, and None; or what there is, and `unfinished_thought`."""
    reply = _HARMONY.sub("", reply)
    ends = [match.end() for match in _THOUGHT_ENDS.finditer(reply)]
    text = reply[ends[-1] :] if ends else reply
    return text, "unfinished_thought" if _THOUGHT_BEGINS.search(text) else None


def opened_thought(prompt: str) -> str:
    """Return the mark of a thought that a prompt ends with, so that the reply begins inside it; empty without one."""
    end = prompt.rstrip()[-60:]
    return next((match[0] for match in _THOUGHT_BEGINS.finditer(end) if match.end() == len(end)), "")


def plain(text: str) -> str:
    """Return a text without what is struck out, emphasis (Markdown, HTML, TeX) and backslashes before such marks.

    Full-width letters and digits, and the other minus signs, become those that forms are written in.
    """
    text = _LINE_TAGS.sub("\n", _EMPHASIS_TAGS.sub("", _STRUCK.sub("", text.translate(_SIGNS))))
    for _ in range(3):  # \boxed{\textbf{A}}
        text = _TEX.sub(r"\1", text)
    return _EMPHASIS.sub("", re.sub(r"\\(?=[\[\]()*_`-])", "", _TEX_MATHS.sub(r"\1", text)))


# ---- patterns that formats share ----


def _labels(settings: dict) -> str:
    """Return the pattern of a label, longest first; white space within it may be any."""
    texts = sorted((str(settings[outcome]) for outcome in CLASSES if outcome in settings), key=len, reverse=True)
    return "|".join(_bounded(text) for text in texts)


def _bounded(label: str) -> str:
    pattern = r"[ \t]+".join(map(re.escape, label.split()))
    before = r"(?<!\w)" if re.match(r"\w", label) else ""
    return before + pattern + (r"(?!\w)" if re.search(r"\w\Z", label) else "")


def _number(settings: dict, whole: bool = False) -> str:
    """Return the pattern of a number, as group `value`, and of the scale's end after it: `/10`, `out of 10`."""
    digits = r"\d{1,9}(?:\.0{1,9})?" if whole else r"\d{1,30}(?:\.\d{1,30})?"
    return rf"(?P<said>(?P<value>[-+]?{digits}){_scale_end(settings)})"


def _scale_end(settings: dict) -> str:
    top = re.escape(f"{settings['maximum']:.15g}" if settings["maximum"] % 1 else str(int(settings["maximum"])))
    return rf"(?:[ \t]*(?:/|(?:out[ \t]*)?of\b)[ \t]*{top}(?:\.0{{1,9}})?(?![\w.]*\d))?"


def _label(settings: dict) -> str:
    """Return the pattern of a label, as group `value`, with marks around it that say nothing."""
    return rf"{_OPEN}(?P<angle><(?=\w))?(?P<said>(?P<value>{_labels(settings)}))(?(angle)>)"


def _in_brackets(settings: dict) -> str:
    """Return the pattern of `[[<label>]]`, or of brackets with another word or with a label among others in them."""
    other = rf"[^\[\]\s]{{1,40}}|[^\[\]\n]{{0,40}}?(?:{_labels(settings)})[^\[\]\n]{{0,40}}"
    return rf"\[\[\s*+(?:{_OPEN}(?P<said>(?P<value>{_labels(settings)}))[\"'”’.!]*|(?:{other}))\s*\]\]"


# ---- formats ----


def verdict_line(text: str, settings: dict) -> Reading:
    """Read the last line `Verdict: <label>`; earlier lines may say anything but several other verdicts."""
    pattern = rf"^{_LEAD}verdict[^\w\n:]*:(?:{_label(settings)}{_CLOSE}$|.*)"
    found = _verdicts(pattern, text, settings, re.MULTILINE)
    later = _verdicts(rf"\bverdict\b[^\n:]{{0,30}}?(?::|=|\bis\b)(?:{_label(settings)}{_CLOSE}$)", text, settings, re.M)
    return _closed_by(r"[^\w\n]*[\n)\]}>]", _at_the_end(found, text, settings, later=later), found, text)


def double_brackets(text: str, settings: dict) -> Reading:
    """Read `[[<label>]]`, as in MT-Bench (Zheng et al. 2023); two different labels contradict each other."""
    return _all_alike(_verdicts(_in_brackets(settings), text, settings), text, settings)


def final_verdict(text: str, settings: dict) -> Reading:
    """Read `Final Verdict: [[<label>]]`; a label in brackets elsewhere says nothing, two different ones contradict."""
    also = rf"(?P<also>[^\n]{{0,80}}?\[\[\s*+{_OPEN}(?:{_labels(settings)}))?"
    pattern = rf"final verdict[^\w\n:]*:[ \t\"'“”‘’(*_`]{{0,40}}{_in_brackets(settings)}{also}"
    return _all_alike(_verdicts(pattern, text, settings), text, settings)


def score_line(text: str, settings: dict) -> Reading:
    """Read the last line `Score: <number>`, optionally followed by `/ <maximum>` or `out of <maximum>`."""
    number = rf"{_OPEN}{_number(settings)}[ \t\r.!)\]}}\"'”’]*$"
    found = _scores(rf"^{_LEAD}score[^\w\n:]*:(?:{number}|.*)", text, re.MULTILINE)
    later = _scores(rf"\bscore\b[^\n:]{{0,30}}?(?::|=|\bis\b){number}", text, re.MULTILINE)
    return _at_the_end(found, text, settings, later=later)


def rating_brackets(text: str, settings: dict) -> Reading:
    """Read `[[<number>]]`, as in MT-Bench and Auto-J; two different numbers contradict each other."""
    other = r"[^\[\]\n]{0,20}\d[^\[\]\n]{0,20}"
    pattern = rf"\[\[\s*+(?:{_OPEN}{_number(settings)}[\"'”’.]*|{other})\s*\]\](?P<also>[ \t]*%)?"
    return _all_alike(_scores(pattern, text), text, settings)


# What ends a field of MELD's form: its marks, the end of the line or of a sentence, or the closed brace and a new word.
_FIELD_END = (
    r"(?:[ \t]*[\"'”’]?(?:[})\]][\"'”’]?)?[.;!]?(?=[ \t\r]*(?:&&&|@@@|###|\*\*|\n|\Z)|(?<=[.;!])\s)"
    r"|[ \t]*[\"'”’]?\}(?=[ \t]+(?!or\b|and\b|vs\b)[^\W\d]{3}))"
)


def final_result(text: str, settings: dict) -> Reading:
    """Read the last `Final Result: {<label>}` of MELD's pairwise form; braces and quotes may be missing.

    `{A or B or Tie}`, the form itself, is no verdict.
    """
    pattern = rf"final result[^\w\n:]*:(?:{_label(settings)}{_FIELD_END}|{_LEAD}\w+)"
    return _at_the_end(_verdicts(pattern, text, settings), text, settings, feedback_follows=True)


def overall_score(text: str, settings: dict) -> Reading:
    """Read `###Overall Score: {<number>}` of MELD's pointwise form: the field after ###, not the dimension's entry."""
    number = rf"{_number(settings)}(?:\}}{_scale_end(settings)})?"
    pattern = rf"###[^\w\n]*overall score[^\w\n:]*:{_OPEN}(?:{number}{_FIELD_END}|(?P<also>[^\w\n]*\d[^\n]*))"
    return _all_alike(_scores(pattern, text), text, settings, feedback_follows=True)


# What may stand between the mark of a result and its value, and what may follow the value at the end of a line.
_RESULT_MARK = r"(?:\[(?:result|score)\]|\b(?:result|score)\b(?=[ \t]*:)|\bscore[ \t]+of\b|[(\[]score\b)"
# A score that is spoken of and not given: "does not deserve a score of 5", "Max score: 5".
_DENIED = (
    r"(?:\b(?:not|never|cannot|than|below|above|max(?:imum)?|min(?:imum)?|lowest|highest)\b|n['’]t\b)"
    r"[ \t]+(?:\w+[ \t]+){0,4}"
)
_RESULT_END = r"[ \t\r)\]}.]*$"


def result_score(text: str, settings: dict) -> Reading:
    """Read Prometheus' `[RESULT] <number>` at the end of the reply.

    Also accepted, as by its library: [SCORE], `Score: n`, `Result: n`, "score of n", a bracket around the number, "/5"
    or "out of 5" after it. The number must be whole; a word after it is no end.
    """
    mark = rf"(?P<also>{_DENIED}(?!\[)|\b(?:or|not)[ \t]+)?{_RESULT_MARK}[ \t:([{{]*(?<![\w.])"
    pattern = rf"{mark}{_number(settings, whole=True)}{_RESULT_END}"
    found = _scores(pattern, text, re.MULTILINE)
    return _at_the_end(found, text, settings) if _is_last(found, text) else _nothing(settings)


def result_label(text: str, settings: dict) -> Reading:
    """Read Prometheus' `[RESULT] <label>` at the end of the reply.

    Also accepted, as by its library: `[RESULT: A]`, `[Response A]`, `[Result] Response A`, and `Result: A` at the start
    of the line. A label without a mark is prose.
    """
    alone = r"(?:^|(?<=[.!?:;]))[ \t]*\[(?=response[ \t])"
    mark = rf"(?:\[result\][ \t:]*|\[result[ \t]*:[ \t]*|{alone}|^[ \t]*result[ \t]*:[ \t]*)"
    label = rf"(?P<said>(?P<value>{_labels(settings)}))"
    pattern = rf"(?P<also>\bor[ \t]+)?{mark}(?:(?:response|assistant)[ \t]+)??[(\[{{]?{label}{_RESULT_END}"
    found = _verdicts(pattern, text, settings, re.MULTILINE)
    return _at_the_end(found, text, settings) if _is_last(found, text) else _nothing(settings)


def score_tag(text: str, settings: dict) -> Reading:
    """Read `<score>n</score>` after the feedback, as in Flow-Judge (`<feedback>…</feedback><score>n</score>`).

    Tags within the feedback are prose; without a feedback the whole reply counts. The number must be whole and the tag
    closed: a rubric describes nothing between its scores, and a reply that was cut may have been about to say 10.
    """
    rest = after_feedback(text)
    if re.search(r"<feedback>", rest, re.IGNORECASE):
        return _nothing(settings)
    number = _number(settings, whole=True)
    return _all_alike(_scores(rf"<score[ \t]*>\s*+(?:{number}|[^<>]{{0,40}})\s*</score>", rest), rest, settings)


def after_feedback(reply: str) -> str:
    """Return what follows the last `</feedback>`; the whole reply where there is none."""
    ends = [match.end() for match in re.finditer(r"</feedback>", reply, re.IGNORECASE)]
    return reply[ends[-1] :] if ends else reply


def final_decision(text: str, settings: dict) -> Reading:
    """Read what follows the last "final decision is", as in Auto-J (Li et al. 2023): `Response 1`, say."""
    reason = r"[ \t]+\((?!or\b)|[ \t]*,?[ \t]+(?:because|since|as|for|due|given|between)\b"
    end = rf"[\"'”’)*`]*(?=[ \t\r]*(?:\n|\Z)|[.;!,…]*[\"'”’)]*(?:[ \t\r]*\n|\s*\Z)|[.;!…]+[\"'”’)]*\s|{reason})"
    pattern = rf"final decision(?:[ \t]+is\b|[ \t]*(?=:)):?(?:{_label(settings)}{end})?"
    return _at_the_end(_verdicts(pattern, text, settings), text, settings)


def first_line(text: str, settings: dict) -> Reading:
    """Read the first line, which holds the label alone, as in PandaLM (Wang et al. 2023): `1`, `2` or `Tie`."""
    text = text.lstrip()
    pattern = rf"\A[#> \t]{{0,10}}{_label(settings)}{_CLOSE}(?:\n|\Z)"
    found = _verdicts(pattern, text, settings)[:1]
    return _closed_by(r"[^\w\n]*\n", _all_alike(found, text, settings, feedback_follows=True), found, text)


def integer(text: str, settings: dict) -> Reading:
    """Read a reply that is one whole number and nothing else but the end of its scale."""
    pattern = rf"\A\s*{_OPEN}{_number(settings, whole=True)}{_CLOSE}\s*\Z"
    return _all_alike(_scores(pattern, text), text, settings)


def likelihoods(reply: str, settings: dict) -> Reading:
    """Compare the log-probabilities of both responses, averaged over their tokens as in ORPO; exact equality is a tie.

    The reply is {"logprobs": [sum per response], "tokens": [number per response]}, as backends score them.
    """
    values = _averages(reply, 2)
    if values is None:
        return Reading(reason="no_verdict")
    return Reading("tie" if values[0] == values[1] else CLASSES[values.index(max(values))], raw=str(values))


def choice(reply: str, settings: dict) -> Reading:
    """Take the label with the highest probability; two that are exactly alike decide nothing."""
    labels = [outcome for outcome in CLASSES if outcome in settings]
    best = _best(_sums(reply, len(labels)))
    if best is None:
        return Reading(reason="no_verdict")
    return Reading(labels[best], raw=str(settings[labels[best]]))


def choice_score(reply: str, settings: dict) -> Reading:
    """Take the whole number of the scale with the highest probability; two that are exactly alike decide nothing."""
    scale = range(settings["minimum"], settings["maximum"] + 1)
    best = _best(_sums(reply, len(scale)))
    return Reading(reason="no_score") if best is None else Reading(float(scale[best]), raw=str(scale[best]))


# ---- what was found → one reading ----


@dataclass(frozen=True)
class _Find:
    """A place where a verdict (a label in small letters) or a score stands; `value` is None where it is neither."""

    value: str | float | None
    start: int
    end: int
    said_end: int  # where the label or the number ends
    raw: str


def _verdicts(pattern: str, text: str, settings: dict, flags: int = 0) -> list[_Find]:
    known = _outcomes(settings)

    def read(label: str) -> str | None:
        """Return the label as it is looked up; None for one that only some letters of other scripts make alike."""
        normal = " ".join(label.lower().split())
        return normal if normal in known else None

    return _finds(pattern, text, flags, read)


def _outcomes(settings: dict) -> dict[str, str]:
    """Return the outcome of every label, in small letters with single blanks."""
    return {" ".join(str(settings[one]).lower().split()): one for one in CLASSES if one in settings}


def _scores(pattern: str, text: str, flags: int = 0) -> list[_Find]:
    return _finds(pattern, text, flags, float)


def _finds(pattern: str, text: str, flags: int, read: Callable[[str], str | float | None]) -> list[_Find]:
    found = []
    for match in re.finditer(pattern, text, flags | re.IGNORECASE):
        is_value = match["value"] is not None and match.groupdict().get("also") is None
        value = read(match["value"]) if is_value else None
        said_end = match.end() if value is None else match.end("said")
        found.append(_Find(value, match.start(), match.end(), said_end, match[0].strip()))
    return found


def _is_last(found: Sequence[_Find], text: str) -> bool:
    """Return whether nothing but white space follows the last of what was found."""
    return bool(found) and not text[found[-1].end :].strip()


def _has_words(text: str) -> bool:
    return re.search(r"\w", text) is not None


def _all_alike(found: Sequence[_Find], text: str, settings: dict, feedback_follows: bool = False) -> Reading:
    """Return the one value that all places agree in; others contradict each other."""
    if len({one.raw.lower() if one.value is None else one.value for one in found}) > 1:
        return _contradictory(found)
    return _reading(found, text, settings, feedback_follows)


def _at_the_end(
    found: Sequence[_Find], text: str, settings: dict, feedback_follows: bool = False, later: Sequence[_Find] = ()
) -> Reading:
    """Return the last value; an earlier one counts as taken back by it.

    What is said after it in other words (`later`) must not differ, nor take it back.

    That takes words between the two, and the last one standing at the end. Different verdicts one below the other are
    the form copied, and more than two are no change of mind: they contradict each other.
    """
    read = [one for one in found if one.value is not None]
    changes = [(one, two) for one, two in zip(read, read[1:], strict=False) if one.value != two.value]
    copied = any(_ALTERNATIVE.fullmatch(text[one.end : two.start]) for one, two in changes)
    several = len(changes) > 1 and isinstance(read[0].value, str)
    unsettled = bool(changes) and not feedback_follows and _has_words(text[found[-1].end :])
    if copied or several or unsettled:
        return _contradictory(read)
    if read and read[-1] is found[-1] and not feedback_follows:
        others = [one for one in later if one.start >= read[-1].end and one.value not in (None, read[-1].value)]
        if others or _REVISION.search(text, read[-1].end):
            return _contradictory([read[-1], *others])
    return _reading(found, text, settings, feedback_follows)


def _reading(found: Sequence[_Find], text: str, settings: dict, feedback_follows: bool) -> Reading:
    if not found or found[-1].value is None:
        return _nothing(settings)
    last = found[-1]
    closed = _is_closed(found, text, feedback_follows)
    raw = last.raw[:LONGEST_RAW]
    if isinstance(last.value, str):
        return Reading(_outcomes(settings)[last.value], raw=raw, closed=closed)
    if settings["minimum"] <= last.value <= settings["maximum"]:
        return Reading(last.value, raw=raw, closed=closed)
    return Reading(reason="out_of_range", raw=raw, closed=closed)


def _is_closed(found: Sequence[_Find], text: str, feedback_follows: bool) -> bool:
    """Return whether the last place would be read alike, whatever was written after the text."""
    last = found[-1]
    if not (_LABEL_ENDS if isinstance(last.value, str) else _NUMBER_ENDS).match(text, last.said_end):
        return False
    rest = text[last.end :]
    repeats = sum(one.value == last.value for one in found) > 1
    begun = repeats and _without_marks(last.raw).startswith(_without_marks(rest))
    return feedback_follows or begun or not re.search(r"[\w\[({<#@]", rest)


def _closed_by(end: str, reading: Reading, found: Sequence[_Find], text: str) -> Reading:
    """Return the reading, closed only where `end` follows the label: 1. may become 1.5, or number a list."""
    return replace(reading, closed=reading.closed and re.compile(end).match(text, found[-1].said_end) is not None)


def _without_marks(text: str) -> str:
    return re.sub(r"^\W+", "", text).rstrip().lower()


def _nothing(settings: dict) -> Reading:
    return Reading(reason="no_score" if "minimum" in settings else "no_verdict")


def _contradictory(found: Sequence[_Find]) -> Reading:
    texts = list(dict.fromkeys(one.raw for one in found))
    return Reading(reason="contradictory", raw=" | ".join(texts)[:LONGEST_RAW])


# ---- replies of log-probabilities ----


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


# ---- formats by name ----


@dataclass(frozen=True)
class Format:
    """A reply format: its parser, the protocol it serves, the settings a template must give, and the judging mode.

    `whole` formats read whole numbers alone.
    """

    parse: Callable[[str, dict], Reading]
    protocol: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()
    mode: str = "generate"
    whole: bool = False


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
    "score_tag": Format(score_tag, **_SCALE, whole=True),
    "integer": Format(integer, **_SCALE, whole=True),
    "result_label": Format(result_label, **_LABELS),
    "result_score": Format(result_score, **_SCALE, whole=True),
    "choice": Format(choice, **_LABELS, mode="choices"),
    "choice_score": Format(choice_score, **_SCALE, mode="choices", whole=True),
    "likelihoods": Format(likelihoods, "pairwise", frozenset(), mode="likelihood"),
}


def check_format(settings: dict, protocol: str, where: str, mode: str = "generate") -> None:
    """Refuse reply settings that name no format, the wrong protocol, mode or keys, or labels and a scale that cannot be
    told apart; `where` names their file."""
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
    _check_labels(settings, where)
    if chosen.protocol == "pointwise":
        _check_scale(settings, where, chosen.whole)


def _check_labels(settings: dict, where: str) -> None:
    """Refuse labels that are no text or whole number, and two that are the same but for case and white space."""
    seen: dict[str, str] = {}
    for outcome in (outcome for outcome in CLASSES if outcome in settings):
        label = settings[outcome]
        if isinstance(label, bool) or not isinstance(label, (str, int)):
            raise JudgemergeError(f"{where}: reply.{outcome} is {label!r}, no text; put the label in quotes")
        if not str(label).strip():
            raise JudgemergeError(f"{where}: reply.{outcome} is empty; give a label")
        other = seen.setdefault(" ".join(str(label).lower().split()), outcome)
        if other != outcome:
            raise JudgemergeError(
                f"{where}: reply.{other} '{settings[other]}' and reply.{outcome} '{label}' are read alike; "
                "give labels that differ in more than case"
            )


def _check_scale(settings: dict, where: str, whole: bool) -> None:
    """Refuse a scale whose ends are no (whole) numbers, or that does not rise."""
    for key in ("minimum", "maximum"):
        value, kinds = settings[key], (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            wanted = f"a whole number, as format '{settings['format']}' reads them" if whole else "a number"
            raise JudgemergeError(f"{where}: reply.{key} is {value!r}; give {wanted}")
    if settings["minimum"] >= settings["maximum"]:
        raise JudgemergeError(
            f"{where}: reply.minimum is {settings['minimum']} and reply.maximum {settings['maximum']}; "
            "the minimum must be the smaller one"
        )


def scores(settings: dict) -> list[float]:
    """Return the scores of a scale that a check tries: both ends and the whole numbers between, the first thousand."""
    low, high = settings["minimum"], settings["maximum"]
    between = range(math.ceil(low), min(math.floor(high), math.ceil(low) + MOST_SCORES) + 1)
    return sorted({low, high, *between})


# ---- a reply → a verdict ----


def parse(
    reply: str | None, reason: str | None, settings: dict, item: str, order: Order, finish_reason: str | None = None
) -> Verdict:
    """Return the verdict in a reply, mapped back to the benchmark's order.

    `reason` says why there is no reply, `finish_reason` why it ended (CUT: at the limit of tokens; None: not known, as
    of replies that were stored before it was kept).
    """
    cut = None if finish_reason is None or reply is None else finish_reason == CUT
    reading = Reading(reason=reason or "no_reply") if reply is None else _read(reply, settings)
    # What stands open at the limit might have become anything; that verdicts contradict each other is known already.
    if cut and reading.reason not in ("unfinished_thought", "contradictory") and not reading.closed:
        reading = Reading(reason="cut", raw=reading.raw)
    if reading.reason:
        return Verdict(item, order, "error", reason=reading.reason, raw=reading.raw, cut=cut)
    if FORMATS[settings["format"]].protocol == "pointwise":
        return Verdict(item, order, "score", score=reading.value, raw=reading.raw, cut=cut)
    outcome = reading.value if order == "original" else SWAPPED[reading.value]
    return Verdict(item, order, outcome, raw=reading.raw, cut=cut)


def parse_row(row: dict, settings: dict) -> Verdict:
    """Return the verdict in a reply row (docs/architecture.md, "Reply")."""
    return parse(row["reply"], row["reason"], settings, row["item"], row["order"], row.get("finish_reason"))


def _read(reply: str, settings: dict) -> Reading:
    chosen = FORMATS[settings["format"]]
    if chosen.mode != "generate":
        return chosen.parse(reply, settings) if reply.strip() else Reading(reason="empty")
    if has_turn_mark(_HARMONY.sub("", reply)):
        return Reading(reason="turn_mark")
    text, reason = answer(reply)
    if reason:
        return Reading(reason=reason)
    return chosen.parse(plain(text), settings) if text.strip() else Reading(reason="empty")
