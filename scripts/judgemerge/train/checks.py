"""What can be wrong with the trainings of a study: experts, pretraining, screening."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.data.checks import check_fields, require_item_set
from judgemerge.prompting.checks import check_prompt
from judgemerge.train import lora_targets, preferences, screening
from judgemerge.train.training import AS_PUBLISHED, stage_sets

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse trainings that cannot run, or whose prompts no item of their sets can fill."""
    for name in study.experts:
        _check_sets(study, name)
        _check_settings(study, name)
        _check_prompts(study, study.training_prompts(name), f"experts.{name}")
    for entry in study.models.values():
        for item_set in stage_sets(entry):
            require_item_set(study, item_set, "a pretraining stage names the unknown item set")
    for name in study.models_by_origin("make"):
        for prompts in study.stage_prompts(name):
            _check_prompts(study, prompts, f"pretraining of '{name}'")
    preferences.check(study)
    lora_targets.check_study(study)
    screening.check(study)
    _check_all_fields(study)


def _check_prompts(study: "Study", prompts: Mapping[str, str | None], key: str) -> None:
    for protocol, prompt in prompts.items():
        check_prompt(study, prompt, protocol, key)


def _check_sets(study: "Study", name: str) -> None:
    """Refuse an expert without a base, or of item sets that do not exist."""
    expert, key = study.experts[name], f"experts.{name}"
    if not study.base_of(name):
        raise JudgemergeError(f"{study.where}: key 'base' is missing; experts are trained from it")
    require_known(study.base_of(name), study.models, f"{study.where}: {key}.base names the unknown model")
    for item_set in expert.train_on:
        require_item_set(study, item_set, f"{key}.train_on names the unknown item set")
    for item_set in expert.subset.by_set or ():
        require_known(item_set, expert.train_on, f"{study.where}: {key}.subset.by_set names the item set")
    for item_set in () if isinstance(expert.drop_overlap, bool) else expert.drop_overlap:
        require_known(item_set, study.all_benchmarks, f"{study.where}: {key}.drop_overlap names the unknown benchmark")


def _check_settings(study: "Study", name: str) -> None:
    """Refuse settings that need a GPU, another form of rows, or an evaluation loss that is never taken."""
    expert, where, settings = study.experts[name], f"{study.where}: experts.{name}", study.training(name)
    bits = settings.get("quantization_bit")
    if bits and not study.settings.gpus:
        raise JudgemergeError(
            f"{where}.settings.quantization_bit is {bits}, and training on a quantized base "
            "needs a GPU; set gpus: 1, or leave the key out"
        )
    if expert.evaluate_on and settings.get("val_size"):
        raise JudgemergeError(f"{where} has evaluate_on and val_size, of which LLaMA-Factory takes one; leave one out")
    if "early_stopping_steps" in settings:
        if not expert.evaluate_on and not settings.get("val_size"):
            raise JudgemergeError(f"{where}: early_stopping_steps needs an evaluation; add evaluate_on or val_size")
        if "eval_steps" not in settings:
            raise JudgemergeError(f"{where}: early_stopping_steps counts evaluations; set eval_steps, their distance")
    if expert.format == AS_PUBLISHED and expert.orders != "original":
        raise JudgemergeError(f"{where} has format as_published, whose rows have one order; set orders: original")


def _check_all_fields(study: "Study") -> None:
    for name, expert in study.experts.items():
        prompts = study.training_prompts(name)
        _check_fields(study, prompts, expert.train_on, f"expert '{name}'", f"experts.{name}.prompts")
    for model in study.models_by_origin("make"):
        stages = study.models[model].make.stages
        for number, (stage, prompts) in enumerate(zip(stages, study.stage_prompts(model), strict=True)):
            key = f"models.{model}.make.stages.{number}.prompts"
            _check_fields(study, prompts, stage.data, f"the pretraining of '{model}'", key)


def _check_fields(study: "Study", prompts: Mapping[str, str], item_sets: Sequence[str], user: str, key: str) -> None:
    """Refuse a prompt, or an answer to it, that no item of a training set can fill."""
    for protocol, prompt in prompts.items():
        template = study.template(prompt)
        fields = template.fields | (template.target_fields & {"explanation", *template.extra_fields})
        sets = [name for name in item_sets if study.protocol(name) == protocol]
        check_fields(study, template, fields, sets, user, "its training sets", f"{key}.{protocol}")
