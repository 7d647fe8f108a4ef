"""Replies → verdicts. A reply that cannot be read is an error with a reason code, never a tie and never a guess.

Each format is one function of parsers/. All formats agree in what is not theirs: a thought (`<think>…</think>`) is no
part of the answer, nor is what is struck out; marks of emphasis, tags around text and TeX mean nothing; `8/10` and
`8 out of 10` are 8, `4.0` is 4. Between the words of a form and its label or number stand blanks, quotes and brackets
alone: any other sign (`≠A`, `≥7`, `–7`, `7%`, `A?`) says something.
Reason codes: `empty`, `turn_mark` (the mark of another turn stands in the reply), `unfinished_thought`, `cut`,
`no_verdict`, `contradictory`, `no_score`, `out_of_range`.

A reply that ran into the limit of tokens (`finish_reason` length) is `cut`, unless the format closes the verdict itself
(by a bracket, a tag, the end of the line or what else cannot be part of it), and what was written after it cannot take
it back: in forms that end with the verdict nothing but the same verdict again, in forms that begin with it anything.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import CLASSES, SWAPPED, Order, Verdict, read_benchmark
from judgemerge.core.probabilities import renamed
from judgemerge.prompting.chat_templates import has_turn_mark
from judgemerge.prompting.parsers import EXPECTED, FORMATS, LIKELIEST, Reading, ReplySettings

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
MOST_SCORES = 1000  # of a scale that are tried one by one
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


def reply_settings(raw: Mapping[str, Any], protocol: str, where: str, mode: str = "generate") -> ReplySettings:
    """Return what a template says of replies; `where` names its file.

    Refused are an unknown format, a wrong protocol, mode or key, and labels or a scale that cannot be told apart.
    """
    name = raw.get("format")
    if name not in FORMATS:
        raise JudgemergeError(f"{where}: reply.format '{name}' is unknown{did_you_mean(name, FORMATS)}")
    form, keys = FORMATS[name], FORMATS[name].keys
    if keys.protocol != protocol:
        raise JudgemergeError(f"{where}: reply.format '{name}' is {keys.protocol}, but the prompt is {protocol}")
    if form.mode != mode:
        raise JudgemergeError(
            f"{where}: reply.format '{name}' reads replies of mode {form.mode}; set mode: {form.mode}"
        )
    present, allowed = set(raw) - {"format"}, keys.required | keys.optional
    for key in sorted(keys.required - present):
        raise JudgemergeError(f"{where}: reply.{key} is missing; format '{name}' needs it")
    for key in sorted(present - allowed):
        raise JudgemergeError(f"{where}: reply.{key} is unknown{did_you_mean(key, allowed)}")
    if raw.get("grade", LIKELIEST) not in (LIKELIEST, EXPECTED):
        raise JudgemergeError(f"{where}: reply.grade is {raw['grade']!r}; write {LIKELIEST} or {EXPECTED}")
    _check_labels({outcome: raw[outcome] for outcome in CLASSES if outcome in raw}, where)
    settings = ReplySettings(**raw)
    if keys.protocol == "pointwise":
        _check_scale(settings, where, form.whole)
    return settings


def _check_labels(labels: Mapping[str, Any], where: str) -> None:
    """Refuse labels that are no text or whole number, and two that are the same but for case and white space."""
    seen: dict[str, str] = {}
    for outcome, label in labels.items():
        if isinstance(label, bool) or not isinstance(label, (str, int)):
            raise JudgemergeError(f"{where}: reply.{outcome} is {label!r}, no text; put the label in quotes")
        if not str(label).strip():
            raise JudgemergeError(f"{where}: reply.{outcome} is empty; give a label")
        other = seen.setdefault(" ".join(str(label).lower().split()), outcome)
        if other != outcome:
            raise JudgemergeError(
                f"{where}: reply.{other} '{labels[other]}' and reply.{outcome} '{label}' are read alike; "
                "give labels that differ in more than case"
            )


def _check_scale(settings: ReplySettings, where: str, whole: bool) -> None:
    """Refuse a scale whose ends are no (whole) numbers, or that does not rise."""
    low, high = settings.minimum, settings.maximum
    for key, value in {"minimum": low, "maximum": high}.items():
        kinds = (int,) if whole else (int, float)
        if isinstance(value, bool) or not isinstance(value, kinds) or not math.isfinite(value):
            expected = f"a whole number, as format '{settings.format}' reads them" if whole else "a number"
            raise JudgemergeError(f"{where}: reply.{key} is {value!r}; give {expected}")
    if low >= high:
        raise JudgemergeError(
            f"{where}: reply.minimum is {low} and reply.maximum {high}; the minimum must be the smaller one"
        )


def scores(settings: ReplySettings) -> list[float]:
    """Return the scores of a scale that a check tries: both ends and the whole numbers between, the first thousand."""
    low, high = settings.minimum, settings.maximum
    between = range(math.ceil(low), min(math.floor(high), math.ceil(low) + MOST_SCORES) + 1)
    return sorted({low, high, *between})


# ---- a reply → a verdict ----


class Reply(NamedTuple):
    """What a judge wrote about an item in one order, or the reason why not (docs/architecture.md, "Reply").

    `prompt` is the key of the stored reply. Those that are sampled have a `run` (from 1) and the number of `draws`.
    """

    benchmark: str
    item: str
    order: Order
    prompt: str | None = None
    reply: str | None = None
    reason: str | None = None
    prompt_tokens: int | None = None
    reply_tokens: int | None = None
    finish_reason: str | None = None
    run: int | None = None
    draws: int | None = None

    def row(self) -> dict[str, Any]:
        """Return the row of a file of replies."""
        row = self._asdict()
        return row if self.run else {name: row[name] for name in self._fields[:-2]}


def read_replies(path: str | Path, benchmark: str | None = None) -> Iterator[Reply]:
    """Yield the replies in a file, or those to one benchmark."""
    for row in files.read_jsonl(path) if benchmark is None else read_benchmark(path, benchmark):
        yield Reply(**row)


def write_replies(path: str | Path, replies: Iterable[Reply]) -> int:
    """Write replies as JSON lines; return how many."""
    return files.write_jsonl(path, (reply.row() for reply in replies))


def parse(
    reply: str | None,
    reason: str | None,
    settings: ReplySettings,
    item: str = "",
    order: Order = "original",
    finish_reason: str | None = None,
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
    if FORMATS[settings.format].keys.protocol == "pointwise":
        shares = reading.probabilities
        return Verdict(item, order, "score", score=reading.value, raw=reading.raw, cut=cut, probabilities=shares)
    outcome, shares = reading.value, reading.probabilities
    if order == "swapped":
        outcome, shares = SWAPPED[outcome], renamed(shares, SWAPPED)
    return Verdict(item, order, outcome, raw=reading.raw, cut=cut, probabilities=shares)


def parse_row(row: Reply, settings: ReplySettings) -> Verdict:
    """Return the verdict in a row of replies."""
    return parse(row.reply, row.reason, settings, row.item, row.order, row.finish_reason)


def _read(reply: str, settings: ReplySettings) -> Reading:
    form = FORMATS[settings.format]
    if form.mode != "generate":
        return form.parse(reply, settings) if reply.strip() else Reading(reason="empty")
    if has_turn_mark(_HARMONY.sub("", reply)):
        return Reading(reason="turn_mark")
    text, reason = answer(reply)
    if reason:
        return Reading(reason=reason)
    return form.parse(plain(text), settings) if text.strip() else Reading(reason="empty")
