"""A study file → checked settings with every default filled in. Runs at every start: imports nothing heavy."""

import copy
import datetime
import difflib
import functools
import logging
from collections.abc import Iterator, Mapping
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError, best_match

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.settings import study_file
from judgemerge.settings.study_file import Settings

logger = logging.getLogger(__name__)


# Keys that have a new name: path before → path now, of which parts may be `*`. Accepted for one version.
RENAMED: dict[str, str] = {
    "singly": "pairs_from_grades",
    "pairs_from_grades.redraws": "pairs_from_grades.tie_resamples",
}

# Scales of every study: a rehearsal of the whole graph (study/rehearsing.py).
SCALES: dict[str, dict] = {"twins": {"twins": {"dtype": "float32"}, "rehearsal": {}}}


def read(settings: dict, where: str) -> Settings:
    """Return the typed settings of a study file, with defaults filled in.

    Raises JudgemergeError with one sentence (file, key, value, nearest valid key or what is expected) for the first
    thing that does not fit. `where` names the file the settings came from.
    """
    check_against_schema(settings, study_file.schema(), where)
    return Settings.of(copy.deepcopy(settings))


def check_against_schema(settings: dict, schema: dict, where: str) -> None:
    """Raise JudgemergeError with one sentence for the first thing that does not fit a schema."""
    _check_keys_are_text(settings, where)
    errors = list(Draft202012Validator(schema).iter_errors(settings))
    if errors:
        raise JudgemergeError(f"{where}: {_sentence(_deepest(best_match(errors)))}")


def _check_keys_are_text(value: Any, where: str, above: str = "") -> None:
    """Refuse keys that YAML reads as numbers, truth values or nothing (`1:`, `on:`, `~:`): names are texts."""
    if isinstance(value, dict):
        for key, entry in value.items():
            if not isinstance(key, str):
                inside = f" in '{above}'" if above else ""
                raise JudgemergeError(f"{where}: key {key!r}{inside} is no text; put it in quotes, or rename it")
            _check_keys_are_text(entry, where, f"{above}.{key}" if above else key)
    elif isinstance(value, list):
        for number, entry in enumerate(value):
            _check_keys_are_text(entry, where, f"{above}.{number}")


def with_new_names(settings: dict, where: str, renames: Mapping[str, str] = RENAMED) -> dict:
    """Return the settings with every renamed key under its new name; a warning names both."""
    settings = copy.deepcopy(settings)
    scales = settings.get("scales")
    for part in (settings, *(scales.values() if isinstance(scales, dict) else ())):
        for before, now in renames.items():
            for path in list(_matches(part, before.split("."))):
                _move(part, path, now.split("."), where)
    return settings


def _matches(value: Any, pattern: list[str]) -> Iterator[list[str]]:
    """Yield every path in a mapping that fits a pattern, of which parts may be `*`."""
    if not pattern:
        yield []
    elif isinstance(value, dict):
        for name in value if pattern[0] == "*" else {pattern[0]} & value.keys():
            yield from ([name, *rest] for rest in _matches(value[name], pattern[1:]))


def _move(settings: dict, path: list[str], pattern: list[str], where: str) -> None:
    """Move one value to where a pattern says; the pattern's `*` are the names that stand in the same places."""
    target = [path[place] if part == "*" else part for place, part in enumerate(pattern)]
    before, now = ".".join(path), ".".join(target)
    if next(_matches(settings, target), None):
        raise JudgemergeError(f"{where}: '{before}' is now called '{now}', which is there too; remove one")
    *folders, last = path
    value = functools.reduce(dict.__getitem__, folders, settings).pop(last)
    *folders, last = target
    functools.reduce(lambda place, name: place.setdefault(name, {}), folders, settings)[last] = value
    logger.warning("%s: key '%s' is now called '%s'; rename it, the next version refuses it", where, before, now)


def at_scale(settings: dict, where: str) -> dict:
    """Return the study at the scale that `settings["scale"]` names: `scales.<scale>` laid over the rest, or several.

    Mappings are merged key by key, anything else is replaced, and null removes a key. The study is then called
    <study>_<scale>, so that two scales never share results.
    """
    settings = copy.deepcopy(settings)
    for key in ("downloads", "twins"):
        if settings.get(key) in ("true", "false"):  # a profile hands on what --config says as text
            settings[key] = settings[key] == "true"
    if isinstance(settings.get("date"), datetime.date):  # YAML reads 2024-07-26 as a date
        settings["date"] = settings["date"].isoformat()
    scales, scale = settings.pop("scales", None), settings.pop("scale", None)
    for name in _scale_names(scale):
        own = _own_scale(scales, name, where)
        settings = _laid_over(_laid_over(settings, SCALES.get(name, {})), own)
        settings["study"] = f"{settings.get('study')}_{name}"
    return settings


def _scale_names(scale: object) -> list[str]:
    """Return the scales that are laid over a study: none, one, or several with commas between them."""
    if scale is None or isinstance(scale, str):
        return [name.strip() for name in (scale or "").split(",") if name.strip()]
    return list(map(str, scale)) if isinstance(scale, list) else [str(scale)]


def _own_scale(scales: object, name: str, where: str) -> dict:
    """Return what a study itself says of a scale; of a scale of every study it may say nothing."""
    own = scales if isinstance(scales, dict) else {}
    if name not in own and name not in SCALES:
        hint = did_you_mean(name, [*own, *SCALES])
        raise JudgemergeError(f"{where}: scale '{name}' is unknown{hint}")
    if not isinstance(own.get(name, {}), dict):
        raise JudgemergeError(f"{where}: scales.{name} is {own[name]!r}, not a mapping of keys to change")
    return own.get(name, {})


def _laid_over(below: dict, above: dict) -> dict:
    result = dict(below)
    for key, value in above.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = _laid_over(result[key], value)
        else:
            result[key] = value
    return result


def _deepest(error: ValidationError) -> ValidationError:
    """Descend into `oneOf` alternatives, taking the one that the settings come nearest to."""
    while error.context:
        alternatives: dict[int, list[ValidationError]] = {}
        for sub in error.context:
            alternatives.setdefault(sub.schema_path[0], []).append(sub)

        # An alternative that lacks its required key was not the one meant, unless its key is only misspelt.
        def distance(group: list[ValidationError]) -> tuple[int, int, int]:
            misfits = sum(sub.validator in ("required", "type", "const") for sub in group)
            return misfits, len(group), -sum(map(_misspelt, group))

        error = min(alternatives.values(), key=distance)[0]
    return error


def _misspelt(error: ValidationError) -> int:
    """Return how many unknown keys resemble a known one."""
    if error.validator != "additionalProperties":
        return 0
    names = set(error.schema.get("properties", {}))
    return sum(bool(difflib.get_close_matches(str(key), names)) for key in error.instance)


def _sentence(error: ValidationError) -> str:
    key = ".".join(str(part) for part in error.absolute_path)
    inside = f" in '{key}'" if key else ""
    if error.validator == "additionalProperties":
        properties = error.schema.get("properties", {})
        unknown = sorted(set(error.instance) - set(properties))
        settable = {name for name, entry in properties.items() if "not" not in entry}
        return f"key '{unknown[0]}'{inside} is unknown{did_you_mean(unknown[0], settable)}"
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        purpose = error.schema.get("properties", {}).get(missing, {}).get("description", "")
        return f"key '{missing}'{inside} is missing; add it{f' ({_first_sentence(purpose)})' if purpose else ''}"
    if error.validator == "not":  # of keys that a file cannot set: the description says why
        return f"'{key}' cannot be set: {error.schema['description']}; remove the key"
    if error.validator in ("enum", "const"):
        words = error.validator_value if error.validator == "enum" else [error.validator_value]
        return f"'{key}' is {error.instance!r}{did_you_mean(str(error.instance), map(str, words))}"
    if "propertyNames" in error.absolute_schema_path:
        return f"name '{error.instance}'{inside} does not match {error.validator_value}; rename it"
    purpose = _first_sentence(error.schema.get("description", ""))
    meant = f"; it is meant as: {purpose}" if purpose else ""
    if error.validator == "pattern":
        return f"'{key}' is {error.instance!r}, which does not match {error.validator_value}{meant}"
    return f"'{key}' is wrong: {error.message}{meant}"


def _first_sentence(text: str) -> str:
    return text.split(". ")[0].rstrip(".")
