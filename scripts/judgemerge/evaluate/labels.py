"""Which units people are to label, drawn by a seed and recorded, and what they said of them.

Labels correct a judge only where chance alone decides what is labelled. So a draw is a file: every unit with the
stratum that it was drawn from, the seed, and what was drawn. The sheet that people fill in names neither models nor
judges: its rows are numbered, and half of the pairs, drawn by the same seed, have their answers turned round.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import CLASSES, SWAPPED, Item, is_finite_number, sample
from judgemerge.core.records import read_records
from judgemerge.settings.comparisons import LabelledPart

LEAST_PER_STRATUM = 2  # the spread within a stratum is not known from one label
WORDS = {"a": "first", "b": "second", "tie": "tie"} | {name: name for name in CLASSES}
ANYBODY = ""  # where a file does not say who voted

Answer = str | float
Votes = dict[str, list[Answer]]  # by unit


class Drawn(NamedTuple):
    """A unit that is to be labelled: its number in the sheet, and whether its answers are turned round there."""

    label: int
    unit: str
    turned: bool


class Draw(NamedTuple):
    """What was drawn from what: `strata` has every unit, `drawn` those that are to be labelled."""

    of: str
    metric: str
    protocol: str
    seed: int
    by: str
    strata: dict[str, str]
    drawn: list[Drawn]

    def plain(self) -> dict[str, Any]:
        """Return the record as it is written."""
        counts, taken = Counter(self.strata.values()), Counter(self.strata[one.unit] for one in self.drawn)
        sizes = {name: {"units": n, "drawn": taken[name]} for name, n in sorted(counts.items())}
        return {**self._asdict(), "drawn": [one._asdict() for one in self.drawn], "sizes": sizes}

    @classmethod
    def read(cls, path: str | Path) -> "Draw":
        """Return the draw of a file that `make sample-labels` has written."""
        row = files.read_json(path)
        if not isinstance(row, dict) or not set(cls._fields) <= row.keys():
            raise JudgemergeError(
                f"{path}: is no record of drawn labels; name the file that `make sample-labels` wrote"
            )
        fields = {name: row[name] for name in cls._fields}
        return cls(**(fields | {"drawn": [Drawn(**one) for one in row["drawn"]]}))


def draw(strata: Mapping[str, str], n: int, seed: int, equal: bool = False, **about: str) -> Draw:
    """Return a draw of n units without replacement; `strata` is unit → stratum, `about` the draw's other fields.

    Every stratum gives as many as its share of the units, or with `equal` as many as the others, but at least
    LEAST_PER_STRATUM and never more than it has. The order of the units in a file changes nothing: they are drawn by
    the digest of seed and name.
    """
    members: dict[str, list[str]] = {}
    for unit in sorted(strata, key=lambda unit: files.sha256_text(str(seed), unit)):
        members.setdefault(strata[unit], []).append(unit)
    sizes = allocation({name: len(units) for name, units in members.items()}, n, equal)
    taken = [unit for name, units in members.items() for unit in units[: sizes[name]]]
    taken.sort(key=lambda unit: files.sha256_text(str(seed), "place", unit))
    turned = [int(files.sha256_text(str(seed), "side", unit), 16) % 2 == 1 for unit in taken]
    drawn = [
        Drawn(label, unit, side and about["protocol"] == "pairwise")
        for label, (unit, side) in enumerate(zip(taken, turned, strict=True), 1)
    ]
    return Draw(seed=seed, strata=dict(strata), drawn=drawn, **about)


def allocation(sizes: Mapping[str, int], n: int, equal: bool = False) -> dict[str, int]:
    """Return how many are drawn from each stratum of these sizes: n in all, fractions to the largest remainders.

    What a stratum does not have goes to the others; a study with more strata than labels for them is refused.
    """
    total = sum(sizes.values())
    least = {name: min(LEAST_PER_STRATUM, size) for name, size in sizes.items()}
    if len(sizes) == 1:
        least = dict.fromkeys(sizes, 0)
    if sum(least.values()) > n or n > total:
        raise JudgemergeError(
            f"{n} labels cannot be drawn from {total} units in {len(sizes)} strata, of which each needs "
            f"{LEAST_PER_STRATUM}; ask for {sum(least.values())} to {total}, or for fewer strata"
        )
    taken = dict(least)
    weights = dict.fromkeys(sizes, 1.0) if equal else {name: float(size) for name, size in sizes.items()}
    while sum(taken.values()) < n:
        open_strata = [name for name in sizes if taken[name] < sizes[name]]
        reach = sum(weights[name] for name in open_strata)
        wanted = sum(taken[name] for name in open_strata) + n - sum(taken.values())
        next_one = max(open_strata, key=lambda name: (wanted * weights[name] / reach - taken[name], name))
        taken[next_one] += 1
    return taken


def strata_of(items: Iterable[Item], by: str = "") -> dict[str, str]:
    """Return unit → stratum: one for all, or the category of each."""
    return {item.id: (item.category or "none") if by == "category" else "all" for item in items}


# ---- the sheet ----


def sheet(drawn: Draw, items: Mapping[str, Item]) -> str:
    """Return the sheet that people fill in, as CSV: what is to be judged, and columns for who voted and how."""
    pairs = drawn.protocol == "pairwise"
    answers = ["answer_a", "answer_b"] if pairs else ["answer"]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["label", "prompt", *answers, "annotator", "vote"])
    for one in drawn.drawn:
        item = items[one.unit]
        sides = ["\n\n".join(response) for response in item.responses] or [""] * len(answers)
        writer.writerow([one.label, "\n\n".join(item.turns), *(sides[::-1] if one.turned else sides), "", ""])
    return text.getvalue()


# ---- what people said ----


def read_votes(path: str | Path, drawn: Draw | None, protocol: str) -> Votes:
    """Return the votes of a file by unit: first, second or tie of the unit's own order, or numbers.

    A row has `vote`, and either `label`, the number in the sheet of a draw, or `item`. The votes of a sheet are A, B or
    tie; a row without a vote was not labelled. Two votes of one annotator on one unit are refused.
    """
    by_label = {str(one.label): one for one in drawn.drawn} if drawn else {}
    votes: Votes = {}
    seen: set[tuple[str, str]] = set()
    for number, row in enumerate(read_records(path), 1):
        where = f"{path}: row {number}"
        word = str(row.get("vote") if row.get("vote") is not None else "").strip()
        if not word:
            continue
        one = _unit(row, by_label, where)
        who = str(row.get("annotator") or ANYBODY)
        if who != ANYBODY and (one.unit, who) in seen:
            raise JudgemergeError(f"{where} is a second vote of '{who}' on '{one.unit}'; keep one")
        seen.add((one.unit, who))
        answer = _answer(word, protocol, where)
        votes.setdefault(one.unit, []).append(SWAPPED[answer] if one.turned else answer)
    if not votes:
        raise JudgemergeError(f"{path}: has no vote; fill in the column 'vote'")
    return votes


def _unit(row: Mapping[str, Any], by_label: Mapping[str, Drawn], where: str) -> Drawn:
    if row.get("label") not in (None, "") and by_label:
        label = str(row["label"]).strip()
        if label not in by_label:
            raise JudgemergeError(
                f"{where}: label is '{label}', which the draw does not have; name the draw of this sheet"
            )
        return by_label[label]
    if row.get("item") in (None, ""):
        raise JudgemergeError(f"{where} names no item; give the column 'item', or the draw of the sheet as `draw`")
    return Drawn(0, str(row["item"]), False)


def _answer(word: str, protocol: str, where: str) -> Answer:
    if protocol == "pairwise":
        if word.lower() not in WORDS:
            raise JudgemergeError(f"{where}: vote is '{word}', not one of A, B, tie, first, second")
        return WORDS[word.lower()]
    try:
        grade = float(word)
    except ValueError:
        grade = float("nan")
    if not is_finite_number(grade) or grade != grade:
        raise JudgemergeError(f"{where}: vote is '{word}', not a number")
    return grade


def read_labels(
    labelled: LabelledPart, protocol: str, units: Sequence[str], may_lack: bool = False
) -> tuple[Votes, Draw | None]:
    """Return the votes on units, and what was drawn; votes on others, or on what was not drawn, are refused.

    With `may_lack` some units may have been left out of the draw, because there was nothing to be shown of them.
    """
    drawn = Draw.read(labelled.draw) if labelled.draw else None
    there = set(units)
    if drawn and not (drawn.strata.keys() <= there if may_lack else drawn.strata.keys() == there):
        raise JudgemergeError(
            f"{labelled.draw}: was drawn from {len(drawn.strata)} other units than the {len(there)} that are judged; "
            "draw again"
        )
    votes = read_votes(labelled.votes, drawn, protocol)
    allowed = {one.unit for one in drawn.drawn} if drawn else there
    for unit in votes:
        if unit not in allowed:
            what = "was not drawn" if drawn else "is not among what is judged"
            raise JudgemergeError(f"{labelled.votes}: votes on '{unit}', which {what}; leave the row out")
    return votes, drawn


def truths_of(items: Sequence[Item], n: int, seed: int) -> Votes:
    """Return the truth of some items in place of votes, drawn as by `draw`."""
    return {item.id: [item.truth] for item in sample([item for item in items if item.truth is not None], n, seed)}
