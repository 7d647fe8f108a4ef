"""Searches for the settings of an expert or the parameters of a merge, round by round: Optuna's samplers, or a grid.

A round proposes `width` trials from the results of all earlier rounds, so trials of one round run side by side and the
whole search is decided by its seed and its results: the same search again, or one that was killed in between, proposes
the same trials. Trial 0 is the study's own setting, so the best trial is at least as good on the development set.
Nothing here reads anything but the results of trials; judgemerge.study.study imports no Optuna.
"""

import copy
import csv
import dataclasses
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.metrics import PROTOCOLS, searched_metrics
from judgemerge.settings.searches import Choices, ExpertSearch, Search, Span

# The lowest loss on the development set while an expert is trained; of a search for its settings alone.
EVALUATION_LOSS = "evaluation_loss"
EVOLVING = ("cmaes", "nsgaii")  # samplers that carry something from round to round


class Result(NamedTuple):
    """What came of a trial, as its file says; `state` is complete or pruned, `reports` are [step, value]."""

    trial: int
    round: int
    params: dict[str, Any]
    state: str
    value: float | None = None
    n: int = 0
    errors: int = 0
    reports: list[list] = []
    evaluation_loss: float | None = None
    values: dict[str, float] | None = None

    @property
    def is_complete(self) -> bool:
        """Whether the trial was judged to its end and has a value."""
        return self.state == "complete" and math.isfinite(self.value)

    def row(self) -> dict[str, Any]:
        """Return what the file of the trial says; what it does not have is left out.

        `values` are those of single development sets, where there are several.
        """
        row = self._asdict()
        absent = {key for key in (EVALUATION_LOSS, "values") if row[key] is None}
        return {key: row[key] for key in row if key not in absent}


def read_results(paths: Iterable[str | Path]) -> list[Result]:
    """Return what files of trials say: of one each, or of all trials of a search for a merge."""
    contents = map(files.read_json, paths)
    return [Result(**row) for content in contents for row in (content if isinstance(content, list) else [content])]


def trial_folder(folder: str | Path, number: int) -> Path:
    """Return where a trial keeps its verdicts, in the folder of its search; its result stands beside it."""
    return Path(folder, f"trial_{number}")


def best_name(search: str) -> str:
    """Return the name of the model that a search ends with."""
    return f"{search}_best"


def trial_numbers(search: Search, number: int) -> list[int]:
    """Return the trials of one round, counted over the whole search from 0."""
    return list(range(number * search.width, (number + 1) * search.width))


def round_of(search: Search, trial: int) -> int:
    """Return the round of a trial."""
    return trial // search.width


def targets(search: Search) -> dict[str, str]:
    """Return development set → the metric that counts there; what a trial is worth is their mean."""
    return search.development if isinstance(search.development, dict) else {search.development: search.metric}


def label(search: Search) -> str:
    """Return what a trial is worth in words: the metric, or the mean of several, in the order of the sets."""
    metrics = list(targets(search).values())
    if len(metrics) == 1:
        return metrics[0]
    return f"mean {metrics[0]}" if len(set(metrics)) == 1 else f"mean of {' and '.join(metrics)}"


def space(search: Search) -> dict[str, Span]:
    """Return what a trial is proposed: the search space, each parameter of a merge once per group of layers and part.

    What these are called, and what a merge makes of them, says spreading.py.
    """
    if not search.layers and not search.filters:
        return dict(search.space)
    groups = [str(group + 1) for group in range(search.layers or 1)]
    places = [f"{group}{part}" for group in groups for part in (*(f".{name}" for name in search.filters), "")]
    spread: dict[str, Span] = {}
    for name, span in search.space.items():
        is_spread = name.startswith(("models.", "parameters."))
        spread |= {f"{name}@{place}": span for place in (*places, "outside")} if is_spread else {name: span}
    return spread


def patience(search: Search) -> int | None:
    """Return after how many evaluations without a lower loss a training ends; None where its steps end it."""
    return search.patience if isinstance(search, ExpertSearch) else None


def published(search: Search) -> list[dict[str, float]]:
    """Return somebody else's trials that a search quotes."""
    return read_published(search.published) if isinstance(search, ExpertSearch) and search.published else []


# ---- proposing ----


def distributions(space: Mapping[str, Span]) -> dict:
    """Return Optuna's distributions of a search space; whole numbers where both ends are."""
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    by_parameter = {}
    for name, entry in space.items():
        if isinstance(entry, Choices):
            by_parameter[name] = CategoricalDistribution(entry.choices)
        elif isinstance(entry.low, int) and isinstance(entry.high, int):
            by_parameter[name] = IntDistribution(entry.low, entry.high, log=entry.log)
        else:
            by_parameter[name] = FloatDistribution(float(entry.low), float(entry.high), log=entry.log)
    return by_parameter


def propose(search: Search, number: int, earlier: Iterable[Result], default: Mapping[str, Any]) -> list[dict]:
    """Return the settings of the trials of round `number`, in their order; `default` are the study's own settings.

    The first trial of round 0 is the default, with no settings of its own. A setting that was tried before is drawn
    again, up to 100 times: in a small space it comes back. A grid is run through in its order.
    """
    if search.sampler == "grid":
        return grid(space(search), default)[number * search.width : (number + 1) * search.width]
    earlier = list(earlier)
    study = _study(search, number, earlier, default)
    proposed: list[dict] = [{}] if number == 0 else []
    spans = space(search)
    own = inside(spans, default)
    earlier_params = [dict(result.params) or own for result in earlier] + ([own] if number == 0 else [])
    n_new = search.width - len(proposed)
    return proposed + [dict(trial.params) for trial in _next_trials(study, distributions(spans), n_new, earlier_params)]


def _next_trials(study, spans: Mapping, n_trials: int, earlier_params: Sequence[Mapping]) -> list:
    """Return Optuna's next trials; settings that were tried before are drawn again, up to 100 times."""
    settings, trials = list(earlier_params), []
    while len(trials) < n_trials:
        for _ in range(100):
            trial = study.ask(spans)
            if trial.params not in settings:
                break
        settings.append(trial.params)
        trials.append(trial)
    return trials


def proposals(search: Search, number: int, earlier: Iterable[Result], default: Mapping[str, Any]) -> list[dict]:
    """Return {trial, params} of the trials of one round, as its file lists them."""
    settings = propose(search, number, earlier, default)
    trials = zip(trial_numbers(search, number), settings, strict=True)
    return [{"trial": trial, "params": params} for trial, params in trials]


def proposal(path: str, trial: int) -> dict[str, Any]:
    """Return the settings of one trial, from the file of its round."""
    return next(entry["params"] for entry in files.read_json(path)["trials"] if entry["trial"] == trial)


def grid(space: Mapping[str, Span], default: Mapping[str, Any]) -> list[dict]:
    """Return every combination of the choices; the study's own setting is the first, with no settings of its own."""
    combinations = itertools.product(*(entry.choices for entry in space.values()))
    points = [dict(zip(space, values, strict=True)) for values in combinations]
    return [{}, *(point for point in points if point != inside(space, default))]


def read_published(path: str | Path) -> list[dict[str, float]]:
    """Return the rows of a file with somebody else's trials: tab-separated numbers, lines with # left out."""
    with open(path, encoding="utf-8", newline="") as file:
        rows = csv.DictReader((line for line in file if not line.startswith("#")), delimiter="\t")
        return [{name: float(value) for name, value in row.items()} for row in rows]


def published_row(rows: Iterable[Mapping[str, float]], params: Mapping[str, Any]) -> dict[str, float]:
    """Return what was published of the trial with these settings, without them; nothing where there is none."""
    for row in rows:
        if all(isinstance(value, (int, float)) and math.isclose(row[name], value) for name, value in params.items()):
            return {name: value for name, value in row.items() if name not in params}
    return {}


def _study(search: Search, number: int, earlier: Iterable[Result], default: Mapping[str, Any]):
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    if search.sampler in EVOLVING:
        return _replayed(search, earlier, default)
    seed = search.seed + number
    if search.sampler == "random":
        sampler = optuna.samplers.RandomSampler(seed=seed)
    else:
        # Trials of one round do not know each other's results; the constant liar keeps them apart.
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=search.width, constant_liar=True)
    study = optuna.create_study(sampler=sampler, pruner=_pruner(search), direction=_direction(search))
    spans = space(search)
    for result in earlier:
        params = dict(result.params) or inside(spans, default)
        if set(params) == set(spans):  # else the default lies outside of the space: the sampler cannot learn from it
            study.add_trial(_finished(result, params, distributions(spans), [result.value]))
    return study


def _finished(result: Result, params: Mapping, spans: Mapping, values: Sequence[float]):
    """Return a trial as Optuna keeps it."""
    import optuna

    state = optuna.trial.TrialState.COMPLETE if result.is_complete else optuna.trial.TrialState.PRUNED
    reports = {int(step): value for step, value in result.reports}
    worth = {"values": list(values)} if result.is_complete else {}
    return optuna.trial.create_trial(
        state=state, params=params, distributions=spans, intermediate_values=reports, **worth
    )


def _replayed(search: Search, earlier: Sequence[Result], default: Mapping[str, Any]):
    """Return the study of a sampler that carries something from round to round, told of all earlier rounds.

    Each round is asked for and told as it was, so that seed and results decide everything here, too.
    """
    import optuna

    spans = space(search)
    named, own = distributions(spans), inside(spans, default)
    directions = ["minimize" if lower_is_better(metric) else "maximize" for metric in targets(search).values()]
    several = search.sampler == "nsgaii"
    if several:
        sampler = optuna.samplers.NSGAIISampler(population_size=max(2, search.width), seed=search.seed)
    else:
        sampler = optuna.samplers.CmaEsSampler(
            x0=own or None, seed=search.seed, popsize=max(2, search.width), warn_independent_sampling=False
        )
    study = optuna.create_study(
        sampler=sampler,
        pruner=None if several else _pruner(search),
        directions=directions if several else [_direction(search)],
    )
    by_round = [list(results) for _, results in itertools.groupby(earlier, lambda result: result.round)]
    earlier_params: list[Mapping] = [own]
    for results in by_round:
        trials = iter(_next_trials(study, named, sum(bool(result.params) for result in results), earlier_params))
        for result in results:
            values = list(result.values.values()) if several and result.values else [result.value]
            if not result.params:
                if own:
                    study.add_trial(_finished(result, own, named, values))
                continue
            trial = next(trials)
            if trial.params != result.params:
                raise JudgemergeError(
                    f"trial {result.trial} was proposed by another version of Optuna or cmaes, which the sampler "
                    f"{search.sampler} cannot go on from; delete the search's folder, or install that version"
                )
            outcome = {"values": values} if result.is_complete else {"state": optuna.trial.TrialState.PRUNED}
            study.tell(trial, **outcome)
        earlier_params += [result.params for result in results]
    return study


def _direction(search: Search) -> str:
    return "minimize" if is_minimised(search) else "maximize"


def lower_is_better(metric: str) -> bool:
    """Return whether a search looks for the lowest value of a metric."""
    searched = {name: lower for protocol in PROTOCOLS for name, lower in searched_metrics(protocol).items()}
    return metric == EVALUATION_LOSS or searched.get(metric, False)


def is_minimised(search: Search) -> bool:
    """Return whether less is better."""
    return all(lower_is_better(metric) for metric in targets(search).values())


def _pruner(search: Search):
    import optuna

    if search.pruning == "none":
        return optuna.pruners.NopPruner()
    return optuna.pruners.MedianPruner(n_startup_trials=1, n_warmup_steps=search.pruning_after)


def inside(space: Mapping[str, Span], default: Mapping[str, Any]) -> dict:
    """Return the default setting as parameters, or nothing when part of it lies outside of the space."""
    for name, entry in space.items():
        value = default.get(name)
        if isinstance(entry, Choices):
            fits = value in entry.choices
        else:
            fits = isinstance(value, (int, float)) and entry.low <= value <= entry.high
        if not fits:
            return {}
    return {name: default[name] for name in space}


class Pruner:
    """Says when a trial is not worth going on: when it does worse than the median of earlier rounds at the same step.

    Trials of the same round are not looked at, so that the verdict does not depend on which of them runs first.
    """

    def __init__(self, search: Search, number: int, earlier: Iterable[Result], default: Mapping[str, Any]):
        self.active = search.pruning != "none" and number > 0
        self.reports: list[list] = []
        if self.active:
            # Samplers do not decide here, and those that evolve keep no reports of earlier trials.
            self._trial = _study(dataclasses.replace(search, sampler="random"), number, earlier, default).ask()

    def report(self, step: int, value: float) -> bool:
        """Note what the trial is worth after `step`; return whether to give it up. A step counts once."""
        if any(step == reported_step for reported_step, _ in self.reports):
            return False
        self.reports.append([step, value])
        if not self.active or not math.isfinite(value):
            return False
        self._trial.report(value, step)
        return self._trial.should_prune()


# ---- applying ----


def applied(entry: Mapping, params: Mapping[str, Any], *above: str) -> dict:
    """Return a mapping changed in the places that `params` name (models.a.weight), below the keys `above`."""
    changed = copy.deepcopy(dict(entry))
    for name, value in params.items():
        *folders, key = [*above, *name.split(".")]
        place = changed
        for folder in folders:
            place = place.setdefault(folder, {})
        place[key] = value
    return changed


def defaults(entry: Mapping, space: Iterable[str]) -> dict:
    """Return the study's own value of each parameter of the space; what it does not set is missing."""
    values = {}
    for name in space:
        *folders, key = name.partition("@")[0].split(".")
        place = entry
        for folder in folders:
            place = place.get(folder, {})
        if key in place:
            values[name] = place[key]
    return values


# ---- results ----


def best(search: Search, results: Iterable[Result]) -> Result:
    """Return the complete trial with the best value; of equal ones the earliest, so that the default wins ties."""
    sign = -1 if _direction(search) == "minimize" else 1
    complete = [result for result in results if result.is_complete]
    if not complete:
        raise JudgemergeError("no trial of the search has a value; see the logs of its trials")
    return max(complete, key=lambda result: (sign * result.value, -result.trial))


def choice(search: Search, results: Sequence[Result]) -> dict[str, Any]:
    """Return what is written of the best trial: its result, the default's value, and the number of trials."""
    default = next(result for result in results if result.trial == 0)
    return {**best(search, results).row(), "default_value": default.value, "trials": len(results)}


def read_choice(path: str) -> Result:
    """Return the best trial of a search, from the file that `choice` fills."""
    row = files.read_json(path)
    return Result(**{name: row[name] for name in Result._fields if name in row})


def non_dominated(search: Search, results: Iterable[Result]) -> set[int]:
    """Return the complete trials that no other one beats: on no development set worse, on one of them better."""
    signs = {name: -1 if lower_is_better(metric) else 1 for name, metric in targets(search).items()}
    worth = {
        result.trial: [sign * (result.values or {name: result.value})[name] for name, sign in signs.items()]
        for result in results
        if result.is_complete
    }
    return {
        trial
        for trial, own in worth.items()
        if not any(
            other != own and all(theirs >= ours for theirs, ours in zip(other, own, strict=True))
            for other in worth.values()
        )
    }


def importances(search: Search, results: Iterable[Result], default: Mapping[str, Any]) -> dict[str, float]:
    """Return how much of the variance of the value each parameter explains (fANOVA's trees, as Optuna computes them).

    Empty with fewer than four complete trials, or when all have the same value: there is nothing to explain then.
    """
    import optuna

    results = list(results)
    study = _study(dataclasses.replace(search, pruning="none", sampler="random"), 0, results, default)
    complete = study.get_trials(states=[optuna.trial.TrialState.COMPLETE])
    if len(complete) < 4 or len({trial.value for trial in complete}) < 2:
        return {}
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=search.seed)
    return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))
