"""Records as other projects write them: what they call question and answers, and lists of records in one JSON text.

`judge.py`, the page and everything else that takes records from people reads them by these names, so that a file of
MELD-Eval's demo, of PandaLM or of Auto-J is judged as it is. A record's own `prompt` or `response` comes first.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

# Our key → what others call it, the likeliest first.
# MELD-Eval: question_body, answer_body, answer1_body, answer2_body (its length-bias set: question); idx in its copy of
# Feedback-Bench, pair_id, response_A and response_B in its copy of JudgeBench. PandaLM: idx, instruction with input,
# response1, response2. myendless1/llm-as-a-judge: query, response1, response2. Auto-J: "response 1", "response 2".
NAMES: dict[str, tuple[str, ...]] = {
    "id": ("idx", "pair_id"),
    "prompt": ("question_body", "question", "query", "instruction"),
    "response": ("answer_body",),
    "response_a": ("answer1_body", "response1", "response_A", "response 1"),
    "response_b": ("answer2_body", "response2", "response_B", "response 2"),
}
NO_REFERENCE = ("", "N/A")  # what MELD-Eval's files write where there is no reference answer
MOST_BYTES = 500_000_000  # of a list, which is read as a whole
UNREAD = "the rest of the list was not read"
_BOM = b"\xef\xbb\xbf"
_LIST = re.compile(rb"\s*\[\s*(\{|\]|$)")
_SPACE = re.compile(r"[ \t\r\n]*")


def key_of(record: Mapping[str, Any], ours: str) -> str:
    """Return the key under which a record has what we call `ours`; `ours` itself where it has none."""
    return next((key for key in (ours, *NAMES.get(ours, ())) if key in record), ours)


def question_of(record: Mapping[str, Any], key: str) -> Any:
    """Return the question under a key of a record; an `instruction` takes its `input` with it, as PandaLM's rows do."""
    value, given = record[key], record.get("input")
    if key == "instruction" and isinstance(value, str) and isinstance(given, str) and given.strip():
        return f"{value}\n\n{given}"
    return value


def stated(reference: str | None) -> str | None:
    """Return a reference answer, None where it says that there is none."""
    return None if reference is not None and reference.strip() in NO_REFERENCE else reference


def begins_list(line: bytes) -> bool:
    """Whether a list of objects begins with this line: a log's `[12:30] …` does not."""
    return bool(_LIST.match(line.removeprefix(_BOM)))


class Entry(NamedTuple):
    """One entry of a list: the line that it begins on, its text, or what is wrong from there on."""

    line: int
    text: str
    fault: str | None = None


def entries(text: bytes, line: int = 1) -> Iterator[Entry]:
    """Yield the entries of a JSON list whose text begins on `line`.

    A list that breaks off costs what follows the break, which is said once. What stands behind its end is refused.
    """
    if len(text) > MOST_BYTES:
        yield Entry(
            line, "", f"the list is longer than {MOST_BYTES} bytes; write one object per line, without brackets"
        )
        return
    try:
        words = text.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError as error:
        line += text.count(b"\n", 0, error.start)
        yield Entry(line, "", f"byte {error.start + 1} of the list is not UTF-8; write the file in UTF-8")
        return
    decoder = json.JSONDecoder()
    place = _past_space(words, words.index("[") + 1)
    counted = 0  # lines up to here
    while not words.startswith("]", place):
        line, counted = line + words.count("\n", counted, place), place
        try:
            _, end = decoder.raw_decode(words, place)
        except json.JSONDecodeError as error:
            line += words.count("\n", counted, error.pos)
            yield Entry(line, "", f"column {error.colno} is not JSON ({error.msg}); {UNREAD}")
            return
        except (ValueError, RecursionError) as error:  # a number of thousands of digits, thousands of brackets
            yield Entry(line, "", f"this entry cannot be read ({str(error) or type(error).__name__}); {UNREAD}")
            return
        yield Entry(line, words[place:end])
        place = _past_space(words, end)
        if words.startswith(",", place):
            place = _past_space(words, place + 1)
        elif not words.startswith("]", place):
            yield Entry(
                line + words.count("\n", counted, place), "", f"the list has no comma and no end here; {UNREAD}"
            )
            return
    rest = _past_space(words, place + 1)
    if rest < len(words):
        yield Entry(line + words.count("\n", counted, rest), "", "text after the end of the list; it was not read")


def _past_space(text: str, place: int) -> int:
    return _SPACE.match(text, place).end()
