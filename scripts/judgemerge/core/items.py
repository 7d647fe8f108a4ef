"""Items, verdicts and outcomes: the shapes that every stage shares (docs/architecture.md, "Shapes")."""

import dataclasses
import json
import random
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.probabilities import Probabilities, grade_name

Protocol = Literal["pairwise", "pointwise", "prompts"]
Order = Literal["original", "swapped"]
Outcome = Literal["first", "second", "tie", "error", "score"]

PROTOCOLS = ("pairwise", "pointwise")  # what can be judged; a set of `prompts` is only looked up elsewhere
CLASSES = ("first", "second", "tie")
NOT_ASKED = ("not_recorded", "no_text")  # reasons of verdicts that are none; no_text: the item's texts are not public
LONE_SURROGATE = re.compile("[\ud800-\udfff]")
GREATEST_GRADE = 1e50
SWAPPED = {"first": "second", "second": "first", "tie": "tie", "error": "error"}
OFTEN_UNKNOWN = ("raw", "cut", "published", "probabilities")  # of a verdict: absent from its row where not known


@dataclass(frozen=True)
class Vote:
    """What one annotator said: a class of CLASSES (pairwise) or a number (pointwise)."""

    annotator: str
    vote: str | float


@dataclass(frozen=True)
class Item:
    """One judging task with its human truth. `first`/`second` mean the benchmark's own order.

    An item without a gold label has the truth None; it is used for inference only, never for scoring or training. An
    item of protocol `prompts` is a prompt alone: no responses, no truth.
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
        object.__setattr__(self, "truth", plain_number(self.truth))
        object.__setattr__(self, "votes", tuple(Vote(one.annotator, plain_number(one.vote)) for one in self.votes))
        self._check_truth(where)
        for vote in self.votes:
            self._check_answer(vote.vote, f"{where}: the vote of '{vote.annotator}'")

    def _check_truth(self, where: str) -> None:
        if self.truth is None:
            return
        if self.protocol == "prompts":
            raise JudgemergeError(f"{where}: truth is {self.truth!r}, but a prompt alone has none")
        self._check_answer(self.truth, f"{where}: truth")

    def require_truth(self) -> None:
        """Refuse an item that cannot be scored or learnt, because nobody has judged it."""
        self._check_answer(self.truth, f"benchmark '{self.benchmark}', item {self.id}: truth")

    def _check_answer(self, answer: object, where: str) -> None:
        """Refuse what is no class (pairwise) and no finite number (pointwise), whatever the loader."""
        if self.protocol == "pairwise" and answer not in CLASSES:
            raise JudgemergeError(f"{where} is {answer!r}, not one of {', '.join(CLASSES)}{self._row()}")
        if self.protocol == "pointwise" and not is_finite_number(answer):
            is_large = type(answer) in (int, float) and abs(answer) <= sys.float_info.max
            limit = f" up to {GREATEST_GRADE:g}" if is_large else ""
            raise JudgemergeError(f"{where} is {answer!r:.60}, not a finite number{limit}{self._row()}")

    def _row(self) -> str:
        """Return where the item comes from, as the end of a sentence."""
        row = self.origin.get("row")
        return "" if row is None else f"; correct or leave out row {row} of '{self.origin.get('source')}'"

    @property
    def judgeable(self) -> bool:
        """Whether the response texts are there to be judged."""
        return bool(self.responses)

    def is_within(self, n_characters: int) -> bool:
        """Return whether prompt and responses are there and have together at most so many characters."""
        texts = (*self.turns, *(turn for response in self.responses for turn in response))
        return self.judgeable and sum(map(len, texts)) <= n_characters


def is_finite_number(value: object) -> bool:
    """Return whether a value is a number that counts as a grade: no boolean, no NaN, not infinite.

    Beyond GREATEST_GRADE the squares that correlations are made of are infinite themselves.
    """
    return type(value) in (int, float) and abs(value) <= GREATEST_GRADE


def plain_number(value: object) -> object:
    """Return a number of numpy or pandas as Python has it, which JSON can write; anything else as it is."""
    if type(value) in (str, int, float, bool, type(None)):
        return value
    return value.item() if hasattr(value, "item") else value


@dataclass(frozen=True)
class Verdict:
    """A parsed reply to one item in one order; `outcome` is mapped back to the benchmark's order.

    `raw` is what was matched in the reply, as it stands there, so that the mapping can be checked without the parser;
    `cut` says whether the reply ran into the limit of tokens, None where that is not known. Neither makes two verdicts
    different.
    `published` is set where the benchmark's paper counts something else of the same reply than we do: another outcome
    (LLMBar makes a winner of two equal ratings), or a grade (the first of several runs, of which ours is the mean).
    `probabilities` maps outcomes (in the benchmark's order, like `outcome`) or grades (`"4"`) to how likely the judge
    finds them: all of them, or its own verdict alone; None where the judge says nothing of it. It makes no two verdicts
    different either.
    """

    item: str
    order: Order
    outcome: Outcome
    score: float | None = None
    reason: str | None = None
    raw: str | None = field(default=None, compare=False)
    cut: bool | None = field(default=None, compare=False)
    published: Outcome | float | None = None
    probabilities: Probabilities | None = field(default=None, compare=False)

    @property
    def answer(self) -> str | None:
        """How the verdict is called in `probabilities`: its outcome, or its grade as text; None of an error."""
        if self.outcome == "error":
            return None
        return self.outcome if self.score is None else grade_name(self.score)

    @property
    def confidence(self) -> float | None:
        """The probability of the verdict itself; None where it is not known."""
        return (self.probabilities or {}).get(self.answer)


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
    sampled = {item.id for item in sorted(items, key=lambda item: files.sha256_text(str(seed), item.id))[:n]}
    return [item for item in items if item.id in sampled]


def random_part(rows: Sequence, n: int | None, seed: int) -> Sequence:
    """Return `n` of the rows, drawn with `seed`, in their order; all of them where there are no more, or n is None."""
    if n is None or n >= len(rows):
        return rows
    return [rows[place] for place in sorted(random.Random(seed).sample(range(len(rows)), n))]


def part_of(
    items: list[Item],
    name: str,
    shares: dict[str, float],
    seed: int,
    draw: int | None = None,
    longest: int | None = None,
    where: str = "part",
) -> list[Item]:
    """Return the items of one part of a seeded division, e.g. `test` of shares {train: 0.9, test: 0.1}.

    Whole clusters are divided, so that no prompt is in two parts. With `longest`, only items whose texts have at most
    so many characters are taken; with `draw`, only that many items of what is left.
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
    part = [item for item in items if item.cluster in mine and (longest is None or item.is_within(longest))]
    return part if draw is None else sample(part, draw, seed)


def without_lone_surrogates(item: Item) -> tuple[Item, int]:
    """Return the item with U+FFFD for every half of a surrogate pair, which no tokenizer takes, and their number."""
    row = dataclasses.asdict(item)
    text = json.dumps(row, ensure_ascii=False, default=str)
    if files.is_writable(text):
        return item, 0
    replaced, n = LONE_SURROGATE.subn("\ufffd", text)
    return _item(json.loads(replaced)), n


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


class VerdictFile(NamedTuple):
    """The verdicts of one judge on one benchmark: the file with those on its whole suite, and the benchmark."""

    path: str | Path
    benchmark: str


def write_verdicts(path: str | Path, verdicts: Mapping[str, Iterable[Verdict]]) -> int:
    """Write the verdicts of one judge on several benchmarks as JSON lines; return how many."""
    return files.write_jsonl(path, (row for name, some in verdicts.items() for row in verdict_rows(some, name)))


def verdict_rows(verdicts: Iterable[Verdict], benchmark: str | None = None) -> Iterator[dict]:
    """Yield the rows of a file of verdicts; each begins with the benchmark, where the file holds several."""
    for verdict in verdicts:
        row = dataclasses.asdict(verdict)
        unknown = {key for key in OFTEN_UNKNOWN if row[key] is None}
        stated = {key: value for key, value in row.items() if key not in unknown}
        yield stated if benchmark is None else {"benchmark": benchmark, **stated}


def read_verdicts(path: str | Path, benchmark: str | None = None) -> Iterator[Verdict]:
    """Yield the verdicts on one benchmark in a file of several, or all verdicts of a file that names no benchmark."""
    for row in files.read_jsonl(path) if benchmark is None else read_benchmark(path, benchmark):
        yield Verdict(**{key: value for key, value in row.items() if key != "benchmark"})


def read_benchmark(path: str | Path, benchmark: str) -> Iterator[dict]:
    """Yield the rows of one benchmark in a file of verdicts or replies; other rows are not parsed."""
    return files.read_jsonl(path, f'{{"benchmark":{json.dumps(benchmark, ensure_ascii=False)},'.encode())
