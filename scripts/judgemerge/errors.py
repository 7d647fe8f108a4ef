"""The one error type whose message is meant for the user."""

import difflib
from collections.abc import Iterable


class JudgemergeError(Exception):
    """Carries one sentence: file, key, value, and what to do next."""


def did_you_mean(value: str, known: Iterable[str]) -> str:
    """Return a closing clause naming the nearest of `known`, or all of them when none is near.

    Examples: ``; did you mean 'dare_ties'?`` and ``; known: linear, slerp, ties``.
    """
    known = sorted(known)
    near = difflib.get_close_matches(str(value), known, n=1, cutoff=0.6)
    if near:
        return f"; did you mean '{near[0]}'?"
    return f"; known: {', '.join(known)}" if known else ""
