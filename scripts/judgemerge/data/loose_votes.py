"""What people said of a record, as other projects write it: votes of several, a gold label, a grade.

A record's own `votes` and `truth` come first. Words are those of the record's own order: `first`, `A`, `model_a`,
`A>B` say that the first answer is better. Whether 1 or 0 does, files do not agree about; PandaLM's are known by their
annotators, others have to say it in words.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from judgemerge.core.items import CLASSES, Vote, is_finite_number

TRUTHS = ("truth", "label", "winner", "score")  # the likeliest first; `score` only of single answers
WORDS: dict[str, str] = {name: name for name in CLASSES} | {
    **dict.fromkeys(("a", "a>b", "model_a", "response_a", "response 1", "[[a]]"), "first"),
    **dict.fromkeys(("b", "b>a", "model_b", "response_b", "response 2", "[[b]]"), "second"),
    **dict.fromkeys(("a=b", "tie (bothbad)", "both", "[[c]]"), "tie"),
}
PANDALM = {"1": "first", "2": "second", "0": "tie"}
PANDALM_VOTES = ("annotator1", "annotator2", "annotator3")


class People(NamedTuple):
    """What people said of one record: votes, the gold label, and the first key whose value could not be read."""

    votes: tuple[Vote, ...] = ()
    truth: str | float | None = None
    unread: str | None = None


def people_of(record: Mapping[str, Any], protocol: str) -> People:
    """Return what people said of a record that is asked about as a pair or a single answer."""
    words = PANDALM if PANDALM_VOTES[0] in record else WORDS
    given = _given_votes(record)
    votes = {name: answer(vote, protocol, words) for name, vote in given.items()}
    key = next((key for key in TRUTHS if record.get(key) is not None and _may_be_truth(key, protocol)), None)
    truth = None if key is None else answer(record[key], protocol, words)
    unread = next((name for name, vote in votes.items() if vote is None), key if key and truth is None else None)
    return People(tuple(Vote(name, vote) for name, vote in votes.items() if vote is not None), truth, unread)


def _may_be_truth(key: str, protocol: str) -> bool:
    return key != "score" or protocol == "pointwise"


def _given_votes(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return annotator → vote as it stands there: `votes` as a mapping, a list of words or of objects, or PandaLM's."""
    votes = record.get("votes")
    if isinstance(votes, Mapping):
        return {str(name): vote for name, vote in votes.items() if vote is not None}
    if isinstance(votes, list):
        entries = [entry if isinstance(entry, Mapping) else {"vote": entry} for entry in votes]
        named = ((str(entry.get("annotator", number)), entry.get("vote")) for number, entry in enumerate(entries, 1))
        return {name: vote for name, vote in named if vote is not None}
    return {name: record[name] for name in PANDALM_VOTES if record.get(name) is not None}


def answer(value: Any, protocol: str, words: Mapping[str, str] = WORDS) -> str | float | None:
    """Return a class (of a pair) or a number (of a single answer); None where the value is neither."""
    if protocol == "pairwise":
        return words.get(str(value).strip().lower())
    try:
        number = float(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return number if is_finite_number(number) else None
