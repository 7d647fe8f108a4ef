"""What a merge is worth: beside its parents, the jury of its parents, and a model trained on all of their data.

A merge asks one model per item, a jury of k parents asks k. Whoever pays for k models may as well let them vote;
whoever has the data of all parents may as well train one model on them. So all stand in one table with the number of
models that an item asks, per set of parents and benchmark.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate import estimates
from judgemerge.evaluate.estimates import Estimate
from judgemerge.evaluate.juries import agreement_row, best_of, common_metric, paired_difference
from judgemerge.evaluate.metrics import metrics_for
from judgemerge.evaluate.score import BenchmarkStatistics, JudgeStatistics, benchmark_statistics, metric_interval
from judgemerge.judge import juries
from judgemerge.settings.report import Statistics

JURY, WEIGHTED, MEAN = "jury of the parents", "weighted jury of the parents", "mean of the parents"
JOINT = "joint training"
RULES = {JURY: "majority", WEIGHTED: "weighted"}
UNTAUGHT = "not trained on {protocol} items"


class Row(NamedTuple):
    """One row: a contender's agreement, or a merge minus a contender (metric `minus[…]`, with `detectable`)."""

    parents: str
    benchmark: str
    contender: str
    judge: str
    metric: str
    value: float
    ci_low: float = math.nan
    ci_high: float = math.nan
    detectable: float = math.nan
    models: int | None = None
    tokens: float = math.nan
    n: int = 0
    errors: int = 0
    note: str = ""


@dataclass(frozen=True)
class Family:
    """Merges of the same parents.

    `untaught` are the parents that were trained, and not on items of the benchmark's protocol; `joint` are judges
    trained on the data of all parents, else `no_joint` says why there is none. `tokens` is what an item costs a judge.
    """

    parents: Sequence[str]
    merges: Sequence[str]
    joint: Sequence[str]
    no_joint: str
    untaught: Sequence[str]
    tokens: Mapping[str, float]

    @property
    def judges(self) -> list[str]:
        """All whose verdicts are needed."""
        return list(dict.fromkeys([*self.parents, *self.joint, *self.merges]))


def benchmark_rows(
    items: Sequence[Item],
    verdicts: Mapping[str, Sequence[Verdict]],
    families: Sequence[Family],
    settings: Statistics,
    seed: int,
) -> Iterator[Row]:
    """Yield the rows of every set of parents on one benchmark; `verdicts` are by judge."""
    for family in families:
        missing = [parent for parent in family.parents if parent not in verdicts]
        mine = {judge: verdicts[judge] for judge in family.judges if judge in verdicts}
        voted = {} if missing or len(family.parents) < 2 else _juries(items, mine, family.parents, seed)
        metrics = metrics_for(items[0].protocol, "headline")
        statistics = benchmark_statistics(items, {**mine, **voted}, settings, metrics)
        yield from _family_rows(statistics, family, missing)


def _juries(
    items: Sequence[Item], verdicts: Mapping[str, Sequence[Verdict]], parents: Sequence[str], seed: int
) -> dict[str, list[Verdict]]:
    """Return the verdicts of the parents' juries; the weights of one half of the prompts come from the other half."""
    members = {parent: verdicts[parent] for parent in parents}
    weights, _ = juries.weights_by_item(items, members, {}, {}, seed)
    return {name: list(juries.verdicts_of(rule, items, members, weights)) for name, rule in RULES.items()}


def _family_rows(statistics: BenchmarkStatistics, family: Family, missing: Sequence[str]) -> Iterator[Row]:
    present = [parent for parent in family.parents if parent not in missing]
    metric = common_metric(statistics, list(statistics.judges))
    notes = dict.fromkeys(family.untaught, UNTAUGHT.format(protocol=statistics.benchmark.protocol))
    for parent in present:
        yield _row(statistics, family, "parent", parent, metric, note=notes.get(parent, ""))
    for parent in missing:
        yield _absent(statistics, family, "parent", parent, metric, "no verdicts on this benchmark")
    if len(present) > 1:
        yield _mean_row(statistics, family, present, metric)
    for name in RULES:
        if name in statistics.judges:
            note = f"{', '.join(family.untaught)}: {UNTAUGHT.format(protocol=statistics.benchmark.protocol)}"
            yield _row(statistics, family, "jury", name, metric, len(present), note if family.untaught else "")
        else:
            reason = f"{', '.join(missing)} has no verdicts here" if missing else "one parent is no jury"
            yield _absent(statistics, family, "jury", name, metric, reason)
    joint = [name for name in family.joint if name in statistics.judges]
    for name in joint:
        yield _row(statistics, family, "joint", name, metric)
    if not joint:
        yield _absent(statistics, family, "joint", JOINT, metric, family.no_joint)
    for merge in [name for name in family.merges if name in statistics.judges]:
        yield _row(statistics, family, "merge", merge, metric)
        yield from _difference_rows(statistics, family, merge, present, joint, metric)


def _row(
    statistics: BenchmarkStatistics,
    family: Family,
    contender: str,
    judge: str,
    metric: str,
    models: int = 1,
    note: str = "",
) -> Row:
    """Return the agreement of one contender; a jury costs what all of its members cost."""
    found = agreement_row(statistics, judge, judge, metric, metric)
    asked = family.parents if contender == "jury" else [judge]
    tokens = sum(family.tokens.get(name, math.nan) for name in asked)
    return Row(
        *(", ".join(family.parents), found.benchmark, contender, judge, metric),
        *(found.value, found.ci_low, found.ci_high, math.nan, models, tokens, found.n, found.errors),
        "; ".join(filter(None, [found.note, note])),
    )


def _absent(statistics: BenchmarkStatistics, family: Family, contender: str, judge: str, metric: str, note: str) -> Row:
    names = ", ".join(family.parents)
    n = statistics.benchmark.n_items
    return Row(names, statistics.benchmark.benchmark, contender, judge, metric, math.nan, n=n, note=note)


def _mean_row(statistics: BenchmarkStatistics, family: Family, parents: Sequence[str], metric: str) -> Row:
    """Return the mean agreement of the parents: what one of them, drawn blindly, would give."""
    mean = _mean_statistics([statistics.judges[parent] for parent in parents])
    value = mean.values.get(metric, math.nan)
    ends = metric_interval(statistics, mean, metric) if math.isfinite(value) else (math.nan, math.nan)
    tokens = float(np.mean([family.tokens.get(parent, math.nan) for parent in parents]))
    numbers = Estimate(value, *ends).columns()
    return Row(
        *(", ".join(family.parents), statistics.benchmark.benchmark, "mean", MEAN, metric, *numbers.values()),
        *(math.nan, 1, tokens, statistics.benchmark.n_items),
    )


def _mean_statistics(judges: Sequence[JudgeStatistics]) -> JudgeStatistics:
    shared = [name for name in judges[0].values if all(name in judge.values for judge in judges)]

    def mean(kind: str) -> dict:
        return {name: np.mean([getattr(judge, kind)[name] for judge in judges], axis=0) for name in shared}

    values = {name: float(value) for name, value in mean("values").items()}
    return replace(judges[0], values=values, resampled=mean("resampled"), jackknife=mean("jackknife"))


def _difference_rows(
    statistics: BenchmarkStatistics,
    family: Family,
    merge: str,
    parents: Sequence[str],
    joint: Sequence[str],
    metric: str,
) -> Iterator[Row]:
    """Yield a merge minus its best parent, the juries and joint training, paired on the same items."""
    best = best_of(statistics, parents, metric)
    others = {"best parent": best} if best else {}
    others |= {name: name for name in RULES if name in statistics.judges} | {name: name for name in joint}
    for name, judge in others.items():
        note = f"{best}, the best of the parents on these items" if name == "best parent" else ""
        yield Row(
            *(", ".join(family.parents), statistics.benchmark.benchmark, "merge", merge, f"minus[{name}]"),
            **paired_difference(statistics, merge, judge, metric),
            n=statistics.benchmark.n_items,
            note=note,
        )


def table_of(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as the table."""
    return estimates.table_of(Row, rows, ["value", "ci_low", "ci_high", "detectable", "tokens"]).astype(
        {"models": "Int64"}
    )
