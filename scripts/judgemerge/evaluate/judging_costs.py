"""What a verdict costs: tokens and seconds per item of a judge, and of juries and cascades that ask several."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from judgemerge.prompting.parsing import Reply

NOT_ASKED_HERE = "recorded elsewhere: its cost is not known"
BASELINE = "asks no model"


class Cost(NamedTuple):
    """Tokens (prompts and replies, all orders) and seconds per item; NaN where unknown, and the note says why."""

    tokens: float = math.nan
    seconds: float = math.nan
    note: str = ""

    def times(self, share: float) -> "Cost":
        """Return the cost where only a share of the items is asked about."""
        return Cost(self.tokens * share, self.seconds * share, self.note) if share else Cost(0.0, 0.0)


def measured(replies: Iterable[Reply], n_items: int, timing: Mapping[str, Any] | None, sides: int) -> Cost:
    """Return the cost of a judge that was asked here.

    `timing` is what speed.py records, None for an endpoint; `sides` is 2 where both responses of a pair are graded.
    """
    counts = [(reply.prompt_tokens, reply.reply_tokens) for reply in replies if reply.prompt_tokens is not None]
    run = (timing or {}).get("run")
    seconds = run["seconds"] / run["items"] * sides if run and run["items"] else math.nan
    notes = [] if counts else ["the endpoint counts no tokens"]
    if math.isnan(seconds):
        notes.append(
            "not judged in one go, so no seconds" if timing is not None else "seconds of an endpoint are not ours"
        )
    tokens = sum(prompt + (reply or 0) for prompt, reply in counts) / n_items if counts and n_items else math.nan
    return Cost(tokens, seconds, "; ".join(notes))


def total(costs: Mapping[str, Cost], shares: Sequence[float] | None = None) -> Cost:
    """Return the cost of several judges, each asked about a share of the items (all, unless given)."""
    shares = [1.0] * len(costs) if shares is None else shares
    parts = {name: cost.times(share) for (name, cost), share in zip(costs.items(), shares, strict=True)}
    unknown = {name: part.note for name, part in parts.items() if math.isnan(part.tokens) or math.isnan(part.seconds)}
    note = "; ".join(f"{name}: {reason}" for name, reason in unknown.items())
    return Cost(sum(part.tokens for part in parts.values()), sum(part.seconds for part in parts.values()), note)
