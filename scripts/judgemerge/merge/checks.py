"""What can be wrong with the merges of a study, before anything runs.

mergekit 0.1.5 accepts misspelt parameters, densities above 1 and weights that sum to nothing (measured).
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.data.checks import require_item_set
from judgemerge.merge import preflight
from judgemerge.merge.methods import METHODS, STREAMED
from judgemerge.merge.recipes import Merge, is_by_filter, own_engine
from judgemerge.merge.result_checks import WEIGHTS_TOLERANCE, Fail, check_sum
from judgemerge.merge.table import Parameter
from judgemerge.prompting.checks import check_prompt

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check(study: "Study") -> None:
    """Refuse merges that cannot be made, and models in folders that cannot be loaded or do not fit together."""
    for name, merge in study.merges.items():
        check_merge(name, merge.plain(), study.model_names - set(study.quantizations), study.where, study.adapters)
        _check_examples(study, name)
        _check_gram_sets(study, name)
    _check_no_circle(study)
    _check_folders(study)
    _check_parents_in_folders(study)


def _check_examples(study: "Study", merge: str) -> None:
    """Refuse examples that are neither an item set with a prompt nor a file."""
    examples = study.examples_of(merge)
    if examples is None:
        return
    key = f"merges.{merge}.examples"
    kind = study.merges[merge].parameters.get("kind", "decoder")
    if examples not in study.catalogues.benchmarks:
        if not Path(examples).is_file():
            raise JudgemergeError(
                f"{study.where}: {key} is '{examples}', neither an item set nor a file"
                f"{did_you_mean(examples, study.catalogues.benchmarks)}"
            )
        return
    if kind != "decoder":
        raise JudgemergeError(f"{study.where}: {key} names an item set, but kind {kind} needs a JSON-lines file")
    require_item_set(study, examples, f"{key} names the unknown item set")
    for protocol, prompt in study.example_prompts(merge).items():
        check_prompt(study, prompt, protocol, key)


def _check_gram_sets(study: "Study", merge: str) -> None:
    """Refuse item sets of Gram matrices that there are none of, or that no prompt shows."""
    for parent, item_set in (study.merges[merge].grams or {}).items():
        key = f"merges.{merge}.grams.{parent}"
        require_item_set(study, item_set, f"{key} names the unknown item set")
        protocol = study.protocol(item_set)
        check_prompt(study, study.settings.judging.prompts.of_protocol(protocol), protocol, key)


def _check_no_circle(study: "Study") -> None:
    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise JudgemergeError(
                f"{study.where}: merges need each other in a circle ({' → '.join((*path, name))}); break it"
            )
        for parent in study.parents(name) if name in study.merges else ():
            visit(parent, (*path, name))

    for name in study.merges:
        visit(name, ())


def _check_folders(study: "Study") -> None:
    """Refuse models in folders of this machine that cannot be loaded."""
    for name in study.models_by_origin("path"):
        folder = Path(study.models[name].path)
        if list(folder.glob("*.safetensors*")):
            try:
                models.check_folder(folder)
            except JudgemergeError as error:
                raise JudgemergeError(f"{study.where}: models.{name}.path: {error}") from None


def _check_parents_in_folders(study: "Study") -> None:
    """Refuse merges of models in folders of this machine that do not fit together."""
    compared = set()
    for name, merge in study.merges.items():
        paths = {root: study.models[root].path or "" for root in study.roots(name)}
        folders = {root: path for root, path in paths.items() if Path(path, "config.json").is_file()}
        allow = study.allowed_differences(name)
        key = (*folders, None, *allow, None, "" if own_engine(merge.plain()) else merge.method)
        if key in compared:
            continue
        compared.add(key)
        try:
            preflight.check_local(folders, allow, key[-1])
        except JudgemergeError as error:
            raise JudgemergeError(f"{study.where}: merge '{name}': {error}") from None


def check_merge(
    name: str, merge: Mapping, models: set[str], where: str, adapters: Mapping[str, str] | None = None
) -> None:
    """Refuse a merge that would fail late or run into nonsense.

    `merge` is one entry of a study's `merges`, `models` the names that may be parents, `where` the study file,
    `adapters` the base of every model that is also there as a LoRA adapter (None: not known, and not checked).
    """

    def fail(text: str) -> None:
        raise JudgemergeError(f"{where}: merge '{name}' {text}")

    method = merge["method"]
    if method not in METHODS:
        fail(f"uses method '{method}'{did_you_mean(method, METHODS)}")
    entry = Merge.of(merge)
    for parent in (*entry.models, *([entry.base] if entry.base else [])):
        if parent not in models:
            fail(f"names model '{parent}'{did_you_mean(parent, models)}")
    _check_base_and_number(entry, models, fail)
    _check_donor(entry, adapters, fail)
    for parent, parameters in entry.models.items():
        _check_parameters(parameters, entry, entry.method.per_model, f"models.{parent}", fail)
    _check_parameters(entry.parameters, entry, entry.method.overall, "parameters", fail)
    _check_required(entry, fail)
    _check_weights(entry, fail)
    _check_engine(entry, fail)
    if entry.method.name == "cocktail":
        _check_cocktail(entry, fail)
    elif entry.examples is not None:
        fail(f"has 'examples', which method '{entry.method.name}' does not use; remove them or use method 'cocktail'")
    _check_grams(entry, fail)
    if entry.method.adapters or entry.adapters:
        _check_adapters(entry, adapters, fail)


def _check_base_and_number(merge: Merge, models: set[str], fail: Fail) -> None:
    method = merge.method
    if method.base == "required" and merge.base is None:
        fail(f"needs a 'base' for method '{method.name}'; add one of: {', '.join(sorted(models))}")
    if method.base == "none" and merge.base is not None:
        fail(f"has a 'base', which method '{method.name}' would treat as one more parent; remove it")
    if method.base_is_parent and merge.base not in merge.models:
        fail(f"has base '{merge.base}', which method '{method.name}' also needs among 'models'; add it")
    if not method.base_is_parent and merge.base in merge.models:
        fail(f"lists its base '{merge.base}' among 'models'; method '{method.name}' takes it as 'base' only")
    lowest, highest = method.parents
    if len(merge.models) < lowest or (highest and len(merge.models) > highest):
        number = f"exactly {lowest}" if lowest == highest else f"at least {lowest}"
        fail(f"has {len(merge.models)} models; method '{method.name}' takes {number}")


def _check_donor(merge: Merge, adapters: Mapping[str, str] | None, fail: Fail) -> None:
    if merge.donor is None:
        return
    as_adapters = merge.method.adapters or merge.adapters
    possible = [name for name in (merge.base, *merge.models) if name]
    possible = [name for name in possible if not (as_adapters and name in (adapters or {}))]
    if merge.donor not in possible:
        fail(f"names donor '{merge.donor}'{did_you_mean(merge.donor, possible)}")


def _check_required(merge: Merge, fail: Fail) -> None:
    for parameter in merge.method.required:
        missing = [parent for parent, values in merge.models.items() if parameter not in values]
        if parameter in merge.method.per_model and missing:
            fail(f"gives no '{parameter}' for model '{missing[0]}'; add models.{missing[0]}.{parameter}")
        if parameter in merge.method.overall and parameter not in merge.parameters:
            fail(f"gives no '{parameter}'; add parameters.{parameter}")


def _check_parameters(values: Mapping, merge: Merge, allowed: Mapping[str, Parameter], key: str, fail: Fail) -> None:
    for name, value in values.items():
        if name not in allowed:
            hint = did_you_mean(name, allowed) or "; it takes none"
            fail(f"has '{key}.{name}', which its method does not know{hint}")
        if isinstance(value, (list, dict)) and merge.is_ours and not _is_for_every_tensor(value):
            fail(
                f"has '{key}.{name}' = {value!r}; judgemerge's own merges take one value, or a list of "
                "{filter, value} whose last entry has no filter"
            )
        _check_value(value, allowed[name], f"{key}.{name}", fail, takes_lists=not merge.is_ours)


def _check_value(value: Any, parameter: Parameter, key: str, fail: Fail, takes_lists: bool) -> None:
    if parameter.choices:
        if value not in parameter.choices:
            fail(f"has '{key}' = {value!r}{did_you_mean(str(value), parameter.choices)}")
        return
    if not _is_setting(value):
        lists = ", or a list of them or of {filter, value}" if takes_lists else ""
        fail(f"has '{key}' = {value!r}; give a number{lists}")
    if parameter.is_count and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
        fail(f"has '{key}' = {value!r}; give a whole number above 0")
    if parameter.above_zero and not (isinstance(value, (int, float)) and value > 0):
        fail(f"has '{key}' = {value!r}; give a number above 0")
    for number in _numbers(value):
        if not math.isfinite(number):
            fail(f"has '{key}' = {number}; give a finite number")
        if not parameter.holds(number):
            fail(f"has '{key}' = {number:g}; it must lie in {parameter.span()}")


def _is_setting(value: Any) -> bool:
    """Return whether mergekit reads this: a scalar, a gradient, or a list of {filter, value} with those."""

    def is_plain(value: Any) -> bool:
        return isinstance(value, (bool, int, float)) or (
            isinstance(value, list) and bool(value) and all(isinstance(entry, (int, float)) for entry in value)
        )

    def is_filtered(entry: Any) -> bool:
        return (
            isinstance(entry, dict)
            and {"value"} <= set(entry) <= {"filter", "value"}
            and isinstance(entry.get("filter", ""), str)
            and is_plain(entry["value"])
        )

    return is_plain(value) or (isinstance(value, list) and bool(value) and all(map(is_filtered, value)))


def _is_for_every_tensor(value: Any) -> bool:
    """Return whether a list of {filter, value} has a single value for every tensor."""
    plain = is_by_filter(value) and all(isinstance(entry.get("value"), (bool, int, float)) for entry in value)
    return plain and "filter" not in value[-1]


def _numbers(value: Any) -> list[float]:
    """Return every number in a scalar, a gradient list, or mergekit's list of {filter, value}."""
    if isinstance(value, bool) or value is None:
        return []
    if isinstance(value, (int, float)):
        return [float(value)]
    if isinstance(value, dict):
        return _numbers(value.get("value"))
    return [number for entry in value for number in _numbers(entry)] if isinstance(value, list) else []


def _check_weights(merge: Merge, fail: Fail) -> None:
    weights = [*merge.weights.values()]
    if not weights or not all(isinstance(weight, (int, float)) for weight in weights):
        return
    total = sum(weights)
    usual = merge.method.overall.get("normalize")
    normalized = merge.parameters.get("normalize", usual is not None and usual.default)
    if normalized and abs(total) < WEIGHTS_TOLERANCE:
        fail(f"has weights that sum to {total:g}; they are divided by that sum, so give weights with a sum away from 0")
    if not normalized and merge.method.name == "linear" and abs(total - 1) > WEIGHTS_TOLERANCE:
        fail(f"has weights that sum to {total:g} with normalize: false; a linear merge needs a sum of 1")


def _check_engine(merge: Merge, fail: Fail) -> None:
    if merge.engine != "streamed":
        return
    if merge.method.kernel is None:
        fail(
            f"asks for engine 'streamed', which has no '{merge.method.name}'; remove 'engine' (streamed: "
            f"{', '.join(STREAMED)})"
        )


def _check_cocktail(merge: Merge, fail: Fail) -> None:
    weights = merge.weights
    if merge.examples is not None and weights:
        fail("has both weights and 'examples'; keep one of them")
    if merge.examples is not None:
        return
    needless = sorted(merge.parameters)
    if needless:
        fail(f"has 'parameters.{needless[0]}', which only counts with 'examples'; add those or remove it")
    missing = [parent for parent in merge.models if parent not in weights]
    if missing:
        fail(f"gives no 'weight' for model '{missing[0]}'; add models.{missing[0]}.weight, or 'examples'")
    check_sum(list(weights.values()), fail)


def _check_grams(merge: Merge, fail: Fail) -> None:
    if not merge.method.grams and merge.grams is not None:
        fail(f"has 'grams', which method '{merge.method.name}' does not use; remove them or use method 'regmean'")
    if not merge.method.grams:
        return
    for parent in merge.models:
        if parent not in (merge.grams or {}):
            fail(f"says nothing of what '{parent}' reads; add grams.{parent}, an item set such as it was trained on")
    for parent in merge.grams:
        if parent not in merge.models:
            fail(f"has grams of '{parent}', which is no parent{did_you_mean(parent, merge.models)}")


def _check_adapters(merge: Merge, adapters: Mapping[str, str] | None, fail: Fail) -> None:
    if merge.engine == "streamed" or (merge.is_ours and not merge.method.adapters):
        fail("has adapters: true, which only mergekit's methods take; use their exported models or adapter_linear")
    if adapters is None or not merge.method.adapters:
        return
    for parent in merge.models:
        if parent not in adapters:
            fail(f"names '{parent}', which is no LoRA expert{did_you_mean(parent, adapters)}")
        if adapters[parent] != merge.base:
            fail(f"has base '{merge.base}', but '{parent}' was trained on '{adapters[parent]}'; correct the base")
