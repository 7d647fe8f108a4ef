"""Items, verdicts and outcomes: the shapes that every stage shares (docs/architecture.md, "Shapes")."""

import dataclasses
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from judgemerge import files
from judgemerge.errors import JudgemergeError

Protocol = Literal["pairwise", "pointwise", "prompts"]
Order = Literal["original", "swapped"]
Outcome = Literal["first", "second", "tie", "error", "score"]

PROTOCOLS = ("pairwise", "pointwise")  # what can be judged; a set of `prompts` is only looked up elsewhere
CLASSES = ("first", "second", "tie")
SWAPPED = {"first": "second", "second": "first", "tie": "tie", "error": "error"}


@dataclass(frozen=True)
class Vote:
    """What one annotator said: a class of CLASSES (pairwise) or a number (pointwise)."""

    annotator: str
    vote: str | float


@dataclass(frozen=True)
class Item:
    """One judging task with its human truth. `first`/`second` mean the benchmark's own order.

    An item of protocol `prompts` is a prompt alone: no responses, no truth.
    """

    id: str
    benchmark: str
    protocol: Protocol
    turns: tuple[str, ...]
    responses: tuple[tuple[str, ...], ...]
    truth: str | float | None
    cluster: str
    origin: dict
    votes: tuple[Vote, ...] = ()
    models: tuple[str, ...] = ()
    reference: str | None = None
    category: str | None = None
    extra: dict = field(default_factory=dict)

    def __post_init__(self):
        """Refuse a shape that later stages could only misread."""
        where = f"benchmark '{self.benchmark}', item {self.id}"
        expected = {"pairwise": 2, "pointwise": 1, "prompts": 0}.get(self.protocol)
        if expected is None:
            raise JudgemergeError(f"{where}: protocol is '{self.protocol}', not pairwise, pointwise or prompts")
        if self.responses and len(self.responses) != expected:
            raise JudgemergeError(
                f"{where}: {len(self.responses)} responses, but a {self.protocol} item has {expected}"
            )
        self._check_truth(where)

    def _check_truth(self, where: str) -> None:
        if self.protocol == "pairwise" and self.truth not in CLASSES:
            raise JudgemergeError(f"{where}: truth is {self.truth!r}, not one of {', '.join(CLASSES)}")
        if self.protocol == "pointwise" and (isinstance(self.truth, (str, bool)) or self.truth is None):
            raise JudgemergeError(f"{where}: truth is {self.truth!r}, not a number")
        if self.protocol == "prompts" and self.truth is not None:
            raise JudgemergeError(f"{where}: truth is {self.truth!r}, but a prompt alone has none")

    @property
    def judgeable(self) -> bool:
        """Whether the response texts are there to be judged."""
        return bool(self.responses)


@dataclass(frozen=True)
class Unlabelled(Item):
    """An item that no person has judged: judges are asked about it, but it is neither scored nor learnt."""

    def _check_truth(self, where: str) -> None:
        if self.truth is not None:
            raise JudgemergeError(f"{where}: truth is {self.truth!r}, but an item without labels has none")


@dataclass(frozen=True)
class Verdict:
    """A parsed reply to one item in one order; `outcome` is mapped back to the benchmark's order.

    `published` is set where the benchmark's paper counts something else of the same reply than we do: another outcome
    (LLMBar makes a winner of two equal ratings), or a grade (the first of several runs, of which ours is the mean).
    """

    item: str
    order: Order
    outcome: Outcome
    score: float | None = None
    reason: str | None = None
    published: Outcome | float | None = None


def as_published(verdict: Verdict) -> Verdict:
    """Return the verdict that the benchmark's paper counts."""
    if verdict.published is None:
        return verdict
    if isinstance(verdict.published, str):
        reason = verdict.reason if verdict.published == "error" else None
        return Verdict(verdict.item, verdict.order, verdict.published, reason=reason)
    return Verdict(verdict.item, verdict.order, "score", score=verdict.published)


def sample(items: list[Item], n: int, seed: int | None) -> list[Item]:
    """Return `n` of the items, in their order; which ones depends on the seed and their ids alone, not on the others.

    So a larger sample holds every item of a smaller one, and its replies are not judged again.
    """
    drawn = {item.id for item in sorted(items, key=lambda item: files.sha256_text(str(seed), item.id))[:n]}
    return [item for item in items if item.id in drawn]


def part_of(
    items: list[Item], name: str, shares: dict[str, float], seed: int, draw: int | None = None, where: str = "part"
) -> list[Item]:
    """Return the items of one part of a seeded division, e.g. `test` of shares {train: 0.9, test: 0.1}.

    Whole clusters are divided, so that no prompt is in two parts; with `draw`, only that many items of the part are
    taken.
    """
    if name not in shares:
        raise JudgemergeError(f"{where}: part.name '{name}' is none of part.shares ({', '.join(shares)}); correct one")
    if min(shares.values()) <= 0 or abs(sum(shares.values()) - 1) > 1e-9:
        raise JudgemergeError(f"{where}: part.shares are {shares}; give positive shares that sum to 1")
    clusters = sorted({item.cluster for item in items}, key=lambda cluster: files.sha256_text(str(seed), cluster))
    names = list(shares)
    before = sum(shares[other] for other in names[: names.index(name)])
    start, end = (round(share * len(clusters)) for share in (before, before + shares[name]))
    mine = set(clusters[start:end])
    part = [item for item in items if item.cluster in mine]
    return part if draw is None else sample(part, draw, seed)


def write_items(path: str | Path, items: Iterable[Item]) -> int:
    """Write items as JSON lines; return how many."""
    return files.write_jsonl(path, (dataclasses.asdict(item) for item in items))


def read_items(path: str | Path) -> list[Item]:
    """Return the items of a file written by `write_items`."""
    return [_item(row) for row in files.read_jsonl(path)]


def _item(row: dict) -> Item:
    return Item(
        **{
            **row,
            "turns": tuple(row["turns"]),
            "responses": tuple(tuple(response) for response in row["responses"]),
            "models": tuple(row["models"]),
            "votes": tuple(Vote(**vote) for vote in row["votes"]),
        }
    )


def write_verdicts(path: str | Path, verdicts: Iterable[Verdict]) -> int:
    """Write verdicts as JSON lines; return how many."""
    return files.write_jsonl(path, map(_verdict_row, verdicts))


def _verdict_row(verdict: Verdict) -> dict:
    row = dataclasses.asdict(verdict)
    if verdict.published is None:  # as nearly everywhere
        del row["published"]
    return row


def read_verdicts(path: str | Path) -> Iterator[Verdict]:
    """Yield the verdicts of a file written by `write_verdicts`."""
    return (Verdict(**row) for row in files.read_jsonl(path))
