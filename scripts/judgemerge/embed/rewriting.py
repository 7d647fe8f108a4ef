"""The same question in another style, so that a model does not learn the style of one writer.

A rewrite belongs to its pair from the start: one that fails leaves the pair out, never the wrong chunk behind it.
"""

import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from judgemerge.embed import Pair, lists, step_prompts, texts

_LABEL = re.compile(
    r"(?:rewritten(?: question)?|rewrite|改写(?:后的问题)?|改寫(?:後的問題)?)\s*[:：]\s*", re.IGNORECASE
)
_PLAIN = ("{terms}", "how about {terms}", "tell me about {terms}", "{terms}?", "looking for {terms}")
_PLAIN_CHINESE = ("{terms}", "请说说{terms}", "{terms}是怎么回事？")


def style_of(pair: Pair, number: int, seed: int, wording: Mapping | None = None) -> str:
    """Return the style that a pair's rewrite of this number is written in; drawn with the seed."""
    styles = (wording or step_prompts.default("rewriting"))["styles"]
    return random.Random(f"{seed}:{number}:{pair.id}").choice(styles)


def prompt(pair: Pair, style: str, wording: Mapping | None = None) -> list[dict[str, str]]:
    """Return the messages that ask for a question in another style."""
    return step_prompts.messages(wording or step_prompts.default("rewriting"), question=pair.anchor, style=style)


def read_reply(reply: str | None) -> str | None:
    """Return the rewritten question, None where the reply holds none or more than one beside its lead-in."""
    questions, _ = lists.entries(reply or "")
    text = lists.unquoted(_LABEL.sub("", questions[0], count=1)) if len(questions) == 1 else ""
    return text if any(letter.isalpha() for letter in text) else None


def reworded(pair: Pair, number: int, seed: int) -> str | None:
    """Return the terms of a question in another order and frame, without a model; None where it has none."""
    rng = random.Random(f"{seed}:{number}:{pair.id}")
    terms = list(dict.fromkeys(texts.terms(pair.anchor, pair.language)))
    if not terms:
        return None
    rng.shuffle(terms)
    frames, joint = (_PLAIN_CHINESE, "") if pair.language in ("zh", "ja") else (_PLAIN, " ")
    return rng.choice(frames).format(terms=joint.join(terms))


def with_rewrites(pairs: Sequence[Pair], rewrites: Sequence[Sequence[str | None]]) -> tuple[list[Pair], dict[str, int]]:
    """Return the pairs followed by their rewrites, and counts; `rewrites` holds a list per pair, in the same order.

    A rewrite that failed (None) or says what its pair already says is left out together with its copy of the chunk.
    """
    counts = {"pairs": len(pairs), "rewrites": 0, "failed": 0, "unchanged": 0}
    all_pairs = list(pairs)
    for pair, texts_of_pair in zip(pairs, rewrites, strict=True):
        wordings = {texts.folded(pair.anchor)}
        for number, text in enumerate(texts_of_pair, 1):
            if text is None:
                counts["failed"] += 1
            elif texts.folded(text) in wordings:
                counts["unchanged"] += 1
            else:
                counts["rewrites"] += 1
                wordings.add(texts.folded(text))
                all_pairs.append(replace(pair, id=f"{pair.id}~{number}", anchor=text))
    return all_pairs, counts
