"""What can be wrong with the searches of a study, found before the first job."""

from pathlib import Path

from judgemerge import merge as merging
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.evaluate.metrics import searched_metrics
from judgemerge.search import searching
from judgemerge.search.searching import EVALUATION_LOSS
from judgemerge.settings import config, training_keys
from judgemerge.settings.searches import Choices, ExpertSearch, Search, Span


def check(study) -> None:
    """Refuse a search that cannot run, or that would look at what its result is tested on."""
    for name, search in study.searches.items():
        where = f"{study.where}: search '{name}'"
        is_training = isinstance(search, ExpertSearch)
        kind, targets = ("expert", study.experts) if is_training else ("merge", study.merges)
        if search.target not in targets:
            near = did_you_mean(search.target, targets)
            raise JudgemergeError(f"{where} names the unknown {kind} '{search.target}'{near}")
        if searching.best_name(name) in {*study.models, *study.experts, *study.merges}:
            raise JudgemergeError(
                f"{where} ends with '{searching.best_name(name)}', which is a model already; rename one"
            )
        for development, metric in searching.targets(search).items():
            _check_development(study, development, where)
            _check_metric(study, name, development, metric, where)
        _check_grid(search, study.search_default(name), where)
        if is_training:
            _check_published(search, where)
        _check_patience(search, where)
        if len({searching.lower_is_better(metric) for metric in searching.targets(search).values()}) > 1:
            raise JudgemergeError(
                f"{where} takes the mean of metrics of which more is better and of mae; leave mae out"
            )
        for parameter, span in search.space.items():
            _check_span(parameter, span, where)
            for value in span.choices if isinstance(span, Choices) else (span.low, span.high):
                if is_training:
                    config.check_against_schema({parameter: value}, training_keys.schema(), f"{where}: space")
                else:
                    _check_merge(study, search, parameter, value, where)


def _check_merge(study, search: Search, parameter: str, value, where: str) -> None:
    changed = searching.applied(study.merges[search.target].plain(), {parameter: value})
    try:
        merging.check_merge(search.target, changed, study.model_names, study.where)
    except JudgemergeError as error:
        raise JudgemergeError(f"{where}: space.{parameter} makes this of a merge: {error}") from None


def _check_grid(search: Search, default: dict, where: str) -> None:
    """Refuse a grid that is not run through as a whole."""
    if search.sampler != "grid":
        return
    spans = [parameter for parameter, span in search.space.items() if not isinstance(span, Choices)]
    if spans:
        raise JudgemergeError(f"{where} has sampler grid, but space.{spans[0]} is a span; give it choices")
    if not searching.inside(search.space, default):
        raise JudgemergeError(
            f"{where} has sampler grid, and the study's own setting ({default}) is no point of it; add its values "
            "to the choices, or use sampler tpe"
        )
    points, n_trials = len(searching.grid(search.space, default)), search.rounds * search.width
    if points != n_trials:
        raise JudgemergeError(
            f"{where}: the grid has {points} points, but rounds × width is {n_trials}; make them equal"
        )


def _check_published(search: ExpertSearch, where: str) -> None:
    """Refuse published trials of other parameters."""
    if search.published is None:
        return
    if not Path(search.published).is_file():
        raise JudgemergeError(f"{where}: published is '{search.published}', which is no file; correct the path")
    columns = (searching.read_published(search.published) or [{}])[0]
    missing = [parameter for parameter in search.space if parameter not in columns]
    if missing:
        raise JudgemergeError(f"{where}: {search.published} has no column '{missing[0]}', which space has; add it")


def _check_patience(search: Search, where: str) -> None:
    prunes, metrics = search.pruning != "none", searching.targets(search).values()
    patience = searching.patience(search)
    if patience and prunes:
        raise JudgemergeError(f"{where} has patience and pruning; both end trials early, leave one out")
    if EVALUATION_LOSS in metrics and len(metrics) > 1:
        raise JudgemergeError(f"{where}: {EVALUATION_LOSS} is one number of all development sets; give one set")
    if EVALUATION_LOSS in metrics and not patience and not prunes:
        raise JudgemergeError(f"{where}: metric {EVALUATION_LOSS} needs patience or pruning, so that the loss is taken")


def _check_development(study, development: str, where: str) -> None:
    if development not in study.catalogues.benchmarks:
        near = did_you_mean(development, study.catalogues.benchmarks)
        raise JudgemergeError(f"{where} has the unknown development set '{development}'{near}")
    if development in study.all_benchmarks:
        raise JudgemergeError(
            f"{where} has development set '{development}', which is a benchmark of the suites; what was chosen on a "
            "set cannot be tested on it: take another part of the data"
        )
    if development in study.training_sets:
        raise JudgemergeError(
            f"{where} has development set '{development}', which {study.training_sets[development][0]} learns; "
            "take another part of the data"
        )


def _check_span(parameter: str, span: Span, where: str) -> None:
    if isinstance(span, Choices):
        return
    if span.low >= span.high:
        raise JudgemergeError(f"{where}: space.{parameter} goes from {span.low} to {span.high}; give low below high")
    if span.log and span.low <= 0:
        raise JudgemergeError(f"{where}: space.{parameter} has log: true, which needs low above 0")


def _check_metric(study, name: str, development: str, metric: str, where: str) -> None:
    protocol = study.protocol(development)
    if metric == EVALUATION_LOSS and not isinstance(study.searches[name], ExpertSearch):
        raise JudgemergeError(f"{where}: metric {EVALUATION_LOSS} is of trainings; nothing is trained in a merge")
    metrics = (*searched_metrics(protocol), EVALUATION_LOSS)
    if metric not in metrics:
        raise JudgemergeError(
            f"{where}: metric '{metric}' is not defined for {protocol} item sets; {development} is {protocol}"
            f"{did_you_mean(metric, metrics)}"
        )
    if study.prompt(searching.best_name(name), protocol) is None:
        raise JudgemergeError(
            f"{where}: there is no {protocol} prompt to judge its development set with; set judging.prompts.{protocol}"
        )
