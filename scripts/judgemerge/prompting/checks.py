"""What can be wrong with the prompts and chat templates that a study names."""

from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.prompting import chat_templates

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse a date, a named template or arguments that cannot be used, and a model in a folder without a template."""
    chat_templates.check_date(study.settings.date, f"{study.where}: date")
    _check_named_templates(study)
    folders = {name: Path(study.models[name].path) for name in study.models_by_origin("path")}
    for name in _asked_models(study):
        source = study.quantizations[name].model if name in study.quantizations else name
        folder = folders.get(source, Path())
        has_template = "chat_template" in study.chat(name) or not (folder / "tokenizer_config.json").is_file()
        if not has_template and chat_templates.read(folder) is None:
            raise JudgemergeError(f"{study.where}: '{name}' is asked, but {chat_templates.no_template(folder)}")
    for name in study.experts:
        base = study.base_of(name)
        folder = folders.get(base)
        if folder is None or not folder.is_dir() or study.training(name).get("template") is not None:
            continue
        if study.models[base].chat_template is None and chat_templates.read(folder) is None:
            raise JudgemergeError(
                f"{study.where}: experts.{name} has no settings.template, and its base '{base}' ({folder}) no chat "
                "template that one follows from; set training.template"
            )


def _check_named_templates(study: "Study") -> None:
    """Refuse a chat template that is not there, arguments that are ours, and either of them for an endpoint."""
    endpoints = study.models_by_origin("endpoint")
    for key, entries in (("models", study.models), ("judging.judges", study.settings.judging.judges)):
        for model, entry in entries.items():
            where, arguments = f"{study.where}: {key}.{model}", entry.template_arguments
            if entry.chat_template is not None:
                chat_templates.load(entry.chat_template, f"{where}.chat_template")
            chat_templates.check_arguments(arguments or {}, f"{where}.template_arguments")
            if model in endpoints and (entry.chat_template, arguments) != (None, None):
                raise JudgemergeError(
                    f"{where}: '{model}' is an endpoint, which renders its prompts itself; leave chat_template and "
                    "template_arguments out (vLLM takes endpoint.settings.chat_template_kwargs)"
                )


def _asked_models(study: "Study") -> list[str]:
    """Return the models that are asked something: judges, and what a comparison of models has answer or judge."""
    return list(dict.fromkeys([*study.settings.judges, *study.comparisons.models_and_judges()]))


def check_prompt(study: "Study", prompt: str | None, protocol: str, key: str) -> None:
    """Refuse a prompt that is not there, or not for items of a protocol; `key` names the place in the study file."""
    if prompt is None:
        raise JudgemergeError(f"{study.where}: {key} has no {protocol} prompt; set judging.prompts.{protocol}")
    require_known(prompt, study.catalogues.prompts, f"{study.where}: {key} uses the unknown {protocol} prompt")
    actual = study.template(prompt).protocol
    if actual != protocol:
        raise JudgemergeError(f"{study.where}: {key} uses prompt '{prompt}' for {protocol} items; it is {actual}")
