"""Win rates, mean grades, accuracies and their differences, corrected by labels: the rows of corrected_{name}.csv.

What people say of a unit is the mean of their votes (a win 1, a tie ½, a loss 0), for accuracy their majority. What a
judge says is the mean of the orders that could be read.

For the accuracy of a judge nobody but people knows what is right. What stands in for it is how many of the other
judges, and the judge itself in the other order, say the same: an opinion like any other, which labels correct.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import combinations
from typing import NamedTuple

import numpy as np

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.corrected import DIFFERENCE, GRADE, SHARE, Scale, Units, alone, compare, refusal
from judgemerge.evaluate.estimates import DECIMALS, UNDEFINED, Estimate
from judgemerge.evaluate.humans import majority
from judgemerge.evaluate.labels import Draw, Votes
from judgemerge.evaluate.verdict_arrays import CODES, ERROR, NOT_ASKED, ORDERS

WINS = {"first": 1.0, "second": 0.0, "tie": 0.5}
FIRST_ANSWER = "first answer"  # who wins where the items do not say whose answers they are
ALONE = "no other judge and no other order stands in for people"
EVERYTHING = ("", "")  # the slice that is no slice
JUDGE_ALONE, LABELS_ALONE, CORRECTED = "judge alone", "labels alone", "corrected"
DISTANCE = "judge minus people"


class Row(NamedTuple):
    """A row of the table."""

    judge: str
    judge_b: str
    metric: str
    subject: str
    slice: str
    group: str
    estimator: str
    value: float
    ci_low: float
    ci_high: float
    detectable: float
    n: int
    labels: int
    prompts: int
    errors: int
    judge_share: float
    correlation: float
    worth: float
    note: str


class Mean(NamedTuple):
    """One number that is wanted: the mean over units or, with `minus`, how far it is from the mean over others.

    `errors` are the unread verdicts, unless given the units without an opinion; `silent` says why none has one.
    """

    judge: str
    metric: str
    subject: str
    scale: Scale
    units: Units
    minus: Units | None = None
    judge_b: str = ""
    errors: int | None = None
    silent: str = "no reply could be read"

    def rows(self, place: tuple[str, str], confidence: float) -> Iterator[Row]:
        """Yield the number by the judge alone, by the labels alone and corrected, then the judge's distance."""
        both = [some for some in (self.units, self.minus) if some is not None]
        refused = next(filter(None, map(refusal, both)), "")
        if refused:
            judge = alone(self.units, self.scale, self.minus)
            shown = (judge.detectable(confidence),) if judge else ()
            yield self._row(place, JUDGE_ALONE, judge.estimate(confidence) if judge else UNDEFINED, "", *shown)
            yield from (self._row(place, name, UNDEFINED, refused) for name in (LABELS_ALONE, CORRECTED))
            return
        result = compare(self.units, self.scale, confidence, self.minus)
        more = (result.share, result.correlation, result.worth)
        yield self._row(place, JUDGE_ALONE, result.judge_alone, "", result.shown[0])
        yield self._row(place, LABELS_ALONE, result.labels_alone, "", result.shown[1])
        yield self._row(place, CORRECTED, result.corrected, "", result.shown[2], more)
        yield self._row(place, DISTANCE, result.judge_minus_people, "")

    @property
    def is_difference(self) -> bool:
        """Whether 0 means that two are equal: then a row says what difference would be shown."""
        return self.minus is not None or self.scale == DIFFERENCE

    def _row(
        self, place: tuple[str, str], estimator: str, estimate: Estimate, note: str, shown: float = np.nan,
        more: tuple = (np.nan,) * 3,
    ) -> Row:  # fmt: skip
        value, low, high = estimate.columns().values()
        shown = round(shown, DECIMALS) if self.is_difference and np.isfinite(shown) else np.nan
        both = [some for some in (self.units, self.minus) if some is not None]
        if not note and np.isnan(value):
            note = self.silent
        elif not note and np.isnan(low):
            note = "all are alike: no interval"
        identity = (self.judge, self.judge_b, self.metric, self.subject, *place, estimator)
        counts = (
            sum(len(some.judge) for some in both),
            sum(some.n_labels for some in both),
            min(some.n_label_clusters for some in both),
            sum(some.n_unread for some in both) if self.errors is None else self.errors,
        )
        return Row(*identity, value, low, high, shown, *counts, *(round(float(number), 12) for number in more), note)


class Labelled(NamedTuple):
    """The items of a benchmark with what people said of a part of them; arrays are in the order of the items."""

    items: Sequence[Item]
    cluster: np.ndarray
    stratum: np.ndarray
    votes: Votes

    @classmethod
    def of(cls, items: Iterable[Item], votes: Votes, drawn: Draw | None) -> "Labelled":
        """Return those of items in the order of their ids."""
        some = sorted(items, key=lambda item: item.id)
        strata = [drawn.strata[item.id] if drawn else "" for item in some]
        return cls(some, np.array([item.cluster for item in some], dtype=str), np.array(strata, dtype=str), votes)

    def people(self, value) -> np.ndarray:
        """Return what `value` makes of the votes on each item, (n_items,), NaN where nobody voted."""
        return np.array(
            [value(self.votes[item.id]) if self.votes.get(item.id) else np.nan for item in self.items], dtype=float
        )

    def units(self, people: np.ndarray, judge: np.ndarray) -> Units:
        """Return what people and a judge say of the items."""
        return Units.of(people, judge, self.cluster, self.stratum)


def wins(votes: Sequence[str]) -> float:
    """Return how much of these votes the first answer wins."""
    return float(np.mean([WINS[vote] for vote in votes]))


def grade(votes: Sequence[float]) -> float:
    """Return the mean of grades."""
    return float(np.mean(votes))


def codes_of(items: Sequence[Item], verdicts: Iterable[Verdict]) -> tuple[np.ndarray, list[bool]]:
    """Return the outcome codes of a judge, (n_items, 2): original and swapped order; and which orders were asked."""
    position = {item.id: number for number, item in enumerate(items)}
    codes, asked = np.full((len(items), 2), ERROR), [False, False]
    for verdict in verdicts:
        if verdict.item in position:
            codes[position[verdict.item], ORDERS[verdict.order]] = CODES[verdict.outcome]
            asked[ORDERS[verdict.order]] |= verdict.outcome != "error" or verdict.reason not in NOT_ASKED
    return codes, asked


def mean_of_read(values: np.ndarray, read: np.ndarray) -> np.ndarray:
    """Return the mean of (n_items, n) values over those that could be read, (n_items,); NaN where none could."""
    counts = read.sum(axis=1)
    return np.where(counts > 0, np.where(read, values, 0.0).sum(axis=1) / np.maximum(counts, 1), np.nan)


def judge_wins(codes: np.ndarray, asked: Sequence[bool]) -> np.ndarray:
    """Return how much the first answer wins in the eyes of a judge, (n_items,)."""
    values = np.array([WINS["first"], WINS["second"], WINS["tie"], np.nan])[codes]
    return mean_of_read(values, (codes != ERROR) & np.array(asked))


# ---- pairs ----


def pair_means(
    labelled: Labelled, verdicts_by_judge: Mapping[str, Sequence[Verdict]], panel: Sequence[str]
) -> list[Mean]:
    """Return win rates, wins minus losses, accuracies and their differences, of every judge of pairs.

    `panel` are the judges whose agreement stands in for what people would say.
    """
    codes = {judge: codes_of(labelled.items, some) for judge, some in verdicts_by_judge.items()}
    people = labelled.people(wins)
    means = []
    for judge, (of_judge, asked) in codes.items():
        means += _win_rates(labelled, judge, people, judge_wins(of_judge, asked))
    return [*means, *_accuracies(labelled, codes, panel)]


def _win_rates(labelled: Labelled, judge: str, people: np.ndarray, judged: np.ndarray) -> Iterator[Mean]:
    units = labelled.units(people, judged)
    sides = [item.models if len(set(item.models)) == 2 else () for item in labelled.items]
    models = sorted({model for pair in sides for model in pair})
    if not models:
        yield Mean(judge, "win_rate", FIRST_ANSWER, SHARE, units)
        return
    for model in models:
        yield Mean(judge, "win_rate", model, SHARE, _seen_by(units, sides, model))
    for one, other in combinations(models, 2):
        mask = np.array([set(pair) == {one, other} for pair in sides])
        if mask.any():
            rate = _seen_by(units.part(mask), [pair for pair in sides if set(pair) == {one, other}], one)
            yield Mean(judge, "wins_minus_losses", f"{one} − {other}", DIFFERENCE, rate.net())


def _seen_by(units: Units, sides: Sequence[Sequence[str]], model: str) -> Units:
    """Return the units of one model, wins being its own."""
    mask = np.array([model in pair for pair in sides])
    second = np.array([pair[1] == model for pair in sides if model in pair])
    own = units.part(mask)
    people, judge = (np.where(second, 1 - values, values) for values in (own.people, own.judge))
    return replace(own, people=people, judge=judge)


def _accuracies(labelled: Labelled, codes: Mapping[str, tuple], panel: Sequence[str]) -> Iterator[Mean]:
    """Yield the accuracy of every judge, and how far those of every two are apart."""
    truth = labelled.people(lambda votes: CODES[majority(votes)])
    right, expected, n_errors = {}, {}, {}
    for judge, (own, asked) in codes.items():
        orders = own[:, np.array(asked)]
        n_errors[judge] = int((orders == ERROR).sum())
        hits = (orders == truth[:, None]).mean(axis=1) if orders.size else np.full(len(truth), np.nan)
        right[judge] = np.where(np.isnan(truth), np.nan, hits)
        expected[judge] = _echo(judge, codes, [name for name in panel if name != judge])
        if orders.size:
            units = labelled.units(right[judge], expected[judge])
            yield Mean(judge, "accuracy", "", SHARE, units, errors=n_errors[judge], silent=ALONE)
    for one, other in combinations(right, 2):
        others = [name for name in panel if name not in (one, other)]
        apart = right[one] - right[other], _echo(one, codes, others) - _echo(other, codes, others)
        if np.isfinite(apart[0]).any():
            units, errors = labelled.units(*apart), n_errors[one] + n_errors[other]
            yield Mean(one, "accuracy_difference", "", DIFFERENCE, units, judge_b=other, errors=errors, silent=ALONE)


def _echo(judge: str, codes: Mapping[str, tuple], others: Sequence[str]) -> np.ndarray:
    """Return how many of the readable opinions of others, and of the judge in its other order, are its own, (n_items,).

    The mean over its orders; an order that could not be read is right for nobody. NaN where nobody else said anything.
    """
    own, asked = codes[judge]
    values = []
    for order in (order for order in range(2) if asked[order]):
        columns = [codes[name][0][:, place] for name in others for place in range(2) if codes[name][1][place]]
        columns += [own[:, 1 - order]] if asked[1 - order] else []
        if not columns:
            return np.full(len(own), np.nan)
        opinions = np.stack(columns, axis=1)
        same = mean_of_read((opinions == own[:, [order]]).astype(float), opinions != ERROR)
        values.append(np.where(own[:, order] == ERROR, 0.0, same))
    return np.mean(values, axis=0) if values else np.full(len(own), np.nan)


# ---- grades ----


def grade_means(labelled: Labelled, verdicts_by_judge: Mapping[str, Sequence[Verdict]]) -> list[Mean]:
    """Return mean grades of every model, and how far those of every two are apart, for every judge of grades."""
    people = labelled.people(grade)
    writers = [item.models[0] if len(item.models) == 1 else "" for item in labelled.items]
    means = []
    for judge, verdicts in verdicts_by_judge.items():
        scores = {verdict.item: verdict.score for verdict in verdicts if verdict.outcome == "score"}
        judged = np.array([scores.get(item.id, np.nan) for item in labelled.items], dtype=float)
        means += means_of_writers(judge, "mean_grade", labelled.units(people, judged), writers)
    return means


def means_of_writers(judge: str, metric: str, units: Units, writers: Sequence[str]) -> Iterator[Mean]:
    """Yield the mean grade of everybody who wrote a unit, and the differences of every two."""
    own = {name: units.part(np.array([writer == name for writer in writers])) for name in dict.fromkeys(writers)}
    for name, part in own.items():
        yield Mean(judge, metric, name, GRADE, part)
    for one, other in combinations(own, 2):
        yield Mean(judge, f"{metric}_difference", f"{one} − {other}", GRADE, own[one], minus=own[other])


# ---- all of a benchmark ----


def benchmark_rows(
    items: Sequence[Item],
    votes: Votes,
    drawn: Draw | None,
    verdicts_by_judge: Mapping[str, Sequence[Verdict]],
    panel: Sequence[str],
    slices: Sequence[str],
    confidence: float,
) -> list[Row]:
    """Return the rows of every judge of a benchmark: of all items, then of the groups of every slice."""
    rows = []
    for place, part in _groups(items, slices):
        labelled = Labelled.of(part, votes, drawn)
        pairwise = items[0].protocol == "pairwise"
        means = pair_means(labelled, verdicts_by_judge, panel) if pairwise else grade_means(labelled, verdicts_by_judge)
        rows += [row for mean in means for row in mean.rows(place, confidence)]
    return rows


def _groups(items: Sequence[Item], slices: Sequence[str]) -> Iterator[tuple[tuple[str, str], list[Item]]]:
    yield EVERYTHING, list(items)
    for name in slices:
        groups: dict[str, list[Item]] = {}
        for item in items:
            key = item.category if name == "category" else item.extra.get(name)
            groups.setdefault("none" if key is None else str(key), []).append(item)
        yield from (((name, group), some) for group, some in sorted(groups.items()))
