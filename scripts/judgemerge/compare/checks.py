"""What can be wrong with the comparisons of models in a study, found before the first job."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.compare import answering
from judgemerge.compare.answer_judging import PAIRS, prompt_names
from judgemerge.compare.plan import ComparisonPlan
from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.data.checks import missing_of_questions
from judgemerge.judge import backends
from judgemerge.judge.backends import SAMPLING
from judgemerge.judge.checks import check_mode
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.rubric_metrics import Metric
from judgemerge.settings.comparisons import ModelComparison

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse a comparison whose models, questions, metrics, prompts or judges are not there or do not fit together."""
    plan = ComparisonPlan(study)
    check_corrected(study)
    for name, entry in plan.comparisons.items():
        where = f"{study.where}: model_comparisons.{name}"
        for key, models in (("models", entry.models), ("judges", entry.judges)):
            for model in models:
                if model not in study.model_names:
                    near = did_you_mean(model, study.model_names)
                    raise JudgemergeError(f"{where}.{key} names '{model}', no model of the study{near}")
        _check_questions(study, entry, where)
        metrics = plan.metrics(name)
        _check_metrics(entry, metrics, where)
        _check_prompts(study, entry, metrics, where)
        _check_generation(study, entry, where)
        _check_judges(study, name)
        if entry.published and not Path(entry.published).is_file():
            raise JudgemergeError(f"{where}.published is '{entry.published}', which is no file; correct the path")


def _check_questions(study: "Study", entry: ModelComparison, where: str) -> None:
    questions = entry.questions
    require_known(questions, study.catalogues.benchmarks, f"{where}.questions is the unknown item set")
    learnt = [user for user in study.training_sets.get(questions, []) if user.partition(" ")[0] == "expert"]
    if learnt:
        raise JudgemergeError(
            f"{where}.questions is '{questions}', which {learnt[0]} is trained on; name a held-out set"
        )


def _check_metrics(entry: ModelComparison, metrics: Sequence[Metric], where: str) -> None:
    if not metrics and not entry.prompts.pairwise:
        raise JudgemergeError(f"{where} judges nothing; give metrics, or prompts.pairwise, or both")
    names = [metric.name for metric in metrics]
    for name in names:
        if names.count(name) > 1 or name == PAIRS or "/" in name:
            raise JudgemergeError(f"{where}.metrics has two metrics '{name}', or the name is reserved; rename one")
    inputs = {name for metric in metrics for name in metric.inputs}
    for name in entry.inputs:
        if name not in inputs:
            raise JudgemergeError(f"{where}.inputs names '{name}', no input of its metrics{did_you_mean(name, inputs)}")
    if entry.empty_context and rubric_metrics.EMPTIED not in inputs:
        raise JudgemergeError(f"{where}.empty_context is set, but none of its metrics has a context; remove it")


def _check_prompts(study: "Study", entry: ModelComparison, metrics: Sequence[Metric], where: str) -> None:
    for kind, prompt in prompt_names(entry, metrics).items():
        require_known(prompt, study.catalogues.prompts, f"{where}.prompts names the unknown prompt")
        template = study.template(prompt)
        protocol = "pairwise" if kind == PAIRS else "pointwise"
        if template.protocol != protocol:
            raise JudgemergeError(f"{where}.prompts: '{prompt}' is {template.protocol}, but has to be {protocol}")
        if template.mode == "likelihood":
            raise JudgemergeError(f"{where}.prompts: '{prompt}' has mode likelihood, which shows no pair; name another")
        if kind != PAIRS:
            metric = next(metric for metric in metrics if metric.name == kind)
            rubric_metrics.check_prompt(template, metric, f"{where}.prompts")


def _check_generation(study: "Study", entry: ModelComparison, where: str) -> None:
    generation = answering.parameters(entry.generation)
    if generation.is_greedy and entry.generation.samples > 1:
        raise JudgemergeError(
            f"{where}.generation.samples asks for several greedy answers, which are all the same; set a temperature"
        )
    if generation.is_greedy and (generation.top_p < 1 or generation.min_p > 0):
        raise JudgemergeError(f"{where}.generation has top_p or min_p, which greedy answers ignore; set a temperature")
    for model in entry.models:
        if not generation.is_greedy and SAMPLING not in backends.abilities(study.backend_of(model)):
            raise JudgemergeError(
                f"{where}.generation.temperature: '{model}' can only answer greedily here; set it to 0"
            )


def _check_judges(study: "Study", name: str) -> None:
    """Refuse judges that cannot be asked in the mode of the prompts, and a prompt for pairs that no question fills."""
    key = f"model_comparisons.{name}.prompts"
    for kind, prompt in study.comparisons.prompts(name).items():
        template = study.template(prompt)
        for judge in study.settings.model_comparisons[name].judges:
            check_mode(study, judge, template, key)
        missing = missing_of_questions(template) if kind == PAIRS else []
        if missing:
            raise JudgemergeError(
                f"{study.where}: {key}.pairwise '{prompt}' shows {{{missing[0]}}}, which no question has; "
                "name another prompt"
            )


def check_corrected(study: "Study") -> None:
    """Refuse labels of what the study does not judge, and keys that make no sense for what they are of."""
    for name, entry in study.settings.corrected.items():
        where = f"{study.where}: corrected.{name}"
        if entry.votes and entry.from_truth:
            raise JudgemergeError(f"{where} has votes and from_truth; delete one")
        comparisons = study.settings.model_comparisons
        require_known(
            name,
            {*study.all_benchmarks, *comparisons},
            f"{where}: no benchmark of the suites and no comparison is called",
        )
        if name in comparisons:
            judged = [PAIRS, *(metric.name for metric in study.comparisons.metrics(name))]
            require_known(entry.metric, judged, f"{where}.metric names what is not judged:")
            if entry.from_truth or entry.slices:
                key = "from_truth" if entry.from_truth else "slices"
                raise JudgemergeError(f"{where}.{key} is for benchmarks, and '{name}' compares models; delete it")
        elif entry.metric != PAIRS:
            raise JudgemergeError(
                f"{where}.metric is for comparisons of models, and '{name}' is a benchmark; delete it"
            )
        for key, path in (("votes", entry.votes), ("draw", entry.draw)):
            if path and not Path(path).is_file():
                raise JudgemergeError(
                    f"{where}.{key} is '{path}', which is no file; correct the path, or make it (docs/corrected.md)"
                )
