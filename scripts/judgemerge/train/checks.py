"""What can be wrong with the trainings of a study: experts, pretraining, screening."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.data.checks import check_fields, require_item_set
from judgemerge.prompting.checks import check_prompt
from judgemerge.settings.models import MadeModel
from judgemerge.train import lora_targets
from judgemerge.train.preferences import DPO_ONLY
from judgemerge.train.training import AS_PUBLISHED, stage_sets, trainings

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
    for name in study.experts:
        _check_evaluation_sets(study, name)
        _check_stage(study, name)
    _check_precision(study)
    check_targets(study)
    _check_screening(study)
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
    if bits and not study.settings.gpus and not study.settings.rehearsal:
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


def _check_precision(study: "Study") -> None:
    """Refuse trainings on CPUs in a precision that these do not take, or only when they are told so."""
    for key, _, keys in trainings(study) if not study.settings.gpus else ():
        where = f"{study.where}: {key} trains with"
        if keys.get("fp16"):
            raise JudgemergeError(f"{where} fp16, which needs a GPU (gpus is 0); remove the key, or set gpus: 1")
        if keys.get("bf16") and not keys.get("use_cpu"):
            raise JudgemergeError(f"{where} bf16 and no GPU (gpus is 0); add use_cpu: true to training, or set gpus: 1")


def _check_evaluation_sets(study: "Study", name: str) -> None:
    """Refuse evaluation sets that do not exist, or that the expert learns."""
    expert, where = study.experts[name], f"{study.where}: experts.{name}"
    for item_set in expert.evaluate_on:
        require_known(item_set, study.catalogues.benchmarks, f"{where}.evaluate_on names the unknown")
        if item_set in expert.train_on:
            raise JudgemergeError(f"{where} is evaluated on '{item_set}', which it learns")


def _check_stage(study: "Study", name: str) -> None:
    """Refuse the keys and prompts of an expert that its stage does not know."""
    where, keys = f"{study.where}: experts.{name}", study.training(name)
    stage = keys.get("stage", "sft")
    for prompt in filter(None, study.training_prompts(name).values()):
        mode = study.template(prompt).mode
        if stage == "dpo" and mode != "likelihood":
            raise JudgemergeError(
                f"{where} has stage dpo, which trains on conversations, but its prompt '{prompt}' has "
                f"mode {mode}; give it prompts: {{pairwise: likelihood_pairwise}}"
            )
    for wrong in sorted(set(keys) & set(DPO_ONLY)) if stage != "dpo" else []:
        raise JudgemergeError(f"{where} has {wrong}, which only stage dpo knows; add stage: dpo")
    if "orpo_nll" in keys and keys.get("pref_loss") != "orpo":
        raise JudgemergeError(f"{where} has orpo_nll, which only pref_loss orpo knows; leave it out")


def check_targets(study: "Study") -> None:
    """Refuse names that no module of a base has, where its files are on this machine already, or it is made here."""
    by_base: dict[str, list[str] | None] = {}
    for key, base, settings in (*trainings(study), *_target_trials(study)):
        if settings.get("finetuning_type", "lora") != "lora":
            continue
        if base not in by_base:
            by_base[base] = _known_modules(study, base)
        for setting in lora_targets.SETTINGS if by_base[base] is not None else ():
            names, where = lora_targets.names_in(settings.get(setting, "")), f"{study.where}: {key}: {setting}"
            lora_targets.check_names(names, by_base[base], where, base)


def _target_trials(study: "Study") -> Iterator[tuple[str, str, dict]]:
    """Yield the same as `trainings` of what searches try, one setting at a time."""
    for name, search in study.searches.items():
        for key in lora_targets.SETTINGS if search.expert in study.experts else ():
            for choice in getattr(search.space.get(key), "choices", ()):
                yield f"searches.{name}", study.base_of(search.expert), {key: choice}


def _known_modules(study: "Study", base: str) -> list[str] | None:
    entry = study.models.get(base)
    if isinstance(entry, MadeModel):  # a Llama (judgemerge.synthetic.tiny)
        blocks = [f"self_attn.{letter}_proj" for letter in "qkvo"]
        blocks += [f"mlp.{name}_proj" for name in ("gate", "up", "down")]
        return [*(f"model.layers.0.{block}" for block in blocks), "model.embed_tokens", "lm_head"]
    folder = Path((entry.path if entry else None) or f"results/{study.name}/models/{base}")
    weights = models.weight_files(folder) if (folder / "config.json").is_file() else []
    if not weights or not all(path.is_file() and path.suffix != models.QUANTIZED for path in weights):
        return None  # what is wrong with it is said where it is opened
    return [*lora_targets.stored_modules(folder), "lm_head"]  # not stored where it is tied to the embeddings


def _check_screening(study: "Study") -> None:
    """Refuse a screening with an unknown base, item set or prompt, or one that is tested on what it learnt."""
    screening = study.settings.screening
    if screening is None:
        return
    where = f"{study.where}: screening"
    for key, names, possible in (
        ("bases", screening.bases, study.models),
        ("train_on", screening.train_on, study.catalogues.benchmarks),
        ("templates", screening.templates, screening.bases),
        ("evaluate_on", screening.evaluate_on, study.catalogues.benchmarks),
        ("prompt", [screening.prompt], study.catalogues.prompts),
    ):
        for name in names:
            require_known(name, possible, f"{where}.{key} names the unknown")
    for name in screening.evaluate_on:
        if name in screening.train_on:
            raise JudgemergeError(f"{where} is trained and tested on '{name}'; take two parts of it")
    mode = study.template(screening.prompt).mode
    if mode != "likelihood":
        raise JudgemergeError(f"{where}.prompt '{screening.prompt}' has mode {mode}; give one of mode likelihood")


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
