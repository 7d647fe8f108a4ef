"""Answers of a model to the questions of an item set, as the material that judges compare (answer_judging.py).

Greedy, or drawn with a seed per question and draw, so that an answer depends on its question and not on what else was
asked in the same batch. Answers are kept in the store of the model's weights as they come: a killed run goes on, and
the same question is never answered twice with the same settings. Of the time of a batch every answer gets an equal
share; time for loading the weights is not counted.
"""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.judge.backends import Draw, Failure
from judgemerge.judge.judging import Store
from judgemerge.prompting import metrics, parsing
from judgemerge.prompting.prompts import Unrenderable


@dataclass(frozen=True)
class Generation:
    """How answers are made: `generation` of a model comparison; temperature 0 is greedy."""

    max_new_tokens: int = 256
    temperature: float = 0.0
    top_p: float = 1.0
    min_p: float = 0.0
    seed: int = 42
    samples: int = 1

    @property
    def is_greedy(self) -> bool:
        """Whether the likeliest token is always taken."""
        return self.temperature == 0

    @property
    def key(self) -> str:
        """What decides an answer besides model, question and seed."""
        if self.is_greedy:
            return f"answer,greedy,{self.max_new_tokens}"
        return f"answer,{self.temperature},{self.top_p},{self.min_p},{self.max_new_tokens}"

    def seed_of(self, question: str, sample: int) -> int:
        """Return the seed of one draw; both models of a comparison get the same."""
        return int(files.sha256_text(str(self.seed), question, str(sample))[:8], 16)


@dataclass(frozen=True)
class Question:
    """One answer to be had: `key` identifies it in the store, None when it cannot be asked (`reason`)."""

    question: str
    sample: int
    seed: int
    key: str | None
    text: str | None = None
    reason: str | None = None


def messages(item: Item) -> list[dict[str, str]]:
    """Return the conversation that a model is to go on with; raises Unrenderable (`no_shared_history`)."""
    system = item.extra.get("system")
    talk = [{"role": "system", "content": system}] if system else []
    for turn, answer in zip(item.turns, (*metrics.history(item), None), strict=True):
        talk.append({"role": "user", "content": turn})
        talk += [{"role": "assistant", "content": answer}] if answer is not None else []
    return talk


def plan(items: Iterable[Item], generation: Generation, backend, max_prompt_tokens: int) -> list[Question]:
    """Return what to ask for every question and draw; a question that is too long is not cut and not asked."""
    asked: list[Question] = []
    for item in items:
        for sample in range(generation.samples):
            seed = generation.seed_of(item.id, sample)
            try:
                text = backend.render(messages(item))
            except Unrenderable as reason:
                asked.append(Question(item.id, sample, seed, None, reason=str(reason)))
                continue
            drawn = () if generation.is_greedy else (str(seed),)
            key = files.sha256_text(text, backend.digest_settings, generation.key, *drawn)
            asked.append(Question(item.id, sample, seed, key, text))
    lengths = iter(backend.counts([one.text for one in asked if one.key]))
    return [
        Question(one.question, one.sample, one.seed, None, reason="prompt_too_long")
        if one.key and next(lengths) > max_prompt_tokens
        else one
        for one in asked
    ]


def generate(
    asked: Sequence[Question],
    generation: Generation,
    backend,
    store: Store,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Ask what the store does not hold yet; return how many answers were made now.

    Raises JudgemergeError for a backend that cannot draw. Batches are formed over all questions before the known ones
    are left out, so that an interrupted run is continued with the same batches.
    """
    unique = {one.key: one for one in asked if one.key}
    keys = list(unique)
    known = {index for index, key in enumerate(keys) if key in store.replies}
    progress(len(known), len(keys))
    if len(known) == len(keys):
        return 0
    how = {}
    if not generation.is_greedy:
        if not getattr(backend, "draws", False):
            raise JudgemergeError("generation.temperature: this backend answers greedily only; set it to 0")
        seeds = tuple(unique[key].seed for key in keys)
        how = {"draw": Draw(generation.temperature, generation.top_p, 1.0, generation.seed, generation.min_p, seeds)}
    if hasattr(backend, "prepare"):
        backend.prepare()
    n_done, begun = len(known), time.monotonic()
    for batch in backend.complete([unique[key].text for key in keys], generation.max_new_tokens, known, **how):
        seconds = round((time.monotonic() - begun) / len(batch), 6)
        failed = {keys[index]: result.reason for index, result in batch if isinstance(result, Failure)}
        store.failures.update(failed)
        made = [(keys[index], result) for index, result in batch if keys[index] not in failed]
        store.add((key, {**asdict(result), "seconds": seconds, "batch": len(batch)}) for key, result in made)
        n_done += len(batch)
        progress(n_done, len(keys))
        begun = time.monotonic()
    return len(keys) - len(known)


def rows(asked: Iterable[Question], store: Store) -> Iterator[dict]:
    """Yield {question, sample, seed, text, reason, prompt_tokens, tokens, seconds, batch} in the order asked.

    `text` is None exactly when `reason` says why; `seconds` is the answer's share of the time of its batch.
    """
    for one in asked:
        row = {"question": one.question, "sample": one.sample, "seed": one.seed}
        known = store.replies.get(one.key) if one.key else None
        reason = None if known else one.reason or store.failures.get(one.key, "no_reply")
        known = known or {}
        # A thought is no part of the answer that judges are shown; one that never ended leaves no answer.
        opened = parsing.opened_thought(one.text or "")
        text, unfinished = parsing.answer(opened + known["text"]) if known else (None, None)
        yield {
            **row,
            "text": None if unfinished else text,
            "reason": reason or unfinished,
            "prompt_tokens": known.get("prompt_tokens"),
            "tokens": known.get("reply_tokens"),
            "seconds": known.get("seconds"),
            "batch": known.get("batch"),
        }


def counts(answers: Sequence[Mapping], generation: Generation) -> dict:
    """Return what the answers hold: how many, how many empty or at the limit of tokens, failures by reason."""
    made = [row for row in answers if row["text"] is not None]
    return {
        "answers": len(made),
        "empty": sum(not row["text"].strip() for row in made),
        "at_the_limit": sum(row["tokens"] == generation.max_new_tokens for row in made),
        "failures": dict(sorted(Counter(row["reason"] for row in answers if row["reason"]).items())),
    }
