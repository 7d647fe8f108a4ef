"""Questions that a chunk answers: asked of a language model, or made from the chunk's own terms.

The term maker needs no model: it takes a sentence, picks the terms that stand in the fewest chunks, and asks about them
together. That teaches a model which words of the collection tell its chunks apart, which is less than what questions
of a language model teach (other words for the same thing), but it is real and repeatable.
"""

import math
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from judgemerge.embed import Chunk, Pair, lists, step_prompts, texts

_LATIN = (
    "What should be known about {terms}?",
    "Where is there something on {terms}?",
    "Which rule holds for {terms}?",
    "{terms}: what is said about it?",
    "I have to deal with {terms}. What does the text say?",
)
_CHINESE = ("关于{terms}，文中怎么说？", "{terms}有什么规定？", "哪里提到了{terms}？")


def prompt(chunk: str, n_questions: int, wording: Mapping | None = None) -> list[dict[str, str]]:
    """Return the messages that ask a language model for questions, in the given wording or in English."""
    return step_prompts.messages(wording or step_prompts.default("questions"), chunk=chunk, n_questions=n_questions)


def read_reply(reply: str, n_questions: int) -> tuple[list[str], str | None]:
    """Return the questions of a reply, and why they are fewer than asked for (None when they are not).

    What is no question (lists.py) is left out first; only then what is more than asked for is cut off. Nothing is
    invented for what is less.
    """
    questions, _ = lists.entries(reply)
    reason = None if len(questions) >= n_questions else ("no_question" if not questions else "too_few")
    return questions[:n_questions], reason


def left_out(reply: str, n_questions: int) -> dict[str, int]:
    """Return how many lines of a reply are no questions, and how many questions are more than were asked for."""
    questions, n_other = lists.entries(reply)
    return {"lines_without_question": n_other, "more_than_asked": max(0, len(questions) - n_questions)}


class TermMaker:
    """Makes questions from terms; knows in how many chunks of the collection each term stands."""

    def __init__(self, chunks: Sequence[Chunk], n_terms: tuple[int, int] = (2, 4)):
        """Count the terms of the collection; a question names between `n_terms[0]` and `n_terms[1]` of them."""
        self.n_terms = n_terms
        self.n_chunks = len(chunks)
        self.frequency = Counter(term for chunk in chunks for term in set(texts.terms(chunk.text, chunk.language)))

    def questions(self, chunk: Chunk, n_questions: int, seed: str) -> list[str]:
        """Return up to so many different questions, each about one sentence; fewer when the chunk says too little.

        The same collection, chunk and seed give the same questions.
        """
        rng = random.Random(f"{seed}:{chunk.id}")
        candidates = texts.sentences(chunk.text)
        # The first and last sentence may be cut by the splitter; they are used when there is nothing else.
        inner = candidates[1:-1] or candidates
        rng.shuffle(inner)
        patterns = _CHINESE if chunk.language in ("zh", "ja") else _LATIN
        different: dict[str, None] = {}
        for sentence in inner * 3:
            if len(different) == n_questions:
                break
            if named := self._terms(sentence, chunk.language, rng):
                joined = "、".join(named) if patterns is _CHINESE else _listed(named)
                text = rng.choice(patterns).format(terms=joined)
                different[text[0].upper() + text[1:]] = None
        return list(different)

    def _terms(self, sentence: str, language: str, rng: random.Random) -> list[str]:
        """Return some terms of a sentence in its order, rarer ones more likely (weights: inverse frequency)."""
        candidates = list(dict.fromkeys(texts.terms(sentence, language)))
        count = min(len(candidates), rng.randint(*self.n_terms))
        if count < self.n_terms[0]:
            return []
        # Weighted sampling without replacement by exponential keys (Efraimidis and Spirakis 2006).
        weight = {term: math.log(1 + self.n_chunks / (1 + self.frequency[term])) + 1e-9 for term in candidates}
        keys = {term: rng.random() ** (1 / weight[term]) for term in candidates}
        sample = set(sorted(candidates, key=keys.get, reverse=True)[:count])
        return [term for term in candidates if term in sample]


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]


def pairs(chunk: Chunk, questions: Iterable[str]) -> list[Pair]:
    """Return a pair per question of a chunk, named by chunk and number of the question."""
    return [
        Pair(f"{chunk.id}#{number}", chunk.document, question, chunk.text, chunk.language)
        for number, question in enumerate(questions, 1)
    ]


def opening_pairs(chunks: Iterable[Chunk]) -> list[Pair]:
    """Return a pair per document: its opening, and what follows it; later chunks are texts to be told from that."""
    return [pair for chunk in chunks if chunk.position == 0 for pair in pairs(chunk, [chunk.opening])]


def without_repeats(pairs: Iterable[Pair]) -> tuple[list[Pair], int]:
    """Return the pairs whose question was not asked before, and how many were left out; the first one wins."""
    by_question: dict[str, Pair] = {}
    n_found = 0
    for pair in pairs:
        n_found += 1
        by_question.setdefault(texts.folded(pair.anchor), pair)
    return list(by_question.values()), n_found - len(by_question)
