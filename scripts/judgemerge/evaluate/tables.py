"""One benchmark's rows of humans.csv and bias.csv, put together from what `humans` and `bias` compute."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate import bias, humans
from judgemerge.evaluate.counts import scale_mismatch
from judgemerge.evaluate.estimates import DEFAULTS, UNDEFINED, Measurement, confusion_estimates, draw_sample
from judgemerge.evaluate.metrics import metrics_for
from judgemerge.evaluate.verdict_arrays import (
    CODES,
    ERROR,
    NOT_ASKED,
    BenchmarkArrays,
    JudgeArrays,
    benchmark_arrays,
    judge_arrays,
)
from judgemerge.settings.report import Statistics

HUMAN_COLUMNS = ("benchmark", "kind", "rater", "against", *Measurement._fields)
BIAS_COLUMNS = ("judge", "benchmark", "aspect", "group", *Measurement._fields)
HUMANS = "humans"  # the annotators pooled
NO_PAIRS = "no item has the votes of two people"
BREAKDOWNS = ("category", "scenario", "complexity", "turn")  # the category, and fields of `extra`
VerdictsByJudge = Mapping[str, Sequence[Verdict]]


# People


def human_table(
    items: Sequence[Item], verdicts_by_judge: VerdictsByJudge, settings: Statistics = DEFAULTS
) -> pd.DataFrame:
    """Return how people agree with each other, and judges with people, on the same footing; columns HUMAN_COLUMNS.

    `kind` is humans (pooled), annotator or judge. `against` is

    - "votes": counts of votes (`humans.vote_summary`); n is the number of items with votes,
    - "majority" (for grades "mean"): of all votes, the annotator's own included; annotators only,
    - "others", "others, splits left out": the majority (mean) of the other votes on the item. For people that is the
      leave-one-out ceiling; a judge stands in for each person in turn, so that both meet the same labels,
    - "single votes", "single votes, ties left out": `humans.vote_agreement`, people or a judge against people,
    - the name of another annotator, on the items both voted on,
    - "each other": Krippendorff's alpha on items with several votes; a judge's row is the alpha with it added,
      `alpha_change` what that adds. Without such items this is the only row besides the counts; its note says so.
      A benchmark without any vote has no counts.
    """
    several = [item for item in items if len(item.votes) > 1]
    parts = [_vote_counts(items)] if any(item.votes for item in items) else []
    if several:
        names = {item.id for item in several}
        on_several = {
            judge: [one for one in verdicts if one.item in names] for judge, verdicts in verdicts_by_judge.items()
        }
        parts += [
            _annotators(several, settings),
            _stand_ins(several, on_several, settings),
            _single_votes(items, verdicts_by_judge, settings),
            _alpha(several, on_several, settings),
        ]
    else:
        none = pd.DataFrame([Measurement.of("alpha", UNDEFINED, 0, note=NO_PAIRS)])
        parts.append(none.assign(kind=HUMANS, rater=HUMANS, against="each other"))
    table = pd.concat([part for part in parts if len(part)], ignore_index=True)
    table = table.assign(benchmark=items[0].benchmark, errors=table.errors.fillna(0).astype(int))
    return _with_notes(table)[list(HUMAN_COLUMNS)]


def _with_notes(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with a note for every undefined value, and for every value without an interval but counts."""
    note = table.note.fillna("") if "note" in table else pd.Series("", index=table.index)
    undefined = table.value.isna()
    open_ended = ~undefined & table.ci_low.isna() & (table.get("against") != "votes")
    reasons = np.select(
        [undefined & (table.n == 0), undefined, open_ended],
        ["nothing to compare", "all values are the same", "the same in every resample: no interval"],
        default="",
    )
    return table.assign(note=note.where(note != "", reasons))


def _vote_counts(items: Sequence[Item]) -> pd.DataFrame:
    _, n, *counts = humans.vote_summary(items)
    names = humans.VoteSummary._fields[2:]
    rows = [Measurement(name, float(count), np.nan, np.nan, n, 0) for name, count in zip(names, counts, strict=True)]
    return pd.DataFrame(rows).assign(kind=HUMANS, rater=HUMANS, against="votes")


def _annotators(items: Sequence[Item], settings: Statistics) -> pd.DataFrame:
    alone = humans.annotator_agreement(items, settings)
    split = (alone.splits > 0) & alone.against.isin(["majority", "others"])
    against = alone.against.replace("majority", "mean") if items[0].protocol == "pointwise" else alone.against
    counted = alone.splits.astype(str) + " of these votes meet an even split, which counts as a tie"
    alone = alone.assign(rater=alone.annotator.replace(humans.EVERYONE, HUMANS), against=against)
    pairs = humans.annotator_pairs(items, settings=settings)
    pairs = pairs.rename(columns={"annotator_a": "rater", "annotator_b": "against"})
    table = pd.concat([part for part in (alone.assign(note=counted.where(split, "")), pairs) if len(part)])
    return table.assign(kind=table.rater.map({HUMANS: HUMANS}).fillna("annotator"))


def _single_votes(items: Sequence[Item], verdicts_by_judge: VerdictsByJudge, settings: Statistics) -> pd.DataFrame:
    if items[0].protocol != "pairwise":  # two grades are seldom equal; alpha and the others' mean say it better
        return pd.DataFrame()
    table = humans.vote_agreement(items, verdicts_by_judge, settings)
    against = table.setting.map({"with ties": "single votes", "without ties": "single votes, ties left out"})
    rater = table.rater.replace("human", HUMANS)
    kind = rater.map({HUMANS: HUMANS}).fillna("judge")
    return table.assign(rater=rater, against=against, kind=kind, metric="accuracy")


def _stand_ins(items: Sequence[Item], verdicts_by_judge: VerdictsByJudge, settings: Statistics) -> pd.DataFrame:
    """Return each judge in the place of every person in turn, against the majority of the others."""
    benchmark = benchmark_arrays(items, judgeable_only=False)
    people = [(index, left_out) for index, item in enumerate(benchmark.items) for left_out in range(len(item.votes))]
    others = [_without(benchmark.items[index], left_out) for index, left_out in people]
    item = np.array([index for index, _ in people])
    split = np.array([benchmark.protocol == "pairwise" and humans.is_split(votes) for votes in others])
    reference = [humans.majority(votes) for votes in others]
    rows = []
    for name, verdicts in verdicts_by_judge.items():
        judge = judge_arrays(benchmark, name, verdicts)
        has_verdict = was_asked(benchmark, verdicts)[item]
        for against, compared in (("others", has_verdict), ("others, splits left out", has_verdict & ~split)):
            if against == "others" or split.any():
                places = np.flatnonzero(compared)
                labels = [reference[index] for index in places]
                rows += _stand_in_rows(benchmark, judge, against, item[places], labels, settings)
    return pd.DataFrame(rows, columns=list(HUMAN_COLUMNS))


def _without(item: Item, left_out: int) -> list[str | float]:
    return [vote.vote for index, vote in enumerate(item.votes) if index != left_out]


def was_asked(benchmark: BenchmarkArrays, verdicts: Iterable[Verdict]) -> np.ndarray:
    """Return whether the judge has a verdict on each item, (n_items,); one that is an error is a verdict, too."""
    seen = {verdict.item for verdict in verdicts if verdict.reason not in NOT_ASKED}
    return np.array([item.id in seen for item in benchmark.items], dtype=bool)


def _stand_in_rows(
    benchmark: BenchmarkArrays, judge: JudgeArrays, against: str, item: np.ndarray, labels: list, settings: Statistics
) -> list[tuple]:
    """Return the rows of one judge: `item` and `labels` say for each comparison on which item, and with what."""
    n_asked = len(item)
    if benchmark.protocol == "pairwise":
        values = humans.combined_codes(judge)[item]
        errors = int((values == ERROR).sum())
    else:
        readable = ~np.isnan(judge.scores[item])
        labels = [label for label, is_readable in zip(labels, readable, strict=True) if is_readable]
        errors, item = int((~readable).sum()), item[readable]
        values = judge.scores[item]
    sample = draw_sample(benchmark.cluster[item].astype(str), f"{benchmark.benchmark}/stand-ins/{against}", settings)
    metrics, note = metrics_for(benchmark.protocol, "raters"), ""
    if not len(item):
        estimates = dict.fromkeys(metrics, UNDEFINED)
    elif benchmark.protocol == "pairwise":
        estimates = confusion_estimates(sample, np.array([CODES[label] for label in labels]), values)
    else:
        estimates = humans.number_estimates(sample, np.array(labels), values)
        different, note = scale_mismatch(np.array(labels), values)
        estimates |= {"mae": UNDEFINED} if different else {}
    notes = {"mae": note}
    place = benchmark.benchmark, "judge", judge.judge, against
    return [
        (*place, *Measurement.of(metric, estimates[metric], n_asked, errors, notes.get(metric, "")))
        for metric in metrics
    ]


def _alpha(items: Sequence[Item], verdicts_by_judge: VerdictsByJudge, settings: Statistics) -> pd.DataFrame:
    table = humans.alpha_table(items, verdicts_by_judge, settings).assign(
        rater=[HUMANS, *verdicts_by_judge],
        kind=[HUMANS, *("judge" for _ in verdicts_by_judge)],
        errors=[0, *(_error_count(items, name, of_judge) for name, of_judge in verdicts_by_judge.items())],
    )
    for name, verdicts in verdicts_by_judge.items():
        different, note = _scales(items, name, verdicts)
        if note:
            numbers = ["value", "ci_low", "ci_high", *humans.CHANGE] if different else []
            table.loc[table.rater == name, numbers] = np.nan
            table.loc[table.rater == name, "note"] = note
    numbers_of_change = dict(
        zip(("value", "ci_low", "ci_high"), (table[name].iloc[1:] for name in humans.CHANGE), strict=True)
    )
    change = table.iloc[1:].assign(metric="alpha_change", **numbers_of_change)
    return pd.concat([table.assign(metric="alpha"), change]).assign(against="each other")


def _scales(items: Sequence[Item], name: str, verdicts: Sequence[Verdict]) -> tuple[bool, str]:
    """Return `scale_mismatch` of a judge's scores and people's votes; nothing for classes."""
    if items[0].protocol == "pairwise":
        return False, ""
    scores = judge_arrays(benchmark_arrays(items, judgeable_only=False), name, verdicts).scores
    votes = np.array([vote.vote for item in items for vote in item.votes], dtype=float)
    return scale_mismatch(votes, scores[~np.isnan(scores)])


def _error_count(items: Sequence[Item], name: str, verdicts: Sequence[Verdict]) -> int:
    """Return on how many items that the judge was asked about its combined verdict is an error."""
    benchmark = benchmark_arrays(items, judgeable_only=False)
    judge, has_verdict = judge_arrays(benchmark, name, verdicts), was_asked(benchmark, verdicts)
    wrong = humans.combined_codes(judge) == ERROR if benchmark.protocol == "pairwise" else np.isnan(judge.scores)
    return int((wrong & has_verdict).sum())


# Bias


def bias_table(
    items: Sequence[Item],
    verdicts_by_judge: VerdictsByJudge,
    own_models: Mapping[str, Iterable[str]],
    settings: Statistics = DEFAULTS,
) -> pd.DataFrame:
    """Return the biases of each judge; columns BIAS_COLUMNS, definitions in `bias`.

    `aspect` is position or length (pairs only), self_preference (judges whose `own_models` wrote some of the answers),
    or what items are grouped by (BREAKDOWNS, where the items have it); `group` is then the group. Without a single
    gold label there are none.
    """
    if all(item.truth is None for item in items):
        return pd.DataFrame(columns=list(BIAS_COLUMNS))
    parts = []
    if items[0].protocol == "pairwise":
        parts.append(bias.position_bias(items, verdicts_by_judge, settings).assign(aspect="position"))
        parts.append(bias.length_bias(items, verdicts_by_judge, settings).assign(aspect="length"))
    authors = {model for item in items for model in item.models}
    with_models = {judge: set(models) & authors for judge, models in own_models.items() if set(models) & authors}
    parts.append(bias.self_preference(items, verdicts_by_judge, with_models, settings).assign(aspect="self_preference"))
    by_group = metrics_for(items[0].protocol, "groups")
    for by in BREAKDOWNS:
        if any((item.category if by == "category" else item.extra.get(by)) is not None for item in items):
            parts.append(bias.breakdown(items, verdicts_by_judge, by, settings, by_group).assign(aspect=by))
    parts = [part for part in parts if len(part)]
    if not parts:
        return pd.DataFrame(columns=list(BIAS_COLUMNS))
    table = pd.concat(parts, ignore_index=True)
    table = table.assign(group=table.group.fillna("") if "group" in table else "")
    return _with_notes(table)[list(BIAS_COLUMNS)]
