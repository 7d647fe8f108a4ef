"""How fast a judge answers: measured by the judging job itself, over whole units only.

A resumed job asks what is left, perhaps with another batch or another load on the machine, so its rate is not that of
the suite. The record of a unit that was asked in one go is kept beside the replies in the store; a unit whose replies
were all there shows that record, one that was put together from several runs shows none.
"""

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from judgemerge.core import files
from judgemerge.judge.judging import Ask, Store


def timed(asks: Iterable[Ask], backend, store: Store, answer: Callable[[], int], threads: int) -> int:
    """Run `answer`, which asks what the store lacks; keep the record when that was the whole unit.

    Loading the weights is timed apart where the backend can load them beforehand. Returns how many prompts were asked.
    """
    keys = {ask.key for ask in asks if ask.key}
    if not keys - set(store.replies):
        return answer()
    begun = time.monotonic()
    if hasattr(backend, "prepare"):
        backend.prepare()
    loaded = time.monotonic()
    n_new = answer()
    seconds = time.monotonic() - loaded
    if n_new == len(keys) and keys <= set(store.replies):
        replies = [store.replies[key] for key in keys]
        measured = {
            "prompts": len(keys),
            "items": len({(ask.benchmark, ask.item) for ask in asks if ask.key}),
            "prompt_tokens": _total(replies, "prompt_tokens"),
            "reply_tokens": _total(replies, "reply_tokens"),
            "seconds": round(seconds, 3),
            "seconds_to_load": round(loaded - begun, 3),
            "settings": backend.digest_settings,
            "threads": threads,
        }
        files.write_json(_record_path(store, keys), measured)
    return n_new


def record(asks: Iterable[Ask], store: Store, n_new: int) -> dict:
    """Return {prompts, asked_now, run}: `run` is the record of the run that asked exactly these prompts, or None."""
    keys = {ask.key for ask in asks if ask.key}
    path = _record_path(store, keys)
    return {"prompts": len(keys), "asked_now": n_new, "run": files.read_json(path) if path.is_file() else None}


def _record_path(store: Store, keys: Iterable[str]) -> Path:
    """Return where the record of a unit is kept; judges with equal weights but other prompts are other units."""
    return store.path.with_suffix(f".{files.sha256_text(*sorted(keys))[:12]}.json")


def _total(replies: list[dict], name: str) -> int | None:
    values = [reply[name] for reply in replies]
    return None if None in values else sum(values)
