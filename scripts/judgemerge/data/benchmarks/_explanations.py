"""What sets with explanations share: one way to name the two responses, their exchange in a text, and seeded splits.

An explanation speaks of positions. Sources say "Response 1", "Output (a)" or "Assistant A"; here all of them become
"Assistant A's response" or keep "Assistant A", so that one prompt fits them all. An item has the explanation for its
own order in `extra.explanation` and the one for the swapped order in `extra.explanation_swapped`.
"""

import math
import re
from collections.abc import Sequence

NAMES = re.compile(r"\b(?:response ([12])\b|output \(([ab])\))", re.IGNORECASE)
LETTERS = {"1": "A", "2": "B", "a": "A", "b": "B"}
# What names a position. Every alternative stays one when its letter or word is exchanged, so two exchanges are none.
_NOUN = r"(?i:assistants?|responses?|answers?|outputs?|models?)"
POSITIONS = re.compile(
    rf"(?P<both>\b{_NOUN} )(?P<one>[AB])(?P<between> (?:and|or|over|than|to|vs\.?) )(?P<other>[AB])\b"
    rf"|(?P<noun>\b{_NOUN} )(?P<letter>[AB])\b"
    r"|\b(?P<owner>[AB])(?='s\b)"
    r"|(?P<open>\[\[)(?P<verdict>[AB])(?=\]\])"
    r"|(?P<output>\b(?i:output) \()(?P<small>[ab])(?=\))"
    r"|(?P<numbered>\b(?i:response|output) )(?P<number>[12])\b"
    r"|\b(?P<order>(?i:first|second))(?= (?i:assistant|response|answer|output|model)\b)"
)
EXCHANGED = {"A": "B", "a": "b", "1": "2", "first": "second", "First": "Second", "FIRST": "SECOND"}
EXCHANGED |= {there: here for here, there in EXCHANGED.items()}
PARTS = ("both", "one", "between", "other", "noun", "letter", "owner", "open", "verdict", "output", "small", "numbered")
PARTS = (*PARTS, "number", "order")
# The last sentence or line with a verdict in brackets, and what follows it.
VERDICT = re.compile(r"(?:(?<=[.!?])[ \t]*|(?<=\n)|\A)[^.\n]*?\[\[[ABC]\]\][^\n]*\s*\Z")


def renamed(text: str) -> str:
    """Return an explanation in which the responses have the names that the prompt gives them."""
    return NAMES.sub(lambda match: f"Assistant {LETTERS[(match[1] or match[2]).lower()]}'s response", text).strip()


def exchanged(text: str) -> str:
    """Return the text for the swapped order: all names of positions change places at once, ties ([[C]]) stay."""
    return POSITIONS.sub(lambda match: "".join(EXCHANGED.get(match[part], match[part] or "") for part in PARTS), text)


def without_verdict(text: str) -> str:
    """Return an explanation without the last sentence if that has the verdict in brackets: the prompt adds its own."""
    return VERDICT.sub("", text.rstrip()).rstrip()


def both_orders(explanation: str) -> dict[str, str]:
    """Return the fields of `extra` that hold an explanation for both orders."""
    return {"explanation": explanation, "explanation_swapped": exchanged(explanation)}


def split(keys: Sequence, share: float, seed: int) -> tuple[list, list]:
    """Return (train, test) as scikit-learn's train_test_split(test_size=share, random_state=seed) does, in its order.

    The test part is ceil(share · n) keys from the front of NumPy's legacy permutation, the train part what follows.
    """
    import numpy as np

    order = np.random.RandomState(seed).permutation(len(keys))
    n_test = math.ceil(share * len(keys))
    return [keys[place] for place in order[n_test:]], [keys[place] for place in order[:n_test]]


def chosen_part(keys: Sequence, options: dict) -> list:
    """Return the keys that `options` ask for: {split: train or test, share, seed}; all of them without `split`."""
    if "split" not in options:
        return list(keys)
    train, test = split(keys, options.get("share", 0.1), options.get("seed", 42))
    return train if options["split"] == "train" else test
