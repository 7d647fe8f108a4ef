"""Whether judge, prompt, backend, items and sampling fit together, asked before the first job.

Each of them can be right alone: a prompt that shows a rubric, items that have none, a backend that decodes greedily, a
study that draws replies. Put together they give jobs that fail after their download, or errors alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from judgemerge.compare.answer_judging import PAIRS
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import PROTOCOLS
from judgemerge.data import item_fields
from judgemerge.judge import backends, sampling
from judgemerge.prompting.prompts import Template, load_template
from judgemerge.search import searching

if TYPE_CHECKING:
    from judgemerge.study.study import Study

_OF_EVERY_ITEM = {"prompt", "response", "response_a", "response_b", "verdict", "score"}


def check(study: Study) -> None:
    """Refuse a study in which a judge cannot be asked as it says."""
    for judge in (judge for judge in study.judges if study.kind(judge) == "model"):
        _check_sampling(study, judge)
        for protocol in PROTOCOLS:
            _check_judge(study, judge, protocol)
    for judge in study.singly.values():
        _check_singly(study, judge)
    for expert, entry in study.experts.items():
        prompts = study.training_prompts(expert)
        _check_training(study, prompts, entry["train_on"], f"expert '{expert}'", f"experts.{expert}.prompts")
    for model in study.models_by_origin("make"):
        stages = study.models[model]["make"]["stages"]
        for number, (stage, prompts) in enumerate(zip(stages, study.stage_prompts(model), strict=True)):
            key = f"models.{model}.make.stages.{number}.prompts"
            _check_training(study, prompts, stage["data"], f"the pretraining of '{model}'", key)
    for search in study.searches:
        _check_search(study, search)
    for name in study.settings["model_comparisons"]:
        _check_comparison(study, name)


def _check_sampling(study: Study, judge: str) -> None:
    how, backend = sampling.of(study.settings["judging"]), study.backend_of(judge)
    if how.is_on and backends.SAMPLING not in backends.abilities(backend):
        raise JudgemergeError(
            f"{study.where}: judge '{judge}' answers with backend '{backend}', which draws no replies here, but "
            f"judging.sampling.temperature is {how.parameters.temperature:g}; set it to 0, or leave the judge out"
        )


def _check_judge(study: Study, judge: str, protocol: str) -> None:
    """Refuse a prompt whose mode the judge's backend cannot serve, or that no item of a suite can fill."""
    if study.prompt(judge, protocol) is None:
        return
    template = _template(study, study.prompt(judge, protocol))
    key = f"judging.judges.{judge}.{protocol}"
    _check_mode(study, judge, template, key)
    for suite in study.settings["suites"]:
        sets = [name for name in study.benchmarks_of(judge, suite) if study.protocol(name) == protocol]
        _check_fields(study, template, template.fields, sets, f"judge '{judge}'", f"suite '{suite}'", key)


def _check_mode(study: Study, judge: str, template: Template, key: str) -> None:
    backend = study.backend_of(judge)
    if template.mode != "generate" and backends.LOGPROBS not in backends.abilities(backend):
        raise JudgemergeError(
            f"{study.where}: backend '{backend}' of judge '{judge}' gives no log-probabilities, but prompt "
            f"'{template.name}' (mode {template.mode}) needs them; name another prompt in {key}"
        )


def _check_singly(study: Study, judge: str) -> None:
    """Refuse a prompt for single grades that cannot be filled from the pairs of a suite."""
    template = _template(study, study.singly_prompt)
    _check_mode(study, judge, template, "singly.prompt")
    for suite in study.settings["singly"].get("suites", study.settings["suites"]):
        sets = [name for name in study.settings["suites"][suite]["benchmarks"] if study.protocol(name) == "pairwise"]
        user = f"singly, judge '{judge}'"
        _check_fields(study, template, template.fields, sets, user, f"suite '{suite}'", "singly.prompt")


def _check_training(study: Study, prompts: Mapping[str, str], item_sets: list[str], user: str, key: str) -> None:
    """Refuse a prompt, or an answer to it, that no item of a training set can fill."""
    for protocol, prompt in prompts.items():
        template = _template(study, prompt)
        fields = template.fields | (template.target_fields & {"explanation", *template.extra_fields})
        sets = [name for name in item_sets if study.protocol(name) == protocol]
        _check_fields(study, template, fields, sets, user, "its training sets", f"{key}.{protocol}")


def _check_search(study: Study, search: str) -> None:
    """Refuse a prompt that no item of a search's development sets can fill."""
    for protocol, prompt in study.development_prompts(search).items():
        if prompt is None:  # refused elsewhere
            continue
        template, key = _template(study, prompt), f"judging.judges.{searching.best_name(search)}.{protocol}"
        sets = [name for name in searching.targets(study.searches[search]) if study.protocol(name) == protocol]
        _check_fields(study, template, template.fields, sets, f"search '{search}'", "its development sets", key)


def _check_comparison(study: Study, name: str) -> None:
    """Refuse judges of a comparison that cannot be asked in the mode of its prompts, and a prompt for pairs that their
    questions cannot fill, which have a reference and a category at most."""
    entry, where = study.settings["model_comparisons"][name], f"model_comparisons.{name}.prompts"
    for kind, prompt in study.comparisons.prompts(name).items():
        template = _template(study, prompt)
        for judge in entry["judges"]:
            _check_mode(study, judge, template, where)
        if kind == PAIRS:
            missing = sorted(template.fields - _OF_EVERY_ITEM - {"reference", "category", "criteria"})
            if missing:
                raise JudgemergeError(
                    f"{study.where}: {where}.pairwise '{prompt}' shows {{{missing[0]}}}, which no question has; "
                    "name another prompt"
                )


def _check_fields(
    study: Study, template: Template, fields: Iterable[str], sets: list[str], user: str, of: str, key: str
) -> None:
    """Refuse fields that none of the item sets can have; what is not known of one set is no reason."""
    for field in sorted({"category" if name == "criteria" else name for name in fields} - _OF_EVERY_ITEM):
        if sets and not any(_has(study, name, field) for name in sets):
            remedy = "name a rubric in judging.rubric" if field in ("rubric", "criterion") else "take other item sets"
            raise JudgemergeError(
                f"{study.where}: prompt '{template.name}' of {user} needs {{{field}}}, which no item of {of} has "
                f"({', '.join(sets)}); {remedy}, or another prompt in {key}"
            )


def _has(study: Study, item_set: str, field: str) -> bool:
    fields = item_fields.of(study.catalogues.benchmarks[item_set])
    if fields is None or field in fields:
        return True
    if field in ("rubric", "criterion"):
        return study.rubric(item_set) is not None
    return field == "category" and item_set in study.settings["judging"]["categories"]


def _template(study: Study, prompt: str) -> Template:
    return load_template(study.catalogues.prompts[prompt])
