"""How fast a judge answers: measured by the judging job itself, over whole units only.

A resumed job asks what is left, perhaps with another batch or another load on the machine, so its rate is not that of
the suite. The record of a unit that was asked in one go is kept beside the replies in the store; a unit whose replies
were all there shows that record, one that was put together from several runs shows none.
"""

from collections.abc import Iterable, Sequence

from judgemerge.core import files
from judgemerge.judge.backends import Backend
from judgemerge.judge.requests import Request, Tally
from judgemerge.judge.store import Store


def record(requests: Sequence[Request], tally: Tally, backend: Backend, store: Store, threads: int) -> dict:
    """Return {prompts, asked_now, run}: `run` is the record of the run that asked exactly these prompts, or None.

    It is written here when the run that the tally counts was that one.
    """
    keys = {one.key for one in requests if one.key}
    # Judges with equal weights but other prompts are other units.
    path = store.path.with_suffix(f".{files.sha256_text(*sorted(keys))[:12]}.json")
    if tally.n_new and tally.n_new == len(keys) and keys <= set(store.replies):
        replies = [store.replies[key] for key in keys]
        measurement = {
            "prompts": len(keys),
            "items": len({one.about[:2] for one in requests if one.key}),
            "prompt_tokens": _total(one.prompt_tokens for one in replies),
            "reply_tokens": _total(one.reply_tokens for one in replies),
            "seconds": round(tally.seconds, 3),
            "seconds_to_load": round(tally.seconds_to_load, 3),
            "settings": backend.digest_settings,
            "threads": threads,
        }
        files.write_json(path, measurement)
    return {"prompts": len(keys), "asked_now": tally.n_new, "run": files.read_json(path) if path.is_file() else None}


def _total(values: Iterable[int | None]) -> int | None:
    values = list(values)
    return None if None in values else sum(values)
