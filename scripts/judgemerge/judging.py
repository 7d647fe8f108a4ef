"""One unit of judging: one judge × one suite, interruptible at any moment.

Replies go line by line into a store keyed by model digest and prompt digest; the unit's declared output is assembled
from the store at the end. So a killed, extended or renamed run never judges the same prompt twice with the same
weights.
"""

import contextlib
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from judgemerge import files, prompts
from judgemerge.errors import JudgemergeError
from judgemerge.items import Item, Order

ORDERS: dict[str, tuple[Order, ...]] = {"pairwise": ("original", "swapped"), "pointwise": ("original",)}


@dataclass(frozen=True)
class Ask:
    """One prompt: which item, in which order; `key` is the prompt's digest, None when it cannot be asked."""

    benchmark: str
    item: str
    order: Order
    key: str | None
    text: str | None = None
    reason: str | None = None


class Store:
    """Append-only replies of one model, shared by all suites and judges that use the same weights.

    Every suite has its own file (`own`), written by one job at a time: a second one with the same weights and suite (a
    job left over from a killed run, or a merge that equals another) waits, then finds the replies. All files are read.
    """

    def __init__(self, folder: str | Path, own: str):
        """Read what is there; a last line cut by a kill is removed from the own file and ignored in the others."""
        self.folder = Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.path = self.folder / f"{own}.jsonl"
        self._file = open(self.path, "a", encoding="utf-8")  # noqa: SIM115 – open, and locked, as long as the store is
        self._wait_for_lock()
        self._drop_partial_line()
        self.replies: dict[str, dict] = {}
        for path in sorted(self.folder.glob("*.jsonl")):
            self._read(path)

    def _wait_for_lock(self) -> None:
        with contextlib.suppress(OSError):  # a file system without locks; Snakemake's own lock has to do there
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print(
                    f"{self.path}: another job is judging this with the same weights; waiting for it", file=sys.stderr
                )
                fcntl.flock(self._file, fcntl.LOCK_EX)

    def _drop_partial_line(self) -> None:
        with open(self.path, "rb+") as file:
            content = file.read()
            file.truncate(content.rfind(b"\n") + 1)

    def _read(self, path: Path) -> None:
        with open(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if not line.endswith(b"\n"):
                    break  # another job is writing this line right now, or was killed in it
                try:
                    row = json.loads(line)
                    self.replies[row.pop("prompt")] = row
                except (ValueError, AttributeError, TypeError, KeyError):
                    raise JudgemergeError(
                        f"{path}: line {number} is not a reply; delete that line, the prompt will be judged again"
                    ) from None

    def add(self, rows: Iterable[tuple[str, dict]]) -> None:
        """Append replies by prompt digest; they survive a kill of the process once this returns."""
        for key, row in rows:
            self.replies[key] = row
            self._file.write(json.dumps({"prompt": key, **row}, ensure_ascii=False) + "\n")
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the own file."""
        self._file.close()


def plan(
    items: Iterable[Item], templates: dict[str, prompts.Template], backend, max_prompt_tokens: int
) -> tuple[list[Ask], dict[str, int]]:
    """Return what to ask, and per prompt digest the most new tokens its template allows.

    An item the template cannot show, or a prompt longer than `max_prompt_tokens`, gets a reason code and is not asked.
    """
    asks: list[Ask] = []
    limits: dict[str, int] = {}
    for item in items:
        for order in ORDERS[item.protocol]:
            try:
                text = backend.render(prompts.render(templates[item.protocol], item, order))
            except prompts.Unrenderable as reason:
                asks.append(Ask(item.benchmark, item.id, order, None, reason=str(reason)))
                continue
            limit = templates[item.protocol].max_new_tokens
            key = files.sha256_text(text, backend.digest_settings, str(limit))
            asks.append(Ask(item.benchmark, item.id, order, key, text))
            limits[key] = limit
    lengths = iter(backend.counts([ask.text for ask in asks if ask.key]))
    asks = [
        Ask(ask.benchmark, ask.item, ask.order, None, reason="prompt_too_long")
        if ask.key and next(lengths) > max_prompt_tokens
        else ask
        for ask in asks
    ]
    return asks, limits


def answer(
    asks: list[Ask],
    limits: dict[str, int],
    backend,
    store: Store,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> int:
    """Ask the backend what the store does not hold yet; return how many prompts were judged now.

    Batches are formed over all prompts of the unit, before the known ones are left out, so that an interrupted run is
    continued with the same batches (greedy replies can depend on the batch in the last bits).
    """
    texts = {ask.key: ask.text for ask in asks if ask.key}
    missing = [key for key in texts if key not in store.replies]
    n_done = len(texts) - len(missing)
    progress(n_done, len(texts))
    for limit in sorted({limits[key] for key in missing}):
        keys = [key for key in texts if limits[key] == limit]
        known = {index for index, key in enumerate(keys) if key in store.replies}
        for batch in backend.complete([texts[key] for key in keys], limit, known):
            store.add((keys[index], asdict(completion)) for index, completion in batch)
            n_done += len(batch)
            progress(n_done, len(texts))
    return len(missing)


def replies(asks: Iterable[Ask], store: Store) -> Iterable[dict]:
    """Yield one reply row per ask, in the order asked (docs/architecture.md, "Reply")."""
    for ask in asks:
        row = {"benchmark": ask.benchmark, "item": ask.item, "order": ask.order, "prompt": ask.key}
        if ask.key is None:
            yield {**row, "reply": None, "reason": ask.reason, "prompt_tokens": None, "reply_tokens": None}
        else:
            known = store.replies[ask.key]
            yield {
                **row,
                "reply": known["text"],
                "reason": None,
                "prompt_tokens": known["prompt_tokens"],
                "reply_tokens": known["reply_tokens"],
            }
