"""May a judge replace the people who labelled a benchmark? The rows of replaceability.csv.

Per judge and benchmark: the answer in one sentence, the alternative annotator test that it comes from (also at other ε,
also with the paper's own t test: rules `published`), the kappas of judge and people, and what raw agreement hides.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate import alternative_annotator as alternative
from judgemerge.evaluate import chance_agreement as chance
from judgemerge.evaluate import estimates
from judgemerge.evaluate.counts import divide, scale_mismatch
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Sample, draw_sample, estimate, proportion
from judgemerge.evaluate.humans import combined_codes
from judgemerge.evaluate.multiple_testing import benjamini_yekutieli
from judgemerge.evaluate.panels import Labelling
from judgemerge.evaluate.tables import was_asked
from judgemerge.evaluate.verdict_arrays import (
    CODES,
    ERROR,
    BenchmarkArrays,
    JudgeArrays,
    benchmark_arrays,
    judge_arrays,
)
from judgemerge.settings.report import Statistics

EPSILON_GRID = (0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3)
NUMBERS = ("value", "ci_low", "ci_high", "p", "p_adjusted")
WORDS = ["none", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
NO_INTERVAL = "the same on every item: no interval"
NO_PAIRS = f"no two people share {chance.LEAST_SHARED} items"
NOT_SHARED = f"the judge shares {chance.LEAST_SHARED} items with no person"
CONSTANT = "both sides are one constant class"


class Row(NamedTuple):
    """One row; `metric` names a restriction in brackets (a person, an ε), `note` has the answer or its reason."""

    judge: str
    benchmark: str
    metric: str
    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    epsilon: float = math.nan
    p: float = math.nan
    p_adjusted: float = math.nan
    n: int = 0
    errors: int = 0
    rules: str = "house"
    note: str = ""


@dataclass(frozen=True)
class Case:
    """One judge before one panel.

    `labels` is (n_items,), the judge's, NaN where unreadable; `codes` (n_items,) the same for kappa, where an
    unreadable reply to a pair is a class of its own; `was_asked` is (n_items,). `scale_note` says why its grades cannot
    be compared with people's.
    """

    judge: str
    benchmark: str
    panel: alternative.Panel
    labels: np.ndarray
    codes: np.ndarray
    was_asked: np.ndarray
    epsilon: float
    settings: Statistics
    scale_note: str = ""

    def sample(self, item: np.ndarray) -> Sample:
        """Return the clusters of these items, places in the panel."""
        clusters = self.panel.cluster[item].astype(str)
        return draw_sample(clusters, f"{self.benchmark}/replaceability", self.settings)

    def row(self, metric: str, value: Estimate, **more: float | str) -> Row:
        """Return a row about this judge and benchmark; an interval that is missing is explained."""
        note = NO_INTERVAL if math.isfinite(value.value) and math.isnan(value.low) else ""
        return Row(self.judge, self.benchmark, metric, value.value, value.low, value.high, **({"note": note} | more))


# ---- from items and verdicts, or from a panel's files ----


def benchmark_rows(
    items: Sequence[Item], verdicts_by_judge: Mapping[str, Sequence[Verdict]], epsilon: float, settings: Statistics
) -> Iterator[Row]:
    """Yield the rows of every judge on a benchmark of pairs or of grades."""
    benchmark = benchmark_arrays(items, judgeable_only=False)
    panel = panel_of(benchmark)
    for name, verdicts in verdicts_by_judge.items():
        judge = judge_arrays(benchmark, name, verdicts)
        case = _case(benchmark, judge, was_asked(benchmark, verdicts), panel, epsilon, settings)
        yield from judge_rows(case)
        if benchmark.protocol == "pairwise":
            yield from _deflation(case, benchmark.truth.astype(float))


def panel_rows(
    name: str, panel: alternative.Panel, judges: Iterable[Labelling], epsilon: float, settings: Statistics
) -> Iterator[Row]:
    """Yield the rows of every judge of a panel that is read from files (`panels.read_panel`)."""
    unreadable = np.nanmax(panel.labels, initial=0) + 1e6  # a code that nobody has
    for judge in judges:
        readable = ~np.isnan(judge.labels)
        codes = judge.labels if panel.are_grades else np.where(judge.was_asked & ~readable, unreadable, judge.labels)
        yield from judge_rows(Case(judge.judge, name, panel, judge.labels, codes, judge.was_asked, epsilon, settings))


def panel_of(benchmark: BenchmarkArrays) -> alternative.Panel:
    """Return the votes on the items of a benchmark."""
    are_grades = benchmark.protocol == "pointwise"
    votes = [(number, vote) for number, item in enumerate(benchmark.items) for vote in item.votes]
    item = np.array([number for number, _ in votes], dtype=int)
    person = np.array([vote.annotator for _, vote in votes], dtype=str)
    label = np.array([vote.vote if are_grades else CODES[vote.vote] for _, vote in votes], dtype=float)
    return alternative.Panel.of_votes(item, person, label, benchmark.cluster, are_grades)


def _case(
    benchmark: BenchmarkArrays,
    judge: JudgeArrays,
    has_verdict: np.ndarray,
    panel: alternative.Panel,
    epsilon: float,
    settings: Statistics,
) -> Case:
    scale_note = ""
    if panel.are_grades:
        labels = codes = np.where(has_verdict, judge.scores, np.nan)
        votes = panel.labels[panel.has_label]
        if len(votes):
            _, scale_note = scale_mismatch(votes, labels[~np.isnan(labels)])
    else:
        outcome = combined_codes(judge).astype(float)
        codes = np.where(has_verdict, outcome, np.nan)
        labels = np.where(outcome == ERROR, np.nan, codes)
    return Case(judge.judge, benchmark.benchmark, panel, labels, codes, has_verdict, epsilon, settings, scale_note)


# ---- the rows of one judge ----


def judge_rows(case: Case) -> Iterator[Row]:
    """Yield the answer, the test behind it, and the kappas."""
    all_duels = alternative.duels(case.panel, case.labels, case.was_asked)
    reason = case.scale_note or alternative.refusal(case.panel, all_duels, case.was_asked)
    item = np.flatnonzero((case.panel.has_label.sum(axis=1) > 1) & case.was_asked)
    sizes = {"n": len(item), "errors": int(np.isnan(case.labels[item]).sum())}
    if reason:
        yield case.row("answer", UNDEFINED, epsilon=case.epsilon, note=f"no answer: {reason}", **sizes)
    else:
        yield from _test_rows(case, all_duels, sizes)
    if case.panel.n_people > 1 and not case.scale_note:
        yield from _kappa_rows(case)


def _test_rows(case: Case, all_duels: Sequence[alternative.Duel], sizes: dict[str, int]) -> Iterator[Row]:
    test = alternative.alternative_annotator_test(all_duels, case.epsilon)
    advantage = advantage_estimate(case, test.duels)
    answer = Estimate(float(test.passes), math.nan, math.nan)
    at = {"epsilon": case.epsilon}
    yield case.row("answer", answer, note=sentence(test, advantage), **at, **sizes)
    yield _rate(case, "winning_rate", test.winning_rate, **at, n=len(test.duels), note=_left_out(case.panel, test))
    yield case.row("advantage", advantage, **sizes)
    yield _rate(case, "winning_rate", test.paper_winning_rate, **at, n=len(test.duels), rules="published")
    yield _rate(case, "advantage", test.advantage, **sizes, rules="published")
    for epsilon in EPSILON_GRID:
        other = alternative.alternative_annotator_test(all_duels, epsilon)
        rates = {"house": other.winning_rate, "published": other.paper_winning_rate}
        for rules, rate in rates.items():
            metric = f"winning_rate[{epsilon:g}]"
            yield _rate(case, metric, rate, epsilon=epsilon, n=len(other.duels), rules=rules)
    paper = benjamini_yekutieli(test.p_items)
    for duel, p, adjusted, p_items, paper_adjusted in zip(
        test.duels, test.p, test.adjusted, test.p_items, paper, strict=True
    ):
        yield from _person_rows(case, duel, p, adjusted)
        margin = Estimate(duel.margin, math.nan, math.nan)
        tests = {"p": p_items, "p_adjusted": paper_adjusted, "rules": "published", "n": duel.n}
        yield case.row(f"margin[{duel.person}]", margin, **at, **tests, note="")


def _rate(case: Case, metric: str, value: float, **more: float | str) -> Row:
    """Return a row of a number that has no interval: a share of a handful of people, or a value as papers give it."""
    return case.row(metric, Estimate(value, math.nan, math.nan), **({"note": ""} | more))


def _left_out(panel: alternative.Panel, test: alternative.Test) -> str:
    n_left_out = panel.n_people - len(test.duels)
    reason = f"labelled fewer than {alternative.LEAST_ITEMS} items that somebody else labelled too"
    return f"{n_left_out} more annotators {reason}" if n_left_out else ""


def _person_rows(case: Case, duel: alternative.Duel, p: float, adjusted: float) -> Iterator[Row]:
    sample = case.sample(duel.item)
    sizes = {"n": duel.n, "errors": int(np.isnan(case.labels[duel.item]).sum())}
    yield case.row(f"advantage[{duel.person}]", proportion(sample, duel.judge_wins.astype(float)), **sizes)
    counts = sample.count(duel.difference.astype(float), np.ones(duel.n))
    margin = chance.jackknife_estimate(*_whole_and_without(counts, lambda sums: divide(sums[0], sums[1])), sample)
    yield case.row(f"margin[{duel.person}]", margin, epsilon=case.epsilon, p=p, p_adjusted=adjusted, **sizes)


def _whole_and_without(counts: np.ndarray, function) -> tuple[np.ndarray, np.ndarray]:
    """Return a function of all clusters' counts, (1,), and of those without each cluster, (n_clusters,)."""
    return function(counts.sum(axis=1, keepdims=True)), function(chance.leave_one_out(counts))


def advantage_estimate(case: Case, chosen: Sequence[alternative.Duel]) -> Estimate:
    """Return ρ with its interval: Wilson's, prompts as clusters, the people taken as they are."""
    item = np.unique(np.concatenate([duel.item for duel in chosen]))
    sample = case.sample(item)
    counts = []
    for duel in chosen:
        place = np.searchsorted(item, duel.item)
        wins, counted = np.zeros(len(item)), np.zeros(len(item))
        wins[place], counted[place] = duel.judge_wins, 1
        counts += [wins, counted]

    def mean_advantage(sums: np.ndarray) -> np.ndarray:
        return divide(sums[0::2], sums[1::2]).mean(axis=0)

    return estimate(sample, sample.count(*counts), mean_advantage, proportion=True)


def _kappa_rows(case: Case) -> Iterator[Row]:
    item = np.flatnonzero(case.panel.has_label.any(axis=1) & case.was_asked)
    sample = case.sample(item)
    labels, codes = case.panel.of_people[item], case.codes[item]
    kappas = chance.group_kappas(labels, codes, sample.cluster, case.panel.are_grades)
    sizes = {"n": len(item), "errors": int(np.isnan(case.labels[item]).sum())}
    for metric, value in chance.group_estimates(kappas, sample).items():
        if math.isfinite(value.value):
            yield (
                _rate(case, metric, value.value, **sizes) if metric == "verdict_z" else case.row(metric, value, **sizes)
            )
        else:
            yield case.row(metric, value, **sizes, note=_why_no_kappa(kappas, metric))


def _why_no_kappa(kappas: chance.GroupKappas, metric: str) -> str:
    """Return why a kappa is undefined."""
    if not kappas.among_people and metric != "kappa_judge":
        return NO_PAIRS
    return CONSTANT if kappas.with_judge or metric == "kappa_people" else NOT_SHARED


def _deflation(case: Case, truth: np.ndarray) -> Iterator[Row]:
    """Yield raw agreement with the gold label, kappa, and the first minus the second in points."""
    item = np.flatnonzero(case.was_asked)
    sample = case.sample(item)
    sizes = {"n": len(item), "errors": int(np.isnan(case.labels[item]).sum())}
    estimates = chance.deflation_estimates(truth[item], case.codes[item], len(CODES), sample)
    for metric, value in estimates.items():
        note = {} if math.isfinite(value.value) else {"note": CONSTANT if len(item) else "nothing to compare"}
        yield case.row(metric, value, **sizes, **note)


# ---- words ----


def sentence(test: alternative.Test, advantage: Estimate) -> str:
    """Return the answer in one sentence; it says so where the paper's t test answers otherwise."""
    n_people, n_beaten = len(test.duels), test.n_beaten
    in_words = n_people < len(WORDS)
    people, beaten = (WORDS[number] if in_words else str(number) for number in (n_people, n_beaten))
    beaten = {0: "none", n_people: "all"}.get(n_beaten, beaten)
    opening = f"{'yes' if test.passes else 'no'}: of {people} annotators it beats {beaten}"
    interval = "" if math.isnan(advantage.low) else f" [{_decimal(advantage.low, 2)}, {_decimal(advantage.high, 2)}]"
    closing = f"; ρ {_decimal(advantage.value, 3)}{interval}"
    if (test.paper_winning_rate >= alternative.PASSES) != test.passes:
        closing += f" (the paper's t test says {'no' if test.passes else 'yes'}: ω {test.paper_winning_rate:.2f})"
    return opening + closing


def _decimal(value: float, digits: int) -> str:
    return f"{value:.{digits}f}".removeprefix("0")


def table_of(rows: Iterable[Row]) -> pd.DataFrame:
    """Return rows as the table."""
    return estimates.table_of(Row, rows, NUMBERS)
