"""Where people label: what each of them is shown next, without who wrote it, and what is kept of what they say.

Everybody gets the units of the draw in an order of their own and with sides of their own, both by the draw's seed and
the annotator's name. So what is left of a labelling that was given up is left by chance, and two people who both like
the left answer do not agree because of that. Units are known to the page by their numbers in the draw alone: ids may
hold names of models.
"""

import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import SWAPPED, Item
from judgemerge.evaluate.labels import Draw, Drawn
from judgemerge.label.choices import LEFT, RIGHT, TIE, Choice, Value
from judgemerge.label.votes import LabelVote, VoteFile, annotator_name, same_annotator, text_digest
from judgemerge.settings.report import Statistics

SIDES = {LEFT: "first", RIGHT: "second", TIE: "tie"}
LONGEST_TIME = 86_400  # seconds on one unit; whatever is longer was no labelling


class Question(NamedTuple):
    """What people are asked about every unit, in words."""

    title: str
    criterion: str = ""


class Conflict(Exception):
    """Something else was said before, by another page of the same annotator."""


class Desk:
    """The draw, its items, what can be chosen, and the file of votes. Everything here may be called by any thread."""

    def __init__(
        self,
        drawn: Draw,
        question: Question,
        choices: Sequence[Choice],
        votes: VoteFile,
        settings: Statistics,
    ):
        self.drawn, self.question, self.choices, self.votes, self.settings = drawn, question, choices, votes, settings
        self.items = votes.items
        self.by_label = {one.label: one for one in drawn.drawn}
        self.is_pairwise = drawn.protocol == "pairwise"
        self._lock = threading.RLock()
        self._agreement: tuple[list[LabelVote], list[dict]] = ([], [])
        self.votes.votes()  # a file that cannot be right is refused before anybody labels

    def settle(self) -> None:
        """Return when nothing is being written, and let nothing be written any more: the end of the server."""
        self._lock.acquire()

    # ---- what is asked ----

    def about(self) -> dict[str, Any]:
        """Return what the page needs before it knows who sits there: the question, the choices, who has begun."""
        with self._lock:
            return {
                **self.question._asdict(),
                "draw": files.sha256_text(str(self.drawn.seed), *(one.unit for one in self.drawn.drawn))[:16],
                "level": f"{100 * self.settings.confidence:g} %",
                "isPair": self.is_pairwise,
                "choices": [choice.plain() for choice in self.choices],
                "n": len(self.by_label),
                "people": self.progress(),
            }

    def progress(self) -> list[dict[str, Any]]:
        """Return who has labelled how many, in the order in which they began."""
        with self._lock:
            return [{"name": name, "done": n} for name, n in counts_of(self.votes.votes()).items()]

    def order(self, annotator: str) -> list[int]:
        """Return the numbers of all units in the order in which an annotator gets them."""
        seed, who = str(self.drawn.seed), annotator.casefold()
        return sorted(self.by_label, key=lambda label: files.sha256_text(seed, "order", who, self.by_label[label].unit))

    def is_turned(self, annotator: str, unit: str) -> bool:
        """Return whether an annotator gets the second answer of a pair on the left."""
        digest = files.sha256_text(str(self.drawn.seed), "left", annotator.casefold(), unit)
        return self.is_pairwise and int(digest, 16) % 2 == 1

    def item(self, annotator: str, label: int) -> dict[str, Any]:
        """Return what an annotator is shown of a unit: texts alone."""
        unit = self._drawn(label).unit
        item = self.items[unit]
        answers = [list(response) for response in item.responses]
        return {
            "label": label,
            "turns": list(item.turns),
            "answers": answers[::-1] if self.is_turned(annotator_name(annotator), unit) else answers,
            "more": [[name, text] for name, text in more_texts(item)],
        }

    def state(self, annotator: str) -> dict[str, Any]:
        """Return how far an annotator is: what is left, what was said last; at the end, how far people agree."""
        with self._lock:
            annotator = self._known(annotator)
            own = [vote for vote in self.votes.votes() if vote.annotator == annotator]
            done = {vote.item for vote in own}
            left = [label for label in self.order(annotator) if self.by_label[label].unit not in done]
            state = {"who": annotator, "n": len(self.by_label), "left": left, "people": self.progress()}
            state["last"] = self._shown(own[-1]) if own else None
            return state | ({"agreement": self.agreement()} if not left else {})

    def agreement(self) -> list[dict[str, Any]]:
        """Return how far every two people agree who have labelled everything."""
        from judgemerge.label.agreement import agreements  # imports for seconds, which the server begins with

        votes = finished(self.votes.votes(), len(self.items))
        if self._agreement[0] != votes:
            self._agreement = votes, [row.plain() for row in agreements(self.items, votes, self.settings)]
        return self._agreement[1]

    # ---- what is said ----

    def vote(self, annotator: str, label: int, value: Value, seconds: float | None = None) -> dict[str, Any]:
        """Keep what an annotator chose, and return the state; the same said again changes nothing.

        Raises Conflict where the annotator has said something else of the unit before: undo comes first.
        """
        with self._lock:
            annotator, unit = self._known(annotator), self._drawn(label).unit
            turned = self.is_turned(annotator, unit)
            said = self._in_own_order(value, turned)
            before = [vote for vote in self.votes.votes() if (vote.annotator, vote.item) == (annotator, unit)]
            if before and before[0].vote != said:
                raise Conflict("another page of yours said something else of this one; undo that first")
            if not before:
                spent = None if seconds is None else round(float(min(max(0.0, seconds), LONGEST_TIME)), 1)
                now = datetime.now(UTC).isoformat(timespec="seconds")
                digest = text_digest(self.items[unit])
                shown = turned if self.is_pairwise else None
                self.votes.add(LabelVote(unit, said, annotator, shown, spent, now, digest))
            return self.state(annotator)

    def undo(self, annotator: str, label: int) -> dict[str, Any]:
        """Withdraw an annotator's vote on a unit, if it is the last one, and return the state.

        Raises Conflict where another vote has come after it.
        """
        with self._lock:
            annotator, unit = self._known(annotator), self._drawn(label).unit
            own = [vote for vote in self.votes.votes() if vote.annotator == annotator]
            if own and own[-1].item == unit:
                self.votes.withdraw(own[-1])
            elif any(vote.item == unit for vote in own):
                raise Conflict("another page of yours has gone on; only the last vote can be undone")
            return self.state(annotator)

    def _in_own_order(self, value: Value, turned: bool) -> Value:
        """Return a choice as the file of votes has it: of the benchmark's own order."""
        values = [choice.value for choice in self.choices]
        if type(value) not in (str, int, float) or value not in values:
            raise JudgemergeError(f"{value!r} is none of what can be chosen")
        value = values[values.index(value)]
        if not self.is_pairwise:
            return value
        return SWAPPED[SIDES[value]] if turned else SIDES[value]

    def _shown(self, vote: LabelVote) -> dict[str, Any]:
        """Return a vote as the annotator saw it: the number of the unit, and the words of the choice."""
        label = next(label for label, one in self.by_label.items() if one.unit == vote.item)
        value = vote.vote
        if self.is_pairwise:
            sides = {said: side for side, said in SIDES.items()}
            value = sides[SWAPPED[value] if self.is_turned(vote.annotator, vote.item) else value]
        words = next((choice.words for choice in self.choices if choice.value == value), "")
        return {"label": label, "words": words}

    def _known(self, annotator: str) -> str:
        """Return the name as votes have it, however it is written this time."""
        return same_annotator(annotator_name(annotator), (vote.annotator for vote in self.votes.votes()))

    def _drawn(self, label: object) -> Drawn:
        if type(label) is not int or label not in self.by_label:
            raise JudgemergeError(f"there is no number {label!r} among the {len(self.by_label)} that are labelled")
        return self.by_label[label]


def more_texts(item: Item) -> list[tuple[str, str]]:
    """Return what people need besides prompt and answers, under its heading: what counts, inputs, a reference."""
    is_metric = "evaluation_criteria" in item.extra  # of a comparison: its words stand at the choices
    prompt = f"<query>\n{item.turns[-1]}\n</query>\n"
    texts = (
        ("Instructions to the assistant", item.extra.get("system")),
        ("What the answer is based on", str(item.extra.get("inputs") or "").removeprefix(prompt.strip()).strip()),
        ("Reference answer", item.reference),
        ("What counts", None if is_metric else item.extra.get("rubric") or item.extra.get("criterion")),
    )
    return [(name, text) for name, text in texts if isinstance(text, str) and text.strip()]


def finished(votes: Sequence[LabelVote], n: int) -> list[LabelVote]:
    """Return the votes of those who have labelled all n units."""
    counts = counts_of(votes)
    return [vote for vote in votes if counts[vote.annotator] == n]


def counts_of(votes: Sequence[LabelVote]) -> dict[str, int]:
    """Return annotator → number of votes, in the order in which they began."""
    return dict(Counter(vote.annotator for vote in votes))


def kept_values(choices: Sequence[Choice]) -> list[Value]:
    """Return what may stand in the file of votes for these choices."""
    return [SIDES.get(choice.value, choice.value) for choice in choices]
