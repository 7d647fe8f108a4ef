"""Asking a language model many things, resumably: every reply is stored under what was asked as soon as it is there."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.logs import Progress
from judgemerge.embed import Chunk, Pair, questions, rewriting, selection
from judgemerge.judge.backends import Backend, Completion, GenerationParameters
from judgemerge.judge.requests import Request, ask
from judgemerge.judge.store import Store
from judgemerge.prompting import parsing
from judgemerge.settings.models import Endpoint

Messages = list[dict[str, str]]


def open_model(endpoint: Mapping[str, Any], environment: Mapping[str, str]):
    """Return the backend of an `endpoint` entry of a study; its key is in the variable that the entry names."""
    from judgemerge.judge.backends.openai import OpenAI

    return OpenAI(Endpoint.of(endpoint), environment.get(endpoint.get("api_key_variable") or ""))


def of_iteration(endpoint: Mapping[str, Any], iteration: int) -> dict[str, Any]:
    """Return the `endpoint` entry that asks anew in every iteration: the seed of a model that draws moves on by one."""
    settings = endpoint.get("settings", {})
    if "seed" not in settings or settings.get("temperature") == 0:
        return dict(endpoint)
    return {**endpoint, "settings": {**settings, "seed": settings["seed"] + iteration - 1}}


def draws(endpoint: Mapping[str, Any]) -> bool:
    """Whether a model asked the same thing twice gives another reply: it draws, and no seed decides what."""
    settings = endpoint.get("settings", {})
    return settings.get("temperature") != 0 and "seed" not in settings


def replies(
    backend: Backend,
    prompts: Sequence[Messages],
    max_new_tokens: int,
    store: str | Path,
    what: str,
    also: Sequence[str | Path] = (),
) -> list[str | None]:
    """Return the reply to each of the prompts, in their order; None where the model gave none.

    A thought is no part of a reply. Of one that ran into `max_new_tokens` the last line is left out, for it may be
    broken off: None where that is all.
    `store` is the file of a Store; what the files `also` hold is not asked again either.
    """
    parameters = GenerationParameters(max_new_tokens)
    requests = []
    for text in map(backend.render, prompts):
        key = files.sha256_text(backend.digest_settings, str(max_new_tokens), text)
        requests.append(Request(what, key, text, parameters))
    with Store(store, also) as opened:
        ask(requests, backend, opened, Progress(what))
    return [_whole_lines(opened.replies.get(one.key)) for one in requests]


def _whole_lines(reply: Completion | None) -> str | None:
    """Return the whole lines of the answer in a stored reply, None where there are none."""
    if reply is None:
        return None
    text, unfinished = parsing.answer(reply.text)
    if reply.finish_reason == parsing.CUT:
        text = text.rpartition("\n")[0]
        return text if text.strip() and not unfinished else None
    return None if unfinished else text


def questions_of(
    chunks: Sequence[Chunk],
    collection: Sequence[Chunk],
    n_questions: int,
    backend: Backend | None,
    store: str | Path,
    seed: str,
    also: Sequence[str | Path] = (),
    wording: Mapping | None = None,
) -> tuple[list[Pair], dict[str, int]]:
    """Return pairs for every chunk, how many questions are missing by reason (`missing_…`), and what was left out.

    With a backend its model is asked, else questions are made from terms, whose rarity the whole `collection` tells.
    The openings of documents are the questions where there are any.
    """
    if any(chunk.opening for chunk in collection):
        return questions.opening_pairs(chunks), {}
    pairs: list[Pair] = []
    missing: Counter[str] = Counter()
    if backend is None:
        maker = questions.TermMaker(collection)
        results = ((maker.questions(chunk, n_questions, seed), "too_few") for chunk in chunks)
    else:
        prompts = [questions.prompt(chunk.text, n_questions, wording) for chunk in chunks]
        answers = replies(backend, prompts, 128 * n_questions, store, "questions", also)
        for text in answers:
            missing.update(questions.left_out(text or "", n_questions))
        results = (([], "no_reply") if text is None else questions.read_reply(text, n_questions) for text in answers)
    for chunk, (texts, reason) in zip(chunks, results, strict=True):
        pairs += questions.pairs(chunk, texts)
        if len(texts) < n_questions:
            missing[f"missing_{reason}"] += n_questions - len(texts)
    return pairs, {reason: n for reason, n in sorted(missing.items()) if n}


def relevant(
    pairs: Sequence[Pair],
    backend: Backend,
    threshold: float,
    store: str | Path,
    also: Sequence[str | Path] = (),
    wording: Mapping | None = None,
) -> tuple[list[Pair], dict[str, int]]:
    """Return the pairs whose relevance is at least `threshold`, the most relevant first, and counts.

    A reply that is no number between 0 and 1 is an error: its pair is left out and counted, not scored 0.
    """
    prompts = [selection.relevance_prompt(pair, wording) for pair in pairs]
    answers = replies(backend, prompts, 16, store, "judged pairs", also)
    scores = [selection.read_relevance(answer) for answer in answers]
    relevant_pairs = [
        (score, pair) for score, pair in zip(scores, pairs, strict=True) if score is not None and score >= threshold
    ]
    n_errors = sum(score is None for score in scores)
    counts = {"judged": len(pairs), "relevant": len(relevant_pairs), "unreadable_relevance": n_errors}
    return [pair for _, pair in sorted(relevant_pairs, key=lambda scored: -scored[0])], counts


def rewrites_of(
    pairs: Sequence[Pair],
    number: int,
    backend: Backend | None,
    store: str | Path,
    seed: int,
    also: Sequence[str | Path] = (),
    wording: Mapping | None = None,
) -> list[list[str | None]]:
    """Return `number` rewrites per pair, None for each that failed; without a backend terms change their order."""
    if backend is None:
        return [[rewriting.reworded(pair, turn, seed) for turn in range(1, number + 1)] for pair in pairs]
    prompts = [
        rewriting.prompt(pair, rewriting.style_of(pair, turn, seed, wording), wording)
        for pair in pairs
        for turn in range(1, number + 1)
    ]
    texts = [rewriting.read_reply(answer) for answer in replies(backend, prompts, 128, store, "rewrites", also)]
    return [texts[start : start + number] for start in range(0, len(texts), number)] if number else [[] for _ in pairs]
