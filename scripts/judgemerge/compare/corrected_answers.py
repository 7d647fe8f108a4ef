"""What judges and people say of two models' answers: win rates and mean grades, corrected by people's votes on a part.

A unit is a draw of a question (its pair of answers), or one answer, graded by one metric. Units of one question are one
cluster, so that both models' grades on it move together.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from judgemerge.compare.answer_judging import PAIRS, JudgedAnswer
from judgemerge.evaluate.corrected import DIFFERENCE, SHARE, Units
from judgemerge.evaluate.corrected_rows import EVERYTHING, Mean, Row, grade, means_of_writers, wins
from judgemerge.evaluate.labels import Draw, Votes


def unit_of(result: JudgedAnswer) -> str:
    """Return the name of what a reply is about: a pair, or an answer of one model."""
    name = f"{result.question}#{result.sample}"
    return name if result.metric == PAIRS else f"{name}/{result.model}"


def units_of(results: Iterable[JudgedAnswer], metric: str) -> dict[str, str]:
    """Return unit → question of everything that was judged by a metric, or of all pairs."""
    return {unit_of(result): result.question for result in results if result.metric == metric}


def comparison_rows(
    results_by_judge: Mapping[str, Sequence[JudgedAnswer]],
    models: Sequence[str],
    clusters: Mapping[str, str],
    votes: Votes,
    drawn: Draw | None,
    metric: str,
    confidence: float,
) -> list[Row]:
    """Return the rows of every judge; `clusters` is question → prompt, `metric` what people voted on."""
    rows = []
    for judge, results in results_by_judge.items():
        of_metric = [result for result in results if result.metric == metric]
        make = _pair_means if metric == PAIRS else _grade_means
        for mean in make(judge, of_metric, models, clusters, votes, drawn):
            rows += mean.rows(EVERYTHING, confidence)
    return rows


def _units(
    said: Mapping[str, float], people: Mapping[str, float], prompts: Mapping[str, str], drawn: Draw | None
) -> Units:
    names = [name for name in said if not drawn or name in drawn.strata]
    return Units.of(
        np.array([people.get(name, np.nan) for name in names]),
        np.array([said[name] for name in names]),
        np.array([prompts[name] for name in names], dtype=str),
        np.array([drawn.strata[name] if drawn else "" for name in names], dtype=str),
    )


def _pair_means(
    judge: str,
    results: Sequence[JudgedAnswer],
    models: Sequence[str],
    clusters: Mapping[str, str],
    votes: Votes,
    drawn: Draw | None,
) -> Iterator[Mean]:
    """Yield how often the second model wins, and how much more often than the first; a tie is half a win."""
    values = {models[0]: 0.0, models[1]: 1.0, "tie": 0.5}
    said: dict[str, list[float]] = {}
    for result in results:
        said.setdefault(unit_of(result), []).append(values.get(result.preferred or "", np.nan))
    means = {unit: float(np.mean(read)) if (read := _read(orders)) else np.nan for unit, orders in said.items()}
    people = {unit: 1 - wins(some) for unit, some in votes.items()}
    prompts = {unit: clusters[question] for unit, question in units_of(results, PAIRS).items()}
    rate = _units(means, people, prompts, drawn)
    yield Mean(judge, "win_rate", models[1], SHARE, rate)
    yield Mean(judge, "wins_minus_losses", f"{models[1]} − {models[0]}", DIFFERENCE, rate.net())


def _read(values: Iterable[float]) -> list[float]:
    return [value for value in values if not np.isnan(value)]


def _grade_means(
    judge: str,
    results: Sequence[JudgedAnswer],
    models: Sequence[str],
    clusters: Mapping[str, str],
    votes: Votes,
    drawn: Draw | None,
) -> Iterator[Mean]:
    """Yield the mean grade of either model, and how much higher that of the second is."""
    ordered = sorted(results, key=lambda result: (-list(models).index(result.model), result.question, result.sample))
    said = {unit_of(result): np.nan if result.score is None else float(result.score) for result in ordered}
    people = {unit: grade(some) for unit, some in votes.items()}
    prompts = {unit_of(result): clusters[result.question] for result in ordered}
    writers = [unit.rpartition("/")[2] for unit in said if not drawn or unit in drawn.strata]
    metric = ordered[0].metric if ordered else ""
    yield from means_of_writers(judge, metric, _units(said, people, prompts, drawn), writers)
