"""Tables of model comparisons: scores, paired differences, wins, and what the answers cost, each with its interval.

A unit is a question, or one draw of it; intervals resample questions with all their draws. `first` is the model that
the `second` is compared with, so a positive difference speaks for the second. Two ways to count an unread grade stand
side by side: left out (ours), and as −1 in the mean, as the published comparison did. Of differences, `detectable` is
the smallest that these questions would have shown with power .8 (evaluate/power.py).
"""

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.compare.answer_judging import PAIRS, JudgedAnswer, read_results
from judgemerge.compare.answering import Answer, Unit, read_answers
from judgemerge.core import files
from judgemerge.core.frames import write_table
from judgemerge.core.items import read_items
from judgemerge.evaluate.bootstrap import leave_one_out
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import DECIMALS, UNDEFINED, Estimate, draw_sample, estimate, proportion
from judgemerge.evaluate.power import detectable_mean
from judgemerge.settings.comparisons import ModelComparison
from judgemerge.settings.report import Statistics

FAILED = -1.0  # what the published comparison put in place of a grade that could not be read
OUTCOMES = ("win", "tie", "lose", "inconsistent")
NOTHING_JUDGED = "nothing was judged"

Scores = Mapping[Unit, float | None]  # None when it could not be read


class Row(NamedTuple):
    """A row of the table."""

    judge: str
    measure: str
    metric: str
    model: str
    value: float
    ci_low: float
    ci_high: float
    detectable: float
    n: int
    errors: int
    note: str


class Disagreement(NamedTuple):
    """Something worth reading; `gap` is second − first, None without grades."""

    kind: str
    metric: str
    question: str
    sample: int
    gap: float | None
    outcome: str | None


class Subject(NamedTuple):
    """What a measure is about."""

    judge: str
    metric: str
    model: str
    errors: int

    def row(self, measure: str, result: Estimate, n: int, undefined: str, shown: float = np.nan) -> Row:
        """Return the row of one measure; `undefined` says why it has no value, `shown` what is detectable."""
        value, low, high = result.columns().values()
        note = ""
        if np.isnan(value):
            note = undefined
        elif np.isnan(low) and measure != "spread_of_draws":
            note = "no interval: one question, or the same value for every question"
        return Row(self.judge, measure, self.metric, self.model, value, low, high, shown, n, self.errors, note)


@dataclass(frozen=True)
class Intervals:
    """Means and ratios over units with the BCa interval over questions; `clusters` says which share a prompt."""

    clusters: Mapping[str, str]
    settings: Statistics

    def sample(self, units: Iterable[Unit], name: str):
        """Return the resamples of the questions of some units."""
        return draw_sample([self.clusters[question] for question, _ in units], name, self.settings)

    def mean(self, values: Mapping[Unit, float], judge: str = "") -> Estimate:
        """Return the mean of one value per unit."""
        return self.ratio(list(values), [[float(value)] for value in values.values()], judge)

    def difference(self, gaps: Mapping[Unit, float], judge: str = "") -> tuple[Estimate, float]:
        """Return the mean of one difference per unit, and the smallest one that so many questions show."""
        if not gaps:
            return UNDEFINED, np.nan
        sample = self.sample(gaps, f"model comparison {judge}")
        without = _quotient(leave_one_out(sample.count(np.array(list(gaps.values()), dtype=float), np.ones(len(gaps)))))
        mean = self.mean(gaps, judge)
        shown = detectable_mean(mean.value, without, sample.clusters, self.settings.confidence)
        return mean, round(shown, DECIMALS)

    def ratio(self, units: Sequence[Unit], values: Sequence[Sequence[float]], judge: str = "") -> Estimate:
        """Return the mean of one value per unit, or the ratio of the sums of two."""
        if not units:
            return UNDEFINED
        sample = self.sample(units, f"model comparison {judge}")
        columns = [np.array(column, dtype=float) for column in zip(*values, strict=True)]
        counted = sample.count(columns[0], columns[1] if len(columns) > 1 else np.ones(len(units)))
        return estimate(sample, counted, _quotient)


def _quotient(sums: np.ndarray) -> np.ndarray:
    return divide(sums[0], sums[1])


def grades(results: Iterable[JudgedAnswer], metric: str, models: Sequence[str]) -> dict[str, dict[Unit, float | None]]:
    """Return the scores of one metric by model and unit."""
    scores: dict[str, dict[Unit, float | None]] = {model: {} for model in models}
    for result in results:
        if result.metric == metric:
            scores[result.model][result.question, result.sample] = result.score
    return scores


def outcomes(results: Iterable[JudgedAnswer], models: Sequence[str]) -> dict[Unit, str | None]:
    """Return what the judge says of each pair about the second model: win, tie, lose, or inconsistent over the orders.

    None where the reply of an order could not be read.
    """
    preferences: dict[Unit, list[str | None]] = {}
    for result in results:
        if result.metric == PAIRS:
            preferences.setdefault((result.question, result.sample), []).append(result.preferred)
    names = {models[0]: "lose", models[1]: "win", "tie": "tie"}
    return {
        unit: None if None in both else names[both[0]] if len(set(both)) == 1 else "inconsistent"
        for unit, both in preferences.items()
    }


def judge_rows(
    judge: str, results: Sequence[JudgedAnswer], metrics: Sequence[str], models: Sequence[str], intervals: Intervals
) -> Iterator[Row]:
    """Yield the rows of one judge."""
    for metric in metrics:
        scores = grades(results, metric, models)
        for model in models:
            yield from _score_rows(judge, metric, model, scores[model], intervals)
        yield from _difference_rows(judge, metric, models, scores, intervals)
    if outcome_of_pairs := outcomes(results, models):
        yield from _outcome_rows(judge, models[1], outcome_of_pairs, intervals)


def _score_rows(judge: str, metric: str, model: str, scores: Scores, intervals: Intervals) -> Iterator[Row]:
    read = {unit: score for unit, score in scores.items() if score is not None}
    counted = {unit: FAILED if score is None else score for unit, score in scores.items()}
    subject = Subject(judge, metric, model, len(scores) - len(read))
    yield subject.row("score", intervals.mean(read, judge), len(read), "no grade could be read")
    yield subject.row("score_failures_as_minus_one", intervals.mean(counted, judge), len(counted), NOTHING_JUDGED)
    by_draw: dict[int, list[float]] = {}
    for (_, sample), score in read.items():
        by_draw.setdefault(sample, []).append(score)
    if len(by_draw) > 1:
        spread = statistics.stdev(map(statistics.fmean, by_draw.values()))
        yield subject.row("spread_of_draws", Estimate(spread, np.nan, np.nan), len(by_draw), "")


def _difference_rows(
    judge: str, metric: str, models: Sequence[str], scores: Mapping[str, Scores], intervals: Intervals
) -> Iterator[Row]:
    base, tuned = (scores[model] for model in models)
    units = [unit for unit in base if unit in tuned]
    read = {unit: tuned[unit] - base[unit] for unit in units if None not in (base[unit], tuned[unit])}
    marked = {unit: [FAILED if side[unit] is None else side[unit] for side in (base, tuned)] for unit in units}
    counted = {unit: second - first for unit, (first, second) in marked.items()}
    subject = Subject(judge, metric, models[1], len(units) - len(read))
    why = "no question has two grades that could be read"
    for measure, gaps, undefined in (
        ("difference", read, why),
        ("difference_failures_as_minus_one", counted, NOTHING_JUDGED),
    ):
        result, shown = intervals.difference(gaps, judge)
        yield subject.row(measure, result, len(gaps), undefined, shown)


def _outcome_rows(
    judge: str, model: str, outcome_of_pairs: Mapping[Unit, str | None], intervals: Intervals
) -> Iterator[Row]:
    read = {unit: outcome for unit, outcome in outcome_of_pairs.items() if outcome is not None}
    subject = Subject(judge, PAIRS, model, len(outcome_of_pairs) - len(read))
    why = "no pair could be read in both orders"
    codes = np.array(list(read.values()))
    sample = intervals.sample(read, f"pairs {judge}") if read else None
    for outcome in OUTCOMES:
        share = proportion(sample, (codes == outcome).astype(float)) if read else UNDEFINED
        yield subject.row(outcome, share, len(read), why)
    net = {unit: {"win": 1.0, "lose": -1.0}.get(outcome, 0.0) for unit, outcome in read.items()}
    result, shown = intervals.difference(net, judge)
    yield subject.row("wins_minus_losses", result, len(read), why, shown)


def cost_rows(answers: Mapping[str, Mapping[Unit, Answer]], intervals: Intervals) -> Iterator[Row]:
    """Yield seconds and tokens per answer, seconds per token, and the paired differences of the first two.

    `answers` are those of the first and of the second model. An answer that failed, or whose tokens are not known, is
    counted among the errors.
    """
    first, second = answers
    for measure, keys in {
        "seconds": ("seconds",), "tokens": ("tokens",), "seconds_per_token": ("seconds", "tokens"),
    }.items():  # fmt: skip
        measured: dict[str, dict[Unit, list[float]]] = {}
        for model, answers_of_model in answers.items():
            values = {unit: [getattr(answer, key) for key in keys] for unit, answer in answers_of_model.items()}
            measured[model] = {unit: numbers for unit, numbers in values.items() if None not in numbers}
            n = len(measured[model])
            ratio = intervals.ratio(list(measured[model]), list(measured[model].values()))
            yield Subject("", "", model, len(values) - n).row(measure, ratio, n, "not known for any answer")
        if len(keys) == 1:
            both = [unit for unit in measured[first] if unit in measured[second]]
            gaps = {unit: measured[second][unit][0] - measured[first][unit][0] for unit in both}
            subject = Subject("", "", second, len(answers[first]) - len(both))
            result, shown = intervals.difference(gaps)
            yield subject.row(f"{measure}_difference", result, len(both), "no question has both", shown)


def write_tables(
    comparison: ModelComparison, questions: str, answers: Sequence[str], results: str, metrics: Sequence[str],
    settings: Statistics, table: str, reading: str,
) -> None:  # fmt: skip
    """Write the table of every number with n, errors and interval, and the file of what a person should read.

    `answers` are files in the order of the models, `results` is the folder of what the judges said.
    """
    models = comparison.models
    intervals = Intervals({item.id: item.cluster for item in read_items(questions)}, settings)
    by_judge = {judge: read_results(f"{results}/{judge}.jsonl") for judge in comparison.judges}
    answers_by_model = {model: read_answers(path) for model, path in zip(models, answers, strict=True)}
    rows, cases = [], []
    for judge, results_of_judge in by_judge.items():
        rows += judge_rows(judge, results_of_judge, metrics, models, intervals)
        cases += [{"judge": judge, **case._asdict()} for case in disagreements(results_of_judge, metrics, models)]
    rows += cost_rows(answers_by_model, intervals)
    write_table(table, pd.DataFrame(rows, columns=list(Row._fields)))
    files.write_jsonl(reading, cases)


# ---- what a person should read ----


def disagreements(results: Sequence[JudgedAnswer], metrics: Sequence[str], models: Sequence[str]) -> list[Disagreement]:
    """Return what is worth reading, the largest gaps first.

    Kinds: `against_rubric` (the pair goes to one model in both orders, the metric's grades to the other), `orders`
    (another verdict in the swapped order), `gap` (grades that differ).
    """
    outcome_of_pairs = outcomes(results, models)
    cases = []
    for metric in metrics:
        base, tuned = grades(results, metric, models).values()
        for unit, score in base.items():
            gap = None if None in (score, tuned.get(unit)) else tuned[unit] - score
            if not gap:
                continue
            outcome = outcome_of_pairs.get(unit)
            cases.append(Disagreement("gap", metric, *unit, gap, outcome))
            if (outcome, gap > 0) in (("lose", True), ("win", False)):
                cases.append(Disagreement("against_rubric", metric, *unit, gap, outcome))
    cases += [
        Disagreement("orders", PAIRS, *unit, None, outcome)
        for unit, outcome in outcome_of_pairs.items()
        if outcome == "inconsistent"
    ]
    return sorted(cases, key=lambda case: (-abs(case.gap or 0), str((case.question, case.sample))))


def without_failures(mean: float, n: int, n_failures: int) -> float:
    """Return the mean without failures of a mean in which they were counted as −1."""
    return (mean * n - FAILED * n_failures) / (n - n_failures)
