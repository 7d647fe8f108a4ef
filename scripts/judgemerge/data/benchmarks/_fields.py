"""What the fields of other people's rows mean: labels, votes, scores, texts and conversations, however they are kept.

One reader for benchmarks (benchmarks/jsonl.py) and recorded verdicts (recorded_formats/jsonl.py). An *answer* is a
vote, a label or a verdict: the name of a field, or two fields with the scores of the first and the second response, of
which the higher one wins and equal ones are a tie. A field may itself hold such a pair of scores.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import CLASSES, Vote
from judgemerge.core.records import spelled
from judgemerge.data.benchmarks._rows import ABSENT, Row, as_finite, shown

ROLES = {"human": "user", "gpt": "assistant", "user": "user", "assistant": "assistant", "system": "system"}
NUMERAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?")
OUR_WORDS = dict(zip(CLASSES, CLASSES, strict=True))
AS_BOOLEANS = " (YAML makes booleans of words without quotes, such as true and false; quote the words of the file)"
Answer = str | Sequence[str]


# ---- labels ----


def label_map(labels: Mapping, protocol: str, where: str) -> dict[str, str | float | None]:
    """Return the label map of a catalogue with its keys as `records.spelled` writes them; a wrong one is refused.

    Values are first, second or tie (pairwise), or finite numbers (pointwise); null says that a word is no vote and no
    verdict.
    """
    meanings: dict[str, str | float | None] = {}
    for key, label in labels.items():
        word = spelled(key)
        if word in meanings and meanings[word] != label:
            raise JudgemergeError(f"{where}: options.labels has '{word}' twice, with two meanings; delete one")
        if label is not None and _is_wrong(label, protocol):
            meaning = ", ".join(CLASSES) if protocol == "pairwise" else "a number"
            raise JudgemergeError(f"{where}: options.labels maps to {label!r}, not to {meaning}")
        meanings[word] = label
    return meanings


def known_words(labels: Mapping[str, Any]) -> str:
    """Return what an error says of a label map that lacks a value."""
    words = [word for word in labels if word not in OUR_WORDS]
    if not words:
        return "say in options.labels what it means"
    return f"options.labels knows {', '.join(words)}{AS_BOOLEANS if set(words) & {'true', 'false'} else ''}"


def meaning_of(value: Any, labels: Mapping[str, Any], protocol: str) -> str | float | None:
    """Return the class or the number that a value stands for, None where the labels say that it is no answer.

    Raises LookupError where nothing says what it means: a word that is not among the labels, NaN, a number of pairs.
    """
    word = spelled(value)
    if word in labels:
        label = labels[word]
        return label if label is None or protocol == "pairwise" else float(label)
    if protocol == "pairwise" and isinstance(value, list) and len(value) == 2:
        return _compared(*(_number(one) for one in value))
    if protocol == "pairwise":
        raise LookupError(word)
    return _number(value)


def _number(value: Any) -> float:
    is_text = isinstance(value, str) and NUMERAL.fullmatch(value.strip())
    number = as_finite(value) if is_text or type(value) in (int, float) else None
    if number is None:
        raise LookupError(spelled(value))
    return number


def share(row: Row, field: str) -> float:
    """Return a probability that a row has as a number or as text; anything outside of 0 to 1 is refused."""
    value = row.value(field)
    try:
        number = _number(value)
    except LookupError:
        number = -1.0
    if not 0 <= number <= 1:
        raise row.error(
            f"field '{field}' is {shown(value)}, which is no probability; give shares of 1, not percents or logarithms"
        )
    return number


def _compared(first: float, second: float) -> str:
    return "tie" if first == second else "first" if first > second else "second"


def _is_wrong(label: object, protocol: str) -> bool:
    if protocol == "pairwise":
        return label not in CLASSES
    return type(label) not in (int, float) or as_finite(label) is None


# ---- answers ----


def names_of(answer: Answer) -> list[str]:
    """Return the fields of an answer."""
    return [answer] if isinstance(answer, str) else list(answer)


def raw_answer(row: Row, answer: Answer) -> Any:
    """Return the value of an answer, a list of two for two fields; None where it is absent, null or blank."""
    if isinstance(answer, str):
        return row.value(answer)
    values = [row.value(name) for name in answer]
    return None if None in values else values


def read_answer(row: Row, answer: Answer, labels: Mapping[str, Any], protocol: str) -> str | float | None:
    """Return the class or number of an answer that has to be there; what it says is refused if nothing explains it."""
    value = raw_answer(row, answer)
    if value is None and "null" not in labels:
        for name in names_of(answer):
            row.get(name, (str, int, float, bool, list))  # says which one is absent or null
        raise row.error(f"field '{' and '.join(names_of(answer))}' is blank; correct or leave out the row")
    try:
        return meaning_of(value, labels, protocol)
    except LookupError:
        raise _unexplained(row, answer, value, labels, protocol) from None


def _unexplained(row: Row, answer: Answer, value: Any, labels: Mapping, protocol: str) -> JudgemergeError:
    field = "' and '".join(names_of(answer))
    is_number = type(value) in (int, float) or isinstance(value, str) and NUMERAL.fullmatch(value.strip())
    if is_number and as_finite(value) is None:
        return row.error(
            f"field '{field}' is {shown(value)}, which is no finite number; write null where there is no answer"
        )
    if protocol == "pairwise" and isinstance(value, list):
        return row.error(f"field '{field}' is {shown(value)}, which is no pair of finite scores; correct the row")
    return row.error(f"field '{field}' is {value!r:.200}, which is no {protocol} label; {known_words(labels)}")


@dataclass(frozen=True)
class VoteFields:
    """Where the votes of a row are: `votes` of benchmarks/jsonl.py, and the fields of one vote in a list of objects."""

    votes: str | Sequence[Answer]
    vote: Answer | None = None
    annotator: str | None = None


def read_votes(row: Row, where: VoteFields, labels: Mapping[str, Any], protocol: str) -> tuple[Vote, ...]:
    """Return the votes of a row; an annotator whose field is absent, null or blank did not vote."""
    if not isinstance(where.votes, str):
        answers = [("/".join(names_of(answer)), row, answer) for answer in where.votes]
    else:
        answers = list(_held_votes(row, where))
    votes = []
    for annotator, held, answer in answers:
        vote = None if raw_answer(held, answer) is None else read_answer(held, answer, labels, protocol)
        if vote is not None:
            votes.append(Vote(annotator, vote))
    return tuple(votes)


def _held_votes(row: Row, where: VoteFields) -> Iterator[tuple[str, Row, Answer]]:
    """Yield (annotator, row, answer) for a field with a list of votes, an object of them by annotator, or one vote."""
    held = row.value(where.votes)
    if held is None:
        return
    numbered = ((str(number), one) for number, one in enumerate(held, 1)) if isinstance(held, list) else None
    for name, one in numbered or (held.items() if isinstance(held, dict) else [(where.votes, held)]):
        if where.vote is not None and not isinstance(one, dict):
            raise row.error(f"field '{where.votes}' holds {shown(one)}, not objects with '{names_of(where.vote)[0]}'")
        inner = Row(row.file, row.number, one if where.vote is not None else {where.votes: one})
        annotator = inner.value(where.annotator) if where.annotator else None
        yield str(annotator or name), inner, where.vote or where.votes


# ---- texts ----


@dataclass(frozen=True)
class Conversation:
    """The user's turns, the assistant's answers so far, and the system message."""

    turns: tuple[str, ...]
    answers: tuple[str, ...] = ()
    system: str | None = None


def read_prompt(row: Row, field: str | Sequence[str], is_name: bool = False) -> Conversation:
    """Return the prompt of a row: a text, a list of user turns, or messages ({role, content} or {from, value}).

    Several fields are one text, with a blank line between what they hold. What the assistant says after the last turn
    of the user belongs to no prompt. With `is_name`, where no texts are public, the prompt may be the number of one.
    """
    if not isinstance(field, str):
        texts = [joined_text(row, name) for name in field]
        return Conversation(("\n\n".join(text for text in texts if text),))
    value = row.get(field, (str, list, int, float) if is_name else (str, list))
    if isinstance(value, (int, float)):
        return Conversation((spelled(value),))
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return _conversation(row, field, value)
    return Conversation(_texts(row, field, value))


def read_response(row: Row, field: str, prompt: Conversation) -> tuple[str, ...]:
    """Return one answer per turn of the prompt: a text, a list of them, or messages, with the prompt's or without."""
    value = row.get(field, (str, list, dict))
    value = [value] if isinstance(value, dict) else value
    if isinstance(value, list) and value and isinstance(value[0], dict):
        messages = [message(row, field, one) for one in value]
        turns, answers = (tuple(text for role, text in messages if role == one) for one in ("user", "assistant"))
        if turns and turns != prompt.turns:
            raise row.error(f"field '{field}' begins with other turns of the user than the prompt")
    else:
        answers = _texts(row, field, value)
    if len(answers) == 1 and len(prompt.answers) == len(prompt.turns) - 1:
        answers = (*prompt.answers, *answers)
    if len(answers) != len(prompt.turns):
        raise row.error(f"field '{field}' has {len(answers)} answers to {len(prompt.turns)} turns of the user")
    return answers


def _texts(row: Row, field: str, value: str | list) -> tuple[str, ...]:
    texts = (value,) if isinstance(value, str) else tuple(value)
    if not texts or not all(isinstance(text, str) for text in texts):
        raise row.error(f"field '{field}' is not a text, a list of texts or a list of messages")
    return texts


def _conversation(row: Row, field: str, value: list) -> Conversation:
    messages = [message(row, field, one) for one in value]
    system = messages.pop(0)[1] if messages[0][0] == "system" else None
    while messages and messages[-1][0] == "assistant":
        messages.pop()
    if [role for role, _ in messages] != ["user", "assistant"] * (len(messages) // 2) + ["user"]:
        raise row.error(f"field '{field}' does not alternate between user and assistant, beginning with the user")
    texts = [text for _, text in messages]
    return Conversation(tuple(texts[::2]), tuple(texts[1::2]), system)


def message(row: Row, field: str, value: object) -> tuple[str, str]:
    """Return role (user, assistant or system) and text of {role, content} or {from, value}, or name the row."""
    value = value if isinstance(value, dict) else {}
    role, text = value.get("role", value.get("from")), value.get("content", value.get("value"))
    if isinstance(text, list) and all(isinstance(part, dict) and isinstance(part.get("text"), str) for part in text):
        text = "".join(part["text"] for part in text)
    if not isinstance(role, str) or role not in ROLES or not isinstance(text, str):
        raise row.error(f"field '{field}' has a message without a known role ({', '.join(ROLES)}) or without a text")
    return ROLES[role], text


def joined_text(row: Row, field: str, blank: bool = False) -> str | None:
    """Return the text of a field that may be missing; several texts have a blank line between them.

    A blank text is a missing one, or with `blank` what it is.
    """
    value = row.find(field)
    if blank and isinstance(value, str):
        return value
    if row.value(field) is None:
        return None
    parts = [part for part in (value if isinstance(value, list) else [value]) if not _is_hole(part)]
    if any(isinstance(part, (dict, list)) for part in parts):
        raise row.error(f"field '{field}' is {shown(value)}, not a text, a number or a list of them")
    return "\n\n".join(part if isinstance(part, str) else spelled(part) for part in parts) or None


def plain_value(row: Row, field: str) -> Any:
    """Return the value of a field that is kept as it is; None where it is absent or NaN, which is no JSON."""
    value = row.find(field)
    return None if value is ABSENT or _is_hole(value) else value


def _is_hole(value: Any) -> bool:
    """Return whether a value is null, or NaN as tables write it in its place."""
    return value is None or isinstance(value, float) and value != value


def name_of(row: Row, field: str | Sequence[str]) -> str:
    """Return an id or a name of a row, a text or a number (1.0 is 1); those of several fields have / between them."""
    values = [row.get(name, (str, int, float)) for name in names_of(field)]
    return "/".join(value if isinstance(value, str) else spelled(value) for value in values)


# ---- pairs that are named in either order ----


def pair_of(row: Row, fields: Mapping[str, Any]) -> tuple[str, ...]:
    """Return who gave the first and the second response, as the fields of `pair` say; nothing without `pair`."""
    return tuple(name_of(row, name) for name in fields.get("pair", ()))


def id_of(row: Row, key: str, fields: Mapping[str, Any]) -> str:
    """Return the id in the field or fields `key`, else the row's number; `pair` adds its names, in one order."""
    name = name_of(row, fields[key]) if key in fields else str(row.number)
    return "/".join((name, *sorted(pair_of(row, fields))))


def is_turned(row: Row, fields: Mapping[str, Any], models: Sequence[str]) -> bool:
    """Return whether a row names the pair the other way round than the item, whose first response is `models[0]`'s."""
    pair = pair_of(row, fields)
    return bool(pair) and pair[0] != pair[1] and pair[0] != models[0]


def check_pair(fields: Mapping[str, Any], key: str, where: str) -> None:
    """Raise JudgemergeError unless `pair` names two fields and `key` the rest of the id."""
    if "pair" not in fields:
        return
    if len(fields["pair"]) != 2 or not all(isinstance(name, str) for name in fields["pair"]):
        raise JudgemergeError(f"{where}: options.fields.pair names two fields, one per response; name two")
    if key not in fields:
        raise JudgemergeError(f"{where}: options.fields has pair and no {key}; name the field with what was asked")


def refuse_unknown(fields: Iterable[str], rows: Sequence[Row], where: str) -> None:
    """Raise JudgemergeError where no row has a field: one that may be missing in a row is never missing in all."""
    for field in fields:
        if rows and all(row.find(field) is ABSENT for row in rows):
            raise rows[0].error(
                f"has no field '{field}', and neither has any other row; correct {where}"
                f"{did_you_mean(field, rows[0].data)}"
            )
