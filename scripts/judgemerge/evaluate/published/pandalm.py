"""PandaLM's test set (Wang et al. 2023, arXiv:2306.05087; README of WeOpenML/PandaLM)."""

import itertools
from collections.abc import Iterator

import numpy as np

from judgemerge.core.items import CLASSES
from judgemerge.evaluate.humans import is_split
from judgemerge.evaluate.metrics.classes import confusion_metrics
from judgemerge.evaluate.published import HUMANS, Case, Row
from judgemerge.evaluate.published._cells import aligned, confusion_table, kappa, truth_counts, weighted_metrics
from judgemerge.evaluate.verdict_arrays import CODES, ERROR, TIE

YARDSTICK = "gpt35_pandalm"  # the README gives a judge's F1 as a share of GPT-3.5's
RATIO_NOTE = (
    "The README prints 93.75 % for PandaLM-7B, which follows from the released files under no treatment of the replies "
    "that nobody could read."
)


def rows(case: Case) -> Iterator[Row]:
    """Yield accuracy, macro and weighted averages and kappa of the original order against the majority of three.

    Tie is a class. The README does not say what became of the 25 "garbage" replies of GPT-3.5, so a judge with unread
    replies has three values of each metric: they are wrong (no brackets), ties, or their items are dropped.
    """
    yield from truth_counts(case)
    yield from _people(case)
    benchmark = None
    f1 = {}
    for benchmark, judge in aligned(case):
        if not judge.recorded[0]:
            continue
        outcome = judge.codes[:, 0]
        unread = outcome == ERROR
        treatments = {"": (benchmark.truth, outcome)}
        if unread.any():
            treatments["[errors as ties]"] = (benchmark.truth, np.where(unread, TIE, outcome))
            treatments["[errors dropped]"] = (benchmark.truth[~unread], outcome[~unread])
        for part, (truth, codes) in treatments.items():
            errors = 0 if part == "[errors dropped]" else int(unread.sum())
            for metric, value in _measures(truth, codes).items():
                f1[judge.judge, metric + part] = value
                yield Row(judge.judge, metric + part, value, len(truth), errors)
    if benchmark is not None:
        yield from _constant_judges(benchmark.truth)
    yield from _ratios(case, f1)


def _measures(truth: np.ndarray, outcome: np.ndarray) -> dict[str, float]:
    table = confusion_table(truth, outcome)
    values = {"accuracy_first": (truth == outcome).mean() if len(truth) else np.nan}
    values |= {f"{name}_first": value for name, value in confusion_metrics(table).items()}
    values["weighted_f1_first"] = weighted_metrics(table)["f1"]
    return {name: float(value) for name, value in values.items()}


def _people(case: Case) -> Iterator[Row]:
    """Yield each annotator against the majority (own vote included), each two of them, and how often all agree."""
    votes = [{vote.annotator: vote.vote for vote in item.votes} for item in case.items]
    truth = np.array([CODES[item.truth] for item in case.items], dtype=int)
    annotators = sorted({name for cast in votes for name in cast})
    complete = [name for name in annotators if all(name in cast for cast in votes)]
    codes = {name: np.array([CODES[cast[name]] for cast in votes], dtype=int) for name in complete}
    for name in complete:
        for metric, value in _measures(truth, codes[name]).items():
            yield Row(name, metric.removesuffix("_first"), value, len(truth))
    for one, other in itertools.combinations(complete, 2):
        yield Row(one, f"kappa[{other}]", kappa(codes[one], codes[other]), len(truth))
    yield Row(HUMANS, "unanimous", sum(len(set(cast.values())) == 1 for cast in votes), len(votes))
    yield Row(HUMANS, "split", sum(is_split(list(cast.values())) for cast in votes), len(votes))


def _constant_judges(truth: np.ndarray) -> Iterator[Row]:
    for name in CLASSES:
        yield Row(f"always_{name}", "accuracy", float((truth == CODES[name]).mean()), len(truth))


def _ratios(case: Case, f1: dict[tuple[str, str], float]) -> Iterator[Row]:
    """Yield every judge's macro F1 divided by that of GPT-3.5, whose unread replies are wrong, ties or dropped."""
    for part in ("", "[errors as ties]", "[errors dropped]"):
        yardstick = f1.get((YARDSTICK, f"macro_f1_first{part}"))
        if not yardstick:
            continue
        for judge in case.verdicts:
            value = f1.get((judge, f"macro_f1_first{part}"), f1.get((judge, "macro_f1_first")))
            if judge != YARDSTICK and value is not None:
                yield Row(judge, f"macro_f1_share{part}", value / yardstick, len(case.items), note=RATIO_NOTE)
