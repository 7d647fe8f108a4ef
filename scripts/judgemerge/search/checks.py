"""What can be wrong with the searches of a study."""

from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.data.checks import check_fields
from judgemerge.evaluate.metrics import declared_metrics, searched_metrics
from judgemerge.merge.checks import check_merge
from judgemerge.search.searching import (
    EVALUATION_LOSS,
    applied,
    best_name,
    grid,
    inside,
    lower_is_better,
    read_published,
    space,
    targets,
)
from judgemerge.settings import config, training_keys
from judgemerge.settings.models import Checkpoints
from judgemerge.settings.searches import Choices, Search, Span

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse a search that cannot run, or that would look at what its result is tested on."""
    for name, search in study.searches.items():
        where = f"{study.where}: search '{name}'"
        require_known(
            search.target,
            study.experts if search.kind == "expert" else study.merges,
            f"{where} names the unknown {search.kind}",
        )
        if search.kind == "merge" and (study.merges[search.target].examples or study.merges[search.target].grams):
            raise JudgemergeError(
                f"{where} names merge '{search.target}', which computes something from examples; a search takes merges "
                "whose parameters are given"
            )
        if best_name(name) in {*study.models, *study.experts, *study.merges}:
            raise JudgemergeError(f"{where} ends with '{best_name(name)}', which is a model already; rename one")
        for development, metric in targets(search).items():
            _check_development(study, development, where)
            _check_metric(study, name, development, metric, where)
        _check_grid(study, name, search, where)
        _check_patience(search, where)
        _check_evolving(search, where)
        if len({lower_is_better(metric) for metric in targets(search).values()}) > 1:
            raise JudgemergeError(
                f"{where} takes the mean of metrics of which more is better and of mae; leave mae out"
            )
        for parameter, span in search.space.items():
            _check_span(parameter, span, where)
            for value in span.choices if isinstance(span, Choices) else (span.low, span.high):
                _check_value(study, search, parameter, value, where)
        _check_fields(study, name)
    for name, expert in study.experts.items():
        if expert.checkpoints:
            _check_checkpoints(study, name, expert.checkpoints)


def _check_checkpoints(study: "Study", name: str, kept: Checkpoints) -> None:
    """Refuse checkpoints that nothing judges, or that are chosen by what the study is tested on."""
    where = f"{study.where}: experts.{name}.checkpoints"
    if kept.every and kept.steps:
        raise JudgemergeError(f"{where} has every and steps, which both say what is kept; leave one out")
    if not kept.sets:
        raise JudgemergeError(f"{where} has no development; name an item set and its metric that they are judged by")
    if "early_stopping_steps" in study.training(name):
        raise JudgemergeError(f"{where} and early_stopping_steps both say which step counts; leave one out")
    for development, metric in kept.sets.items():
        _check_development(study, development, where)
        _check_known_metric(study, development, metric, where)
        protocol = study.protocol(development)
        prompt, key = study.prompt(name, protocol), f"judging.prompts.{protocol}"
        if prompt is None:
            raise JudgemergeError(f"{where}: there is no {protocol} prompt to judge '{development}' with; set {key}")
        template = study.template(prompt)
        check_fields(study, template, template.fields, [development], f"experts.{name}", "its development sets", key)
    if any(map(lower_is_better, kept.sets.values())):
        raise JudgemergeError(f"{where}: of mae less is better, and a checkpoint is chosen by more; leave mae out")
    for merge in study.merges:
        if kept.choose == "best" and name in study.adapters_of(merge):
            raise JudgemergeError(
                f"{study.where}: merges.{merge} reads '{name}' as an adapter, which is the end of its training, but "
                f"experts.{name}.checkpoints.choose is best; set adapters: false, or choose: last"
            )


def _check_value(study: "Study", search: Search, parameter: str, value: float | str | bool, where: str) -> None:
    """Refuse a value that the training or the merge would not take."""
    if search.kind == "expert":
        config.check_against_schema({parameter: value}, training_keys.schema(), f"{where}: space")
        return
    merge = applied(study.merges[search.target].plain(), {parameter: value})
    try:
        check_merge(search.target, merge, study.model_names, study.where)
    except JudgemergeError as error:
        raise JudgemergeError(f"{where}: space.{parameter} makes this of a merge: {error}") from None


def _check_fields(study: "Study", name: str) -> None:
    """Refuse a prompt that no item of the development sets can fill."""
    for protocol, prompt in study.development_prompts(name).items():
        template, key = study.template(prompt), f"judging.judges.{best_name(name)}.{protocol}"
        sets = [item_set for item_set in targets(study.searches[name]) if study.protocol(item_set) == protocol]
        check_fields(study, template, template.fields, sets, f"search '{name}'", "its development sets", key)


def _check_grid(study: "Study", name: str, search: Search, where: str) -> None:
    """Refuse a grid that is not run through as a whole, and published trials of other parameters."""
    if search.sampler == "grid":
        spans = [parameter for parameter, entry in search.space.items() if not isinstance(entry, Choices)]
        if spans:
            raise JudgemergeError(f"{where} has sampler grid, but space.{spans[0]} is a span; give it choices")
        default = study.search_default(name)
        if not inside(space(search), default):
            raise JudgemergeError(
                f"{where} has sampler grid, and the study's own setting ({default}) is no point of it; add its values "
                "to the choices, or use sampler tpe"
            )
        points, n_trials = len(grid(space(search), default)), search.rounds * search.width
        if points != n_trials:
            raise JudgemergeError(
                f"{where}: the grid has {points} points, but rounds × width is {n_trials}; make them equal"
            )
    if search.published:
        if not Path(search.published).is_file():
            raise JudgemergeError(f"{where}: published is '{search.published}', which is no file; correct the path")
        columns = (read_published(search.published) or [{}])[0]
        missing = [parameter for parameter in search.space if parameter not in columns]
        if missing:
            raise JudgemergeError(f"{where}: {search.published} has no column '{missing[0]}', which space has; add it")


def _check_evolving(search: Search, where: str) -> None:
    """Refuse what samplers that evolve cannot propose: choices, a single number, one development set for several."""
    if search.sampler == "cmaes":
        choices = [parameter for parameter, entry in search.space.items() if isinstance(entry, Choices)]
        if choices:
            raise JudgemergeError(f"{where} has sampler cmaes, but space.{choices[0]} has choices; give it a span")
        if len(space(search)) < 2:
            raise JudgemergeError(f"{where} has sampler cmaes and one parameter; it takes two or more, or use tpe")
    if search.sampler == "nsgaii" and len(targets(search)) < 2:
        raise JudgemergeError(f"{where} has sampler nsgaii and one development set; name several, or use tpe")
    if search.sampler == "nsgaii" and search.pruning != "none":
        raise JudgemergeError(f"{where} has sampler nsgaii and pruning, which looks at one value; leave pruning out")


def _check_patience(search: Search, where: str) -> None:
    if search.patience and search.pruning != "none":
        raise JudgemergeError(f"{where} has patience and pruning; both end trials early, leave one out")
    if EVALUATION_LOSS in targets(search).values() and len(targets(search)) > 1:
        raise JudgemergeError(f"{where}: {EVALUATION_LOSS} is one number of all development sets; give one set")
    if EVALUATION_LOSS in targets(search).values() and not search.patience and search.pruning == "none":
        raise JudgemergeError(f"{where}: metric {EVALUATION_LOSS} needs patience or pruning, so that the loss is taken")


def _check_development(study: "Study", development: str, where: str) -> None:
    require_known(development, study.catalogues.benchmarks, f"{where} has the unknown development set")
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


def _check_known_metric(study: "Study", development: str, metric: str, where: str) -> None:
    protocol = study.protocol(development)
    metrics = searched_metrics(protocol)
    if metric not in metrics:
        near = did_you_mean(metric, metrics)
        raise JudgemergeError(f"{where}: metric '{metric}' is no metric to choose {protocol} judges by{near}")


def _check_metric(study: "Study", name: str, development: str, metric: str, where: str) -> None:
    protocol = study.protocol(development)
    if metric == EVALUATION_LOSS and study.searches[name].merge:
        raise JudgemergeError(f"{where}: metric {EVALUATION_LOSS} is of trainings; nothing is trained in a merge")
    metrics = (*searched_metrics(protocol), EVALUATION_LOSS)
    if metric not in metrics and metric in declared_metrics(protocol):
        raise JudgemergeError(
            f"{where}: metric '{metric}' cannot be searched by, as its declaration has no 'search' in uses"
            f"{did_you_mean(metric, metrics)}"
        )
    if metric not in metrics:
        raise JudgemergeError(
            f"{where}: metric '{metric}' is not defined for {protocol} item sets; {development} is {protocol}"
            f"{did_you_mean(metric, metrics)}"
        )
    if study.prompt(best_name(name), protocol) is None:
        raise JudgemergeError(
            f"{where}: there is no {protocol} prompt to judge its development set with; set judging.prompts.{protocol}"
        )
