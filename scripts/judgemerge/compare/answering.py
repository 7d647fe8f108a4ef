"""Answers of a model to the questions of an item set, as the material that judges compare (answer_judging.py).

Greedy, or drawn with a seed per question and draw, so that an answer depends on its question and not on what else was
asked in the same batch. Answers are kept in the store of the model's weights as they come: a killed run goes on, and
the same question is never answered twice with the same settings. Of the time of a batch every answer gets an equal
share; time for loading the weights is not counted.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.judge.backends import SAMPLING, Backend, GenerationParameters
from judgemerge.judge.requests import Progress, Request, ask, no_progress, without_long
from judgemerge.judge.store import Store
from judgemerge.prompting import parsing, rubric_metrics
from judgemerge.prompting.prompts import Unrenderable


class Question(NamedTuple):
    """What a request for an answer is about: a question, and which of several samples the answer is."""

    question: str
    sample: int
    seed: int


def parameters(settings: Mapping) -> GenerationParameters:
    """Return how answers are generated, from `generation` of a model comparison."""
    return GenerationParameters(**{name: value for name, value in settings.items() if name != "samples"})


def seed_of(generation: GenerationParameters, question: str, sample: int) -> int:
    """Return the seed of one sample; both models of a comparison get the same."""
    return int(files.sha256_text(str(generation.seed), question, str(sample))[:8], 16)


def _key(generation: GenerationParameters) -> str:
    """Return what decides an answer besides model, question and seed."""
    if generation.is_greedy:
        return f"answer,greedy,{generation.max_new_tokens}"
    return f"answer,{generation.temperature},{generation.top_p},{generation.min_p},{generation.max_new_tokens}"


def messages(item: Item) -> list[dict[str, str]]:
    """Return the conversation that a model is to go on with; raises Unrenderable (`no_shared_history`)."""
    system = item.extra.get("system")
    talk = [{"role": "system", "content": system}] if system else []
    for turn, answer in zip(item.turns, (*rubric_metrics.history(item), None), strict=True):
        talk.append({"role": "user", "content": turn})
        talk += [{"role": "assistant", "content": answer}] if answer is not None else []
    return talk


def plan(
    items: Iterable[Item], generation: GenerationParameters, backend: Backend, max_prompt_tokens: int, samples: int = 1
) -> list[Request]:
    """Return what to ask for every question and sample; a question that is too long is not cut and not asked."""
    requests: list[Request] = []
    for item in items:
        for sample in range(samples):
            about = Question(item.id, sample, seed_of(generation, item.id, sample))
            try:
                text = backend.render(messages(item))
            except Unrenderable as reason:
                requests.append(Request(about, None, reason=str(reason)))
                continue
            seed = None if generation.is_greedy else about.seed
            seeds = () if seed is None else (str(seed),)
            key = files.sha256_text(text, backend.digest_settings, _key(generation), *seeds)
            requests.append(Request(about, key, text, generation, seed=seed))
    return without_long(requests, backend, max_prompt_tokens)


def generate(requests: Sequence[Request], backend: Backend, store: Store, progress: Progress = no_progress) -> int:
    """Ask what the store does not hold yet; return how many answers were made now.

    Raises JudgemergeError for a backend that cannot sample.
    """
    samples = [one for one in requests if one.key and one.key not in store.replies and not one.parameters.is_greedy]
    if samples and SAMPLING not in backend.abilities:
        raise JudgemergeError("generation.temperature: this backend answers greedily only; set it to 0")
    return ask(requests, backend, store, progress, with_seconds=True).n_new


def rows(requests: Iterable[Request], store: Store) -> Iterator[dict]:
    """Yield {question, sample, seed, text, reason, prompt_tokens, tokens, seconds, batch} in the order asked.

    `text` is None exactly when `reason` says why; `seconds` is the answer's share of the time of its batch.
    """
    for one in requests:
        stored = store.replies.get(one.key) if one.key else None
        if stored is None:
            reason = one.reason or store.failures.get(one.key, "no_reply")
            nothing = dict.fromkeys(("prompt_tokens", "tokens", "seconds", "batch"))
            yield {**one.about._asdict(), "text": None, "reason": reason, **nothing}
            continue
        # A thought is no part of the answer that judges are shown; one that never ended leaves no answer.
        text, unfinished = parsing.answer(parsing.opened_thought(one.text) + stored.text)
        yield {
            **one.about._asdict(),
            "text": None if unfinished else text,
            "reason": unfinished,
            "prompt_tokens": stored.prompt_tokens,
            "tokens": stored.reply_tokens,
            "seconds": stored.seconds,
            "batch": stored.batch,
        }


def counts(answers: Sequence[Mapping], max_new_tokens: int) -> dict:
    """Return what the answers hold: how many, how many empty or at the limit of tokens, failures by reason."""
    texts = [row for row in answers if row["text"] is not None]
    return {
        "answers": len(texts),
        "empty": sum(not row["text"].strip() for row in texts),
        "at_the_limit": sum(row["tokens"] == max_new_tokens for row in texts),
        "failures": dict(sorted(Counter(row["reason"] for row in answers if row["reason"]).items())),
    }
