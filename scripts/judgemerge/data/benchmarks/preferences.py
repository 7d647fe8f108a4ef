"""Preference sets: pairs of a chosen and a rejected answer to the same conversation, and plain conversations.

Truth rule: the chosen answer is `first`; two equal answers are a tie. A model or the set's makers chose, seldom a
person (`truth_by` of the entry says). No F1 is published. Because `first` is always right, a judge that is shown pairs
has to be asked in both orders, and the baseline `majority` means nothing here.

Options: id (the data set's name at its publisher, for messages), and form:

* `messages` (orpo-dpo-mix-40k, Capybara-Preferences): `chosen` and `rejected` are whole conversations, lists of
  {role, content}. The conversation is what both begin with; what follows has to be one answer of the assistant each.
  A row whose conversations part earlier is no pair of answers: it is counted as `parted_early` and left out.
* `sharegpt` (LLaMA-Factory's preference demo): `conversations`, a list of {from, value}, and one message each.
* `conversation` (FineTome; protocol prompts): `conversations` alone. The user's turns are the prompt, the answers stand
  in `extra.answers`, for supervised fine-tuning.

A system message is kept in `extra.system`. Files are JSON, JSON lines or Parquet.
"""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from judgemerge.core.catalogues import check_keys
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import Item
from judgemerge.data.benchmarks import Entry
from judgemerge.data.benchmarks._fields import message
from judgemerge.data.benchmarks._rows import Row, cluster_of, counted_rows

FORMS = ("messages", "sharegpt", "conversation")
Messages = list[tuple[str, str]]


def load(paths: dict[str, Path], spec: Entry, counts: Counter) -> Iterator[Item]:
    """Yield the items of role `rows`; counts rows, ties, system messages and rows that are no pair of answers."""
    options = spec.options
    check_keys(options, {"form": str}, {"id": str}, f"benchmark '{spec.name}': options")
    form = options["form"]
    if form not in FORMS:
        raise JudgemergeError(f"benchmark '{spec.name}': options.form is '{form}'{did_you_mean(form, FORMS)}")
    for row in counted_rows(paths, counts):
        shared, answers = _split(row, form)
        if answers is None:
            counts.update(parted_early=1)
            continue
        counts.update(with_system=bool(shared and shared[0][0] == "system"))
        yield _item(row, shared, answers, spec)


def _split(row: Row, form: str) -> tuple[Messages, tuple[str, ...] | None]:
    """Return what was said before the answers, and the answers; None where the rest is not one answer each."""
    if form == "conversation":
        messages = _messages(row, "conversations")
        if messages[-1][0] != "assistant":
            raise row.error("field 'conversations' does not end with an answer of the assistant")
        return messages[:-1], (messages[-1][1],)
    if form == "sharegpt":
        messages, ends = _messages(row, "conversations"), [_message(row, name) for name in ("chosen", "rejected")]
        conversations = [[*messages, end] for end in ends]
    else:
        conversations = [_messages(row, name) for name in ("chosen", "rejected")]
    preferred, rejected = conversations
    n_shared = 0
    while n_shared < min(len(preferred), len(rejected)) - 1 and preferred[n_shared] == rejected[n_shared]:
        n_shared += 1
    rests = [conversation[n_shared:] for conversation in conversations]
    if any(len(rest) != 1 or rest[0][0] != "assistant" for rest in rests) or n_shared == 0:
        return [], None
    return preferred[:n_shared], tuple(rest[0][1] for rest in rests)


def _messages(row: Row, field: str) -> Messages:
    messages = [message(row, field, value) for value in row.get(field, list)]
    if not messages:
        raise row.error(f"field '{field}' is an empty conversation")
    return messages


def _message(row: Row, field: str) -> tuple[str, str]:
    return message(row, field, row.get(field, dict))


def _item(row: Row, shared: Messages, answers: tuple[str, ...], spec: Entry) -> Item:
    talk = [message for message in shared if message[0] != "system"]
    roles = [role for role, _ in talk]
    if not roles or roles != ["user", "assistant"] * (len(roles) // 2) + ["user"]:
        raise row.error("the conversation does not alternate between user and assistant, the user first and last")
    turns, history = tuple(text for _, text in talk[::2]), tuple(text for _, text in talk[1::2])
    extra = {"system": shared[0][1]} if shared[0][0] == "system" else {}
    extra |= {"source": row.data["source"]} if isinstance(row.data.get("source"), str) else {}
    alone = spec.protocol == "prompts"
    return Item(
        id=str(row.number),
        benchmark=spec.name,
        protocol=spec.protocol,
        turns=turns,
        responses=() if alone else tuple((*history, answer) for answer in answers),
        truth=None if alone else ("tie" if len(set(answers)) == 1 else "first"),
        cluster=cluster_of("\n".join(turns)),
        origin=row.origin(spec),
        extra=extra | ({"answers": [*history, *answers]} if alone else {}),
    )
