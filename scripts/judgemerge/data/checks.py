"""What can be wrong with the benchmarks and item sets that a study names, and with the prompts that show them."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, did_you_mean, require_known
from judgemerge.data import item_fields
from judgemerge.prompting.prompts import Template

if TYPE_CHECKING:
    from judgemerge.study.study import Study

_OF_EVERY_ITEM = {"prompt", "response", "response_a", "response_b", "verdict", "score"}


def check(study: "Study") -> None:
    """Refuse suites of unknown benchmarks, item sets without their raw files, and rubrics that are none."""
    _check_suites(study)
    for item_set in study.settings.overlap.also:
        require_known(item_set, study.catalogues.benchmarks, f"{study.where}: overlap.also names the unknown item set")
    for item_set in study.item_sets:
        for role, value in study.benchmark_sources(item_set).items():
            check_raw_file(study, f"config/benchmarks.yaml: {item_set}", role, value)
    for item_set in study.item_sets:
        study.rubric(item_set)


def _check_suites(study: "Study") -> None:
    suites: dict[str, str] = {}
    for suite, entry in study.settings.suites.items():
        for development in entry.development_sets:
            _check_development(study, suite, development)
        for benchmark in entry.benchmarks:
            require_item_set(study, benchmark, f"suites.{suite}.benchmarks names the unknown benchmark")
            other = suites.setdefault(benchmark, suite)
            if other != suite or entry.benchmarks.count(benchmark) > 1:
                raise JudgemergeError(
                    f"{study.where}: benchmark '{benchmark}' stands twice (suites.{other}, suites.{suite}); keep one"
                )
            if entry.limit is not None and benchmark in study.training_sets:
                raise JudgemergeError(
                    f"{study.where}: suites.{suite}.limit draws from '{benchmark}', which a model is also trained on; "
                    "remove the limit"
                )


def _check_development(study: "Study", suite: str, development: str) -> None:
    """Refuse a development set that is a benchmark, has rows of one, or is learnt by a model of the study."""
    key = f"suites.{suite}.development"
    require_item_set(study, development, f"{key} names the unknown item set")
    others = [name for name, entry in study.settings.suites.items() if development in entry.development_sets]
    if others[0] != suite:
        raise JudgemergeError(
            f"{study.where}: development set '{development}' stands twice (suites.{others[0]}, suites.{suite}); keep "
            "one, and put benchmarks that share it into one suite"
        )
    own = study.settings.suites[suite].benchmarks
    tested = ["a benchmark of the suites"] if development in study.all_benchmarks else []
    tested += [f"of the rows of '{name}'" for name in own if _shares_rows(study, name, development)]
    if tested:
        raise JudgemergeError(
            f"{study.where}: {key} names '{development}', which is {tested[0]}; what was fitted on a set cannot be "
            "tested on it: take another part of the data"
        )
    if development in study.training_sets:
        raise JudgemergeError(
            f"{study.where}: {key} names '{development}', which {study.training_sets[development][0]} learns; take "
            "another part of the data"
        )


def _shares_rows(study: "Study", benchmark: str, development: str) -> bool:
    """Return whether two entries of the catalogue read the same rows of the same files, and are no parts of them."""
    entries = [study.catalogues.benchmarks[name] for name in (benchmark, development)]
    if not entries[0].get("sources") or any(
        entries[0].get(key) != entries[1].get(key) for key in ("loader", "sources", "options")
    ):
        return False
    one, other = (entry.get("part") for entry in entries)
    division = ("shares", "seed")
    return not one or not other or any(one[key] != other[key] for key in division) or one["name"] == other["name"]


def require_item_set(study: "Study", name: str, text: str) -> None:
    """Refuse an item set that does not exist, or that holds prompts alone and so cannot be judged or learnt."""
    require_known(name, study.catalogues.benchmarks, f"{study.where}: {text}")
    if study.protocol(name) == "prompts":
        where = text.partition(" names")[0]
        raise JudgemergeError(f"{study.where}: {where} names '{name}', prompts without truth; put it in overlap.also")


def check_raw_file(study: "Study", where: str, role: str, value: str) -> None:
    """Refuse a raw file that is neither a key of the catalogue nor there."""
    if value not in study.catalogues.sources and not Path(value).is_file():
        near = did_you_mean(value, study.catalogues.sources)
        raise JudgemergeError(
            f"{where}: {role} is '{value}', neither a key of config/sources.yaml nor a file"
            f"{near if near.startswith('; did') else '; correct it'}"
        )


def missing_of_questions(template: Template) -> list[str]:
    """Return what a template shows that questions, which have a reference and a category at most, do not have."""
    return sorted(template.fields - _OF_EVERY_ITEM - {"reference", "category", "criteria"})


def check_fields(
    study: "Study", template: Template, fields: Iterable[str], sets: list[str], user: str, of: str, key: str
) -> None:
    """Refuse fields that none of the item sets can have; what is not known of one set is no reason."""
    for field in sorted({"category" if name == "criteria" else name for name in fields} - _OF_EVERY_ITEM):
        if sets and not any(_has(study, name, field) for name in sets):
            remedy = "name a rubric in judging.rubric" if field in ("rubric", "criterion") else "take other item sets"
            raise JudgemergeError(
                f"{study.where}: prompt '{template.name}' of {user} needs {{{field}}}, which no item of {of} has "
                f"({', '.join(sets)}); {remedy}, or another prompt in {key}"
            )


def _has(study: "Study", item_set: str, field: str) -> bool:
    fields = item_fields.of(study.catalogues.benchmarks[item_set])
    if fields is None or field in fields:
        return True
    if field in ("rubric", "criterion"):
        return study.rubric(item_set) is not None
    return field == "category" and item_set in study.settings.judging.categories
