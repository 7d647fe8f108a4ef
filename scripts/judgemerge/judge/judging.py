"""One unit of judging: one judge × one suite, interruptible at any moment.

Replies go line by line into a store keyed by model digest and prompt digest; the unit's declared output is assembled
from the store at the end. So a killed, extended or renamed run never judges the same prompt twice with the same
weights.
"""

import contextlib
import dataclasses
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item, Order
from judgemerge.judge.backends import Failure
from judgemerge.prompting import parsing, prompts

SCORED = 0  # the limit of prompts that are not answered but scored: no new token
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
    options: tuple[str, ...] = ()  # what may follow `text`: their log-probabilities are asked for instead of a reply


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
        self.failures: dict[str, str] = {}  # prompt digest → reason; of this run alone, so that the next one asks again
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
                    if not _is_finite(row["text"]):
                        continue  # stored before backends refused it: the prompt is asked again
                    self.replies[row.pop("prompt")] = row
                except (ValueError, AttributeError, TypeError, KeyError):
                    raise JudgemergeError(
                        f"{path}: line {number} is not a reply; delete that line, the prompt will be judged again"
                    ) from None

    def add(self, rows: Iterable[tuple[str, dict]]) -> None:
        """Append replies by prompt digest; they survive a kill of the process once this returns.

        Log-probabilities that are no numbers raise JudgemergeError: they are the model's failure, and no reply.
        """
        for key, row in rows:
            if not _is_finite(row["text"]):
                raise JudgemergeError(
                    f"{self.path}: a log-probability is not finite ({row['text'][:80]}); nothing stored"
                )
            self.replies[key] = row
            self._file.write(files.json_line({"prompt": key, **row}))
        self._file.flush()
        os.fsync(self._file.fileno())

    def knows(self, key: str) -> bool:
        """Return whether a prompt has its reply, or failed to get one in this run."""
        return key in self.replies or key in self.failures

    def close(self) -> None:
        """Close the own file."""
        self._file.close()


def _is_finite(text: str) -> bool:
    """Return whether a reply of log-probabilities holds numbers alone; any other is text, and counts as finite."""
    return not (text.startswith('{"logprobs"') and ("NaN" in text or "Infinity" in text))


def with_category(item: Item, categories: dict) -> Item:
    """Return the item with the category whose criteria it is to get: `categories` maps benchmark → category, or → own
    category → category. What is not mapped stays."""
    chosen = categories.get(item.benchmark, item.category)
    if isinstance(chosen, dict):
        chosen = chosen.get(item.category, item.category)
    return item if chosen == item.category else dataclasses.replace(item, category=chosen)


def orders(template: prompts.Template) -> tuple[Order, ...]:
    """Return the orders that items are shown in; mode likelihood shows one response at a time, so it has only one."""
    return ("original",) if template.mode == "likelihood" else ORDERS[template.protocol]


def _question(template: prompts.Template, item: Item, order: Order, backend) -> tuple[str, tuple[str, ...]]:
    """Return the text that the model reads, and what may follow it when that is scored."""
    if template.mode != "generate" and not hasattr(backend, "score"):
        raise JudgemergeError(
            f"prompt '{template.name}' has mode {template.mode}, but this backend gives no log-probabilities; "
            "use backend transformers or a prompt of mode generate"
        )
    if template.mode == "likelihood":
        messages, responses = prompts.conversation(template, item)
        return backend.render(messages), tuple(backend.continuation(messages, response) for response in responses)
    text = backend.render(prompts.render(template, item, order))
    if template.mode == "generate":
        return text, ()
    if opened := parsing.opened_thought(text):
        raise JudgemergeError(
            f"prompt '{template.name}' has mode {template.mode}, but the model's chat template opens a thought "
            f"({opened}) where the label is to stand; close it with template_arguments or another chat_template, or "
            "use a prompt of mode generate"
        )
    lead, options = prompts.choices(template)
    return text + lead, options


def plan(
    items: Iterable[Item], templates: dict[str, prompts.Template], backend, max_prompt_tokens: int
) -> tuple[list[Ask], dict[str, int]]:
    """Return what to ask, and per prompt digest the most new tokens its template allows.

    An item the template cannot show, or a prompt longer than `max_prompt_tokens`, gets a reason code and is not asked.
    """
    asks: list[Ask] = []
    limits: dict[str, int] = {}
    for item in items:
        template = templates[item.protocol]
        for order in orders(template):
            try:
                text, options = _question(template, item, order, backend)
            except prompts.Unrenderable as reason:
                asks.append(Ask(item.benchmark, item.id, order, None, reason=str(reason)))
                continue
            limit = SCORED if options else template.max_new_tokens
            key = files.sha256_text(text, *options, backend.digest_settings, str(limit))
            asks.append(Ask(item.benchmark, item.id, order, key, text, options=options))
            limits[key] = limit
    lengths = iter(backend.counts([ask.text + max(ask.options, key=len, default="") for ask in asks if ask.key]))
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
    """Ask the backend what the store does not hold yet; return how many prompts were asked now.

    A prompt that gets no reply (`Failure`) is noted in `store.failures` and not stored.

    Batches are formed over all prompts of the unit, before the known ones are left out, so that an interrupted run is
    continued with the same batches (greedy replies can depend on the batch in the last bits).
    """
    texts = {ask.key: ask.text for ask in asks if ask.key}
    options = {ask.key: ask.options for ask in asks if ask.key}
    missing = [key for key in texts if key not in store.replies]
    n_done = len(texts) - len(missing)
    progress(n_done, len(texts))
    for limit in sorted({limits[key] for key in missing}):
        keys = [key for key in texts if limits[key] == limit]
        known = {index for index, key in enumerate(keys) if key in store.replies}
        if limit == SCORED:
            batches = backend.score([(texts[key], options[key]) for key in keys], known)
        else:
            batches = backend.complete([texts[key] for key in keys], limit, known)
        for batch in batches:
            failed = {keys[index]: result.reason for index, result in batch if isinstance(result, Failure)}
            store.failures.update(failed)
            store.add((keys[index], asdict(result)) for index, result in batch if keys[index] not in failed)
            n_done += len(batch)
            progress(n_done, len(texts))
    return len(missing)


def replies(asks: Iterable[Ask], store: Store) -> Iterable[dict]:
    """Yield one reply row per ask, in the order asked (docs/architecture.md, "Reply").

    Where the prompt opens a thought for the model, the reply begins with what opens it. Of replies that were stored
    before it was kept, `finish_reason` is None.
    """
    for ask in asks:
        row = {"benchmark": ask.benchmark, "item": ask.item, "order": ask.order, "prompt": ask.key}
        failed = store.failures.get(ask.key)
        if ask.key is None or failed:
            nothing = dict.fromkeys(("prompt_tokens", "reply_tokens", "finish_reason"))
            yield {**row, "reply": None, "reason": failed or ask.reason, **nothing}
        else:
            known = store.replies[ask.key]
            yield {
                **row,
                "reply": whole_reply(ask, known["text"]),
                "reason": None,
                "prompt_tokens": known["prompt_tokens"],
                "reply_tokens": known["reply_tokens"],
                "finish_reason": known.get("finish_reason"),
            }


def whole_reply(ask: Ask, text: str) -> str:
    """Return what a model wrote, behind the mark of a thought that its prompt ends with, if it does."""
    opened = "" if ask.options else parsing.opened_thought(ask.text or "")
    return f"{opened}\n{text}" if opened else text
