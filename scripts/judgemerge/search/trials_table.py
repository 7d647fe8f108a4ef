"""search_{search}.csv: every trial with its value and interval, and its difference to the study's own setting."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, read_items, read_verdicts
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.evaluate.estimates import DECIMALS, UNDEFINED, Estimate, mean_of
from judgemerge.evaluate.score import score_benchmark
from judgemerge.search import searching
from judgemerge.search.searching import Result
from judgemerge.search.trials import verdict_file
from judgemerge.settings.report import Statistics
from judgemerge.settings.searches import Search

LAST = ("n", "errors", "best", "non_dominated", "note")  # what only some trials have stands before them


class OfSet(NamedTuple):
    """What the trials are worth on one development set, by their numbers; `differences` are to trial 0.

    `detectable` are the smallest differences to trial 0 that the set could have shown.
    """

    values: Mapping[str, Estimate]
    differences: Mapping[str, Estimate]
    detectable: Mapping[str, float]


def trials_table(
    search: Search,
    default: Mapping[str, Any],
    results: Sequence[Result],
    folders: Sequence[str],
    development: Mapping[str, str],
    settings: Statistics,
) -> pd.DataFrame:
    """Return the trials with intervals from their verdicts, and the differences to trial 0 on the same items.

    `development` are the files of the sets by name. With several sets each has a column of its own as well.
    """
    complete = {
        str(result.trial): folder for result, folder in zip(results, folders, strict=True) if result.state == "complete"
    }
    sets = {
        name: _of_set(read_items(development[name]), name, metric, complete, settings)
        if metric != searching.EVALUATION_LOSS  # a loss has no interval: it is one number per training
        else OfSet({}, {}, {})
        for name, metric in searching.targets(search).items()
    }
    quoted, best = searching.published(search), searching.best(search, results).trial
    rows = [_row(search, default, result, sets, quoted, best) for result in results]
    table = pd.DataFrame(rows)
    if len(sets) > 1:
        table["non_dominated"] = table.trial.isin(searching.non_dominated(search, _with_values(results, sets, search)))
    return table[[*(name for name in table.columns if name not in LAST), *(name for name in LAST if name in table)]]


def best_estimates(search: Search, table: pd.DataFrame) -> dict[str, tuple[str, Estimate]]:
    """Return what the best trial is worth on every development set, with the metric; nothing for losses."""
    best, targets = table[table.best].iloc[0], searching.targets(search)
    if searching.EVALUATION_LOSS in targets.values():
        return {}
    if len(targets) == 1:
        ((name, metric),) = targets.items()
        return {name: (metric, Estimate(best["value"], best["ci_low"], best["ci_high"]))}
    return {
        name: (metric, Estimate(best[f"{name}.{metric}"], best[f"{name}.low"], best[f"{name}.high"]))
        for name, metric in targets.items()
    }


def _with_values(results: Iterable[Result], sets: Mapping[str, OfSet], search: Search) -> list[Result]:
    """Return the results with what each is worth on every set, from its verdicts."""
    undefined = -math.inf, math.inf
    worst = {name: undefined[searching.lower_is_better(metric)] for name, metric in searching.targets(search).items()}

    def worth(name: str, trial: str) -> float:
        value = sets[name].values.get(trial, UNDEFINED).value
        return value if math.isfinite(value) else worst[name]

    return [one._replace(values={name: worth(name, str(one.trial)) for name in sets}) for one in results]


def _row(
    search: Search, default: Mapping, result: Result, sets: Mapping[str, OfSet], quoted: Sequence[Mapping], best: int
) -> dict[str, Any]:
    """Return the row of one trial; `quoted` are somebody else's trials."""
    trial, targets = str(result.trial), searching.targets(search)
    params = {**default, **result.params}
    value = mean_of([of_set.values.get(trial, UNDEFINED) for of_set in sets.values()])
    difference = mean_of([of_set.differences.get(trial, UNDEFINED) for of_set in sets.values()])
    row = {"trial": result.trial, "round": result.round, "state": result.state}
    row |= {name: params.get(name) for name in searching.space(search)}
    row |= {"metric": searching.label(search), "value": result.value, "ci_low": value.low, "ci_high": value.high}
    row |= {"difference": difference.value, "difference_low": difference.low, "difference_high": difference.high}
    # Sets of their own prompts do not know each other, so their errors add up as those of a mean do.
    least = [of_set.detectable.get(trial, math.nan) for of_set in sets.values()]
    row |= {"detectable": float(np.round(math.hypot(*least) / len(least), DECIMALS))}
    if len(targets) > 1:
        for name, metric in targets.items():
            of_set = sets[name].values.get(trial, UNDEFINED)
            row |= {f"{name}.{metric}": of_set.value, f"{name}.low": of_set.low, f"{name}.high": of_set.high}
    row |= {"evaluation_loss": result.evaluation_loss} if result.evaluation_loss is not None else {}
    point = {name: params[name] for name in searching.space(search) if name in params}
    row |= {f"published.{name}": number for name, number in searching.published_row(quoted, point).items()}
    note = "given up early; the value is the last one reported" if result.state == "pruned" else ""
    return row | {"n": result.n, "errors": result.errors, "best": result.trial == best, "note": note}


def _of_set(items: Iterable[Item], name: str, metric: str, complete: Mapping[str, str], settings: Statistics) -> OfSet:
    """Return the metric of every complete trial on one set, and that minus trial 0's."""
    items = list(items)
    verdicts = {trial: list(read_verdicts(verdict_file(folder, name))) for trial, folder in complete.items()}
    scores = score_benchmark(items, verdicts, settings)
    values = {
        row.judge: Estimate(row.value, row.ci_low, row.ci_high) for row in scores.itertuples() if row.metric == metric
    }
    pairs = compare_benchmark(items, verdicts, settings, [metric])
    to_default = [
        row for row in pairs.itertuples() if row.metric == metric and "bootstrap" in row.test and row.judge_a == "0"
    ]
    return OfSet(
        values,
        {row.judge_b: Estimate(-row.difference, -row.ci_high, -row.ci_low) for row in to_default},
        {row.judge_b: row.detectable for row in to_default},
    )
