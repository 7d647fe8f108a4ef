"""The one error type whose message is meant for the user."""

import difflib
from collections.abc import Iterable

LONGEST = 1200  # characters of a sentence; a value from a file may be any length
LISTED = 24  # names listed when none is near


class JudgemergeError(Exception):
    """Carries one sentence: file, key, value, and what to do next; on one line, whatever the value holds."""

    def __str__(self) -> str:
        text = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in super().__str__())
        return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


def did_you_mean(value: str, names: Iterable[str]) -> str:
    """Return a closing clause naming the nearest of `names`, or those there are when none is near.

    Examples: ``; did you mean 'dare_ties'?`` and ``; known: linear, slerp, ties``.
    """
    names = sorted(names)
    near = difflib.get_close_matches(str(value), names, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    listed = ", ".join(names[:LISTED]) + (f" and {len(names) - LISTED} more" if len(names) > LISTED else "")
    return f"; known: {listed}" if names else ""


def require_known(value: str, names: Iterable[str], text: str) -> None:
    """Refuse a value that is none of the names; `text` says where it stands and what it should be the name of."""
    if value not in names:
        raise JudgemergeError(f"{text} '{value}'{did_you_mean(value, names)}")
