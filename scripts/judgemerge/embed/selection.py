"""Which pairs are worth training on: BM25 and reranker ranks fused, then a language model's judgement if there is one.

BM25 says whether the words of a question stand in its chunk more than elsewhere, the reranker whether it answers it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from judgemerge.embed import Pair, lists, step_prompts, texts
from judgemerge.prompting import parsing

RANK_CONSTANT = 60  # reciprocal rank fusion (Cormack, Clarke and Büttcher 2009); ranks count from 0 as in RAGSDK
# The number, the end of its scale, and at most a reason after it that holds no other number between 0 and 1.
_NAME = r"(?:relevance|relevancy|score|rating|answer|相关性|相关度|分数|评分|得分)"
_SCORE = re.compile(
    rf"(?:(?:the\s+)?{_NAME}(?:\s+{_NAME})?)?\s*(?:[:：=]|is|为|是)?\s*(0(?:\.\d+)?|1(?:\.0+)?)"
    r"(?:\s*(?:/|out of)\s*1(?:\.0+)?(?![\d.]))?"
    r"(?:\s*\([^\d()]*\))?"
    r"(?:\s*[.。]?|\s*[,;(–—-]?\s*(?:because|since|as|因为)\b.*|\s*\n.*)",
    re.IGNORECASE | re.DOTALL,
)
_OTHER = re.compile(r"(?<![\d.])[01]\.\d|^\W*\d\W*$", re.MULTILINE)


def bm25_scores(pairs: Sequence[Pair]) -> np.ndarray:
    """Return the BM25 score of each pair's own chunk for its question, (n_pairs,), among the distinct chunks.

    Words are taken as the language of the pair needs it; a question without terms scores 0.
    """
    import bm25s

    places: dict[str, int] = {}
    corpus = []
    for pair in pairs:
        if places.setdefault(pair.positive, len(places)) == len(corpus):
            corpus.append(texts.terms(pair.positive, pair.language) or [""])
    if not corpus:
        return np.zeros(0)
    index = bm25s.BM25()
    index.index(corpus, show_progress=False)
    scores = np.zeros(len(pairs))
    for number, pair in enumerate(pairs):
        if question := texts.terms(pair.anchor, pair.language):
            scores[number] = index.get_scores(question)[places[pair.positive]]
    return scores


def bm25_negatives(pairs: Sequence[Pair], n_negatives: int) -> list[list[str]]:
    """Return for each pair the chunks that `ranked_others` finds best.

    Raises ValueError where there are too few other chunks.
    """
    negatives = []
    for pair, others in zip(pairs, ranked_others(pairs), strict=True):
        if len(others) < n_negatives:
            raise ValueError(f"pair '{pair.id}' has {len(others)} chunks of other documents, not {n_negatives}")
        negatives.append(others[:n_negatives])
    return negatives


def ranked_others(pairs: Sequence[Pair]) -> Iterator[list[str]]:
    """Yield for each pair the wrong chunks, those first that BM25 finds best for its question.

    Chunks that share the pair's document are left out like its own: neighbours overlap and may answer the question.
    """
    import bm25s

    owners: dict[str, set[str]] = {}
    languages: dict[str, str] = {}
    for pair in pairs:
        owners.setdefault(pair.positive, set()).add(pair.document)
        languages.setdefault(pair.positive, pair.language)
    chunks = list(owners)
    index = bm25s.BM25()
    index.index([texts.terms(chunk, languages[chunk]) or [""] for chunk in chunks], show_progress=False)
    for pair in pairs:
        question = texts.terms(pair.anchor, pair.language)
        scores = index.get_scores(question) if question else np.zeros(len(chunks))
        order = (chunks[place] for place in np.argsort(-scores, kind="stable"))
        yield [chunk for chunk in order if chunk != pair.positive and pair.document not in owners[chunk]]


def fused(*scores: np.ndarray) -> np.ndarray:
    """Return the sum over score lists of 1 / (rank + 60); the highest score has rank 0, ties keep their order."""
    total = np.zeros(len(scores[0])) if scores else np.zeros(0)
    for values in scores:
        ranks = np.empty(len(values), dtype=int)
        ranks[np.argsort(-np.asarray(values, dtype=float), kind="stable")] = np.arange(len(values))
        total += 1 / (ranks + RANK_CONSTANT)
    return total


def best(values: np.ndarray, share: float) -> list[int]:
    """Return the places of exactly round(n × share) highest values, in their old order; ties keep the earlier one."""
    n_kept = round(len(values) * share)
    return sorted(np.argsort(-values, kind="stable")[:n_kept].tolist())


def relevance_prompt(pair: Pair, wording: Mapping | None = None) -> list[dict[str, str]]:
    """Return the messages that ask how well a chunk answers its question."""
    wording = wording or step_prompts.default("relevance")
    return step_prompts.messages(wording, question=pair.anchor, passage=pair.positive)


def read_relevance(reply: str | None) -> float | None:
    """Return the number that a reply is, between 0 and 1; None (an error) for anything else, such as "10" or "high".

    Marks of emphasis and a reason after the number ("0.85 because …") change nothing; a second number does.
    """
    text = parsing.plain(lists.without_thoughts(reply)).strip() if reply else ""
    match = _SCORE.fullmatch(text)
    return float(match[1]) if match and not _OTHER.search(text, match.end(1)) else None
