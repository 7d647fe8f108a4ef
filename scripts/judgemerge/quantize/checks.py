"""What can be wrong with the quantizations of a study."""

from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError, require_known
from judgemerge.quantize.quantizing import check_rows, type_of

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse a quantization of an unknown model, of another quantization, or of a model without weights here.

    Where the shape of the model is known already, rows that do not fit the type are refused here, too.
    """
    for name, entry in study.quantizations.items():
        model, where = entry.model, f"{study.where}: quantizations.{name}"
        if model in study.quantizations:
            raise JudgemergeError(
                f"{where}.model is '{model}', itself a quantization; name the model that it is made from"
            )
        require_known(model, study.model_names - set(study.quantizations), f"{where}.model is the unknown model")
        if model in study.models_by_origin("endpoint"):
            raise JudgemergeError(
                f"{where}.model is '{model}', an endpoint without weights to quantize; name another model"
            )
        config = _known_config(study, model)
        if config is not None:
            check_rows(config, type_of(entry.type), where)


def _known_config(study: "Study", model: str) -> dict | None:
    """Return the config.json of a model that lies in a folder, also through what is made from it; else None."""
    while model in study.experts or model in study.merges:
        model = study.parents(model)[0] if model in study.merges else study.base_of(model)
    path = Path((model in study.models and study.models[model].path) or "", "config.json")
    return files.read_json(path) if path.is_file() else None
