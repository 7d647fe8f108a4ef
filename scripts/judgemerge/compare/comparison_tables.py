"""Tables of model comparisons: scores, paired differences, wins, and what the answers cost, each with its interval.

A unit is a question, or one draw of it; intervals resample questions with all their draws. `first` is the model that
the `second` is compared with, so a positive difference speaks for the second. Two ways to count an unread grade stand
side by side: left out (ours), and as −1 in the mean, as the published comparison did.
"""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from judgemerge.compare.answer_judging import PAIRS
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Settings, draw_sample, estimate, proportion

COLUMNS = ("judge", "measure", "metric", "model", "value", "ci_low", "ci_high", "n", "errors", "note")
FAILED = -1.0  # what the published comparison put in place of a grade that could not be read
OUTCOMES = ("win", "tie", "lose", "inconsistent")

Unit = tuple[str, int]  # question, draw
Grades = Mapping[str, Mapping[Unit, float | None]]  # model → unit → score, None when it could not be read


def grades(results: Iterable[Mapping], metric: str, models: Sequence[str]) -> dict[str, dict[Unit, float | None]]:
    """Return the scores of one metric by model and unit."""
    scores: dict[str, dict[Unit, float | None]] = {model: {} for model in models}
    for row in results:
        if row["metric"] == metric:
            scores[row["model"]][row["question"], row["sample"]] = row["score"]
    return scores


def outcomes(results: Iterable[Mapping], models: Sequence[str]) -> dict[Unit, str | None]:
    """Return what the judge says of each pair about the second model: win, tie, lose, or inconsistent over the orders.

    None where the reply of an order could not be read.
    """
    preferences: dict[Unit, list[str | None]] = {}
    for row in results:
        if row["metric"] == PAIRS:
            preferences.setdefault((row["question"], row["sample"]), []).append(row["preferred"])
    names = {models[0]: "lose", models[1]: "win", "tie": "tie"}
    return {
        unit: None if None in both else names[both[0]] if len(set(both)) == 1 else "inconsistent"
        for unit, both in preferences.items()
    }


def judge_rows(
    judge: str,
    results: Sequence[Mapping],
    metrics: Sequence[str],
    models: Sequence[str],
    clusters: Mapping[str, str],
    settings: Settings,
) -> list[dict]:
    """Return the rows of one judge; `clusters` says which questions share a prompt."""
    rows = []
    for metric in metrics:
        scores = grades(results, metric, models)
        for model in models:
            rows += _score_rows(judge, metric, model, scores[model], clusters, settings)
        rows += _difference_rows(judge, metric, models, scores, clusters, settings)
    outcome_of_pairs = outcomes(results, models)
    return rows + (_outcome_rows(judge, models[1], outcome_of_pairs, clusters, settings) if outcome_of_pairs else [])


def _score_rows(judge, metric, model, scores: Mapping[Unit, float | None], clusters, settings) -> list[dict]:
    read = {unit: score for unit, score in scores.items() if score is not None}
    counted = {unit: FAILED if score is None else score for unit, score in scores.items()}
    n_errors = len(scores) - len(read)
    row = {"judge": judge, "metric": metric, "model": model, "errors": n_errors}
    rows = [
        _row(row | {"measure": "score"}, _mean(read, clusters, settings, judge), len(read), "no grade could be read"),
        _row(
            row | {"measure": "score_failures_as_minus_one"},
            _mean(counted, clusters, settings, judge),
            len(counted),
            "nothing was judged",
        ),
    ]
    by_draw: dict[int, list[float]] = {}
    for (_, sample), score in read.items():
        by_draw.setdefault(sample, []).append(score)
    if len(by_draw) > 1:
        spread = statistics.stdev(map(statistics.fmean, by_draw.values()))
        rows.append(_row(row | {"measure": "spread_of_draws"}, Estimate(spread, np.nan, np.nan), len(by_draw), ""))
    return rows


def _difference_rows(judge, metric, models, scores: Grades, clusters, settings) -> list[dict]:
    base, tuned = (scores[model] for model in models)
    units = [unit for unit in base if unit in tuned]
    read = {unit: tuned[unit] - base[unit] for unit in units if None not in (base[unit], tuned[unit])}
    marked = {unit: [FAILED if side[unit] is None else side[unit] for side in (base, tuned)] for unit in units}
    counted = {unit: second - first for unit, (first, second) in marked.items()}
    row = {"judge": judge, "metric": metric, "model": models[1], "errors": len(units) - len(read)}
    return [
        _row(
            row | {"measure": "difference"},
            _mean(read, clusters, settings, judge),
            len(read),
            "no question has two grades that could be read",
        ),
        _row(
            row | {"measure": "difference_failures_as_minus_one"},
            _mean(counted, clusters, settings, judge),
            len(counted),
            "nothing was judged",
        ),
    ]


def _outcome_rows(judge, model, outcome_of_pairs: Mapping[Unit, str | None], clusters, settings) -> list[dict]:
    read = {unit: outcome for unit, outcome in outcome_of_pairs.items() if outcome is not None}
    row = {"judge": judge, "metric": PAIRS, "model": model, "errors": len(outcome_of_pairs) - len(read)}
    why = "no pair could be read in both orders"
    if not read:
        return [_row(row | {"measure": outcome}, UNDEFINED, 0, why) for outcome in (*OUTCOMES, "wins_minus_losses")]
    sample = draw_sample([clusters[question] for question, _ in read], f"pairs {judge}", settings)
    codes = np.array(list(read.values()))
    rows = [
        _row(row | {"measure": outcome}, proportion(sample, (codes == outcome).astype(float)), len(read), why)
        for outcome in OUTCOMES
    ]
    net = {unit: {"win": 1.0, "lose": -1.0}.get(outcome, 0.0) for unit, outcome in read.items()}
    return [*rows, _row(row | {"measure": "wins_minus_losses"}, _mean(net, clusters, settings, judge), len(read), why)]


def cost_rows(
    answers: Mapping[str, Mapping[Unit, Mapping]], clusters: Mapping[str, str], settings: Settings
) -> list[dict]:
    """Return seconds and tokens per answer, seconds per token, and the paired differences of the first two.

    `answers` are those of the first and of the second model. An answer that failed, or whose tokens are not known, is
    counted among the errors.
    """
    models, rows = list(answers), []
    for measure, keys in (
        ("seconds", ("seconds",)),
        ("tokens", ("tokens",)),
        ("seconds_per_token", ("seconds", "tokens")),
    ):
        measured = {
            model: {unit: row for unit, row in answers[model].items() if None not in [row[key] for key in keys]}
            for model in models
        }
        for model in models:
            row = {"judge": "", "measure": measure, "metric": "", "model": model}
            row["errors"] = len(answers[model]) - len(measured[model])
            values = [[measured[model][unit][key] for key in keys] for unit in measured[model]]
            ratio = _ratio(list(measured[model]), values, clusters, settings)
            rows.append(_row(row, ratio, len(values), "not known for any answer"))
        if measure != "seconds_per_token":
            both = [unit for unit in measured[models[0]] if unit in measured[models[1]]]
            gaps = {unit: measured[models[1]][unit][measure] - measured[models[0]][unit][measure] for unit in both}
            row = {"judge": "", "measure": f"{measure}_difference", "metric": "", "model": models[1]}
            row["errors"] = len(answers[models[0]]) - len(both)
            rows.append(_row(row, _mean(gaps, clusters, settings, ""), len(both), "no question has both"))
    return rows


def _mean(values: Mapping[Unit, float], clusters: Mapping[str, str], settings: Settings, judge: str) -> Estimate:
    return _ratio(list(values), [[float(value)] for value in values.values()], clusters, settings, judge)


def _ratio(
    units: Sequence[Unit],
    values: Sequence[Sequence[float]],
    clusters: Mapping[str, str],
    settings: Settings,
    name: str = "",
) -> Estimate:
    """Return the mean of one value per unit, or the ratio of the sums of two, with the BCa interval over questions."""
    if not units:
        return UNDEFINED
    sample = draw_sample([clusters[question] for question, _ in units], f"model comparison {name}", settings)
    columns = [np.array(column, dtype=float) for column in zip(*values, strict=True)]
    counted = sample.count(columns[0], columns[1] if len(columns) > 1 else np.ones(len(units)))
    return estimate(sample, counted, _quotient)


def _quotient(sums: np.ndarray) -> np.ndarray:
    return divide(sums[0], sums[1])


def _row(row: Mapping, result: Estimate, n: int, undefined: str) -> dict:
    values = result.columns()
    note = ""
    if np.isnan(values["value"]):
        note = undefined
    elif np.isnan(values["ci_low"]) and row["measure"] != "spread_of_draws":
        note = "no interval: one question, or the same value for every question"
    return {**row, **values, "n": n, "note": note}


# ---- what a person should read ----


def disagreements(
    results: Sequence[Mapping],
    metrics: Sequence[str],
    models: Sequence[str],
    key: Callable[[Unit], object] = lambda unit: unit,
) -> list[dict]:
    """Return {kind, metric, question, sample, gap, outcome} of what is worth reading, the largest gaps first.

    Kinds: `against_rubric` (the pair goes to one model in both orders, the metric's grades to the other), `orders`
    (another verdict in the swapped order), `gap` (grades that differ). `gap` is second − first, None without grades.
    """
    outcome_of_pairs = outcomes(results, models)
    rows = []
    for metric in metrics:
        base, tuned = grades(results, metric, models).values()
        for unit in base:
            gap = None if None in (base[unit], tuned.get(unit)) else tuned[unit] - base[unit]
            if not gap:
                continue
            row = {
                "metric": metric,
                "question": unit[0],
                "sample": unit[1],
                "gap": gap,
                "outcome": outcome_of_pairs.get(unit),
            }
            rows.append({"kind": "gap", **row})
            if (outcome_of_pairs.get(unit), gap > 0) in (("lose", True), ("win", False)):
                rows.append({"kind": "against_rubric", **row})
    rows += [
        {"kind": "orders", "metric": PAIRS, "question": unit[0], "sample": unit[1], "gap": None, "outcome": outcome}
        for unit, outcome in outcome_of_pairs.items()
        if outcome == "inconsistent"
    ]
    return sorted(rows, key=lambda row: (-abs(row["gap"] or 0), str(key((row["question"], row["sample"])))))


def without_failures(mean: float, n: int, n_failures: int) -> float:
    """Return the mean without failures of a mean in which they were counted as −1."""
    return (mean * n - FAILED * n_failures) / (n - n_failures)
