"""Asking a model: requests that a store holds no reply to are asked in batches, and stored as their replies come.

Judging, sampled runs, the answers of compared models, single records, the questions of embedding studies and the trials
of searches all ask in this way, so each of them goes on where a kill left off.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from judgemerge.judge.backends import Backend, Batch, Failure, GenerationParameters
from judgemerge.judge.store import Store

SCORED = GenerationParameters(max_new_tokens=0)  # of requests that are not answered but scored
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Request:
    """One prompt: what it is `about`, the `key` of its reply in a store, and how the reply is generated.

    Requests that cannot be made have a `reason` in place of a key. With `options` the log-probabilities of what may
    follow the text are asked for, in place of a reply. A `seed` makes a sampled reply independent of its batch.
    """

    about: Any
    key: str | None
    text: str = ""
    parameters: GenerationParameters = GenerationParameters()
    options: tuple[str, ...] = ()
    seed: int | None = None
    reason: str | None = None


class Tally(NamedTuple):
    """What asking came to: distinct requests, those asked now, seconds for asking and for loading the weights."""

    n_requests: int
    n_new: int
    seconds: float = 0.0
    seconds_to_load: float = 0.0


def no_progress(done: int, total: int) -> None:
    """Report nothing."""


def without_long(requests: Sequence[Request], backend: Backend, max_prompt_tokens: int) -> list[Request]:
    """Return the requests, those longer than `max_prompt_tokens` with a reason: nothing is cut."""
    texts = [one.text + max(one.options, key=len, default="") for one in requests if one.key]
    lengths = iter(backend.counts(texts))
    return [
        Request(one.about, None, reason="prompt_too_long") if one.key and next(lengths) > max_prompt_tokens else one
        for one in requests
    ]


def ask(
    requests: Iterable[Request],
    backend: Backend,
    store: Store,
    progress: Progress = no_progress,
    with_seconds: bool = False,
) -> Tally:
    """Ask the backend what the store does not hold yet.

    A request that gets no reply (`Failure`) is noted in `store.failures` and not stored.

    Batches are formed over all requests of the same parameters, before the known ones are left out, so that an
    interrupted run is continued with the same batches (greedy replies can depend on the batch in the last bits).
    """
    unique = {one.key: one for one in requests if one.key}
    n_known = sum(key in store.replies for key in unique)
    progress(n_known, len(unique))
    if n_known == len(unique):
        return Tally(len(unique), 0)
    begin = time.monotonic()
    backend.prepare()
    begin_asking = time.monotonic()
    n_done = n_known
    for group in _groups(unique.values()):
        for replies in _store_batches(group, backend, store, with_seconds):
            n_done += replies
            progress(n_done, len(unique))
    return Tally(len(unique), len(unique) - n_known, time.monotonic() - begin_asking, begin_asking - begin)


def _groups(requests: Iterable[Request]) -> list[list[Request]]:
    """Return requests that a backend is asked at once, those with the fewest new tokens first."""
    groups: dict[GenerationParameters, list[Request]] = {}
    for one in requests:
        groups.setdefault(one.parameters, []).append(one)
    return [groups[parameters] for parameters in sorted(groups, key=lambda one: one.max_new_tokens)]


def _store_batches(group: Sequence[Request], backend: Backend, store: Store, with_seconds: bool) -> Iterator[int]:
    """Ask a group, store every batch as it comes, and yield how many requests it answered."""
    known = {index for index, one in enumerate(group) if one.key in store.replies}
    if len(known) == len(group):
        return
    begin = time.monotonic()
    for batch in _batches(group, backend, known):
        timing = {"seconds": round((time.monotonic() - begin) / len(batch), 6), "batch": len(batch)}
        failures = {index: reply.reason for index, reply in batch if isinstance(reply, Failure)}
        store.failures.update((group[index].key, reason) for index, reason in failures.items())
        store.add(
            (group[index].key, replace(reply, **timing) if with_seconds else reply)
            for index, reply in batch
            if index not in failures
        )
        yield len(batch)
        begin = time.monotonic()


def _batches(group: Sequence[Request], backend: Backend, known: set[int]) -> Iterator[Batch]:
    if group[0].parameters == SCORED:
        return backend.score([(one.text, one.options) for one in group], known)
    seeds = [one.seed for one in group if one.seed is not None]
    return backend.complete([one.text for one in group], group[0].parameters, known, seeds)
