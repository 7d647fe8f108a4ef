"""Criteria of somebody's choice in place of those that a prompt shows for a category: some of them, or quite others."""

import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from judgemerge.data import loose_records
from judgemerge.judge.streaming import Record, parsed
from judgemerge.prompting.prompts import Template

_NUMBERED = re.compile(r"^\s*\d+\s*[.)]\s*", re.MULTILINE)
REFERENCE = "_reference"  # what ends the name of a prompt that shows a reference answer, beside one that does not


def split(text: str) -> list[str]:
    """Return the criteria of a text: its numbered entries, or all of it where it has none."""
    parts = [part.strip() for part in _NUMBERED.split(text)[1:]] if _NUMBERED.search(text) else [text.strip()]
    return [part for part in parts if part]


def offered(template: Template) -> dict[str, str]:
    """Return name → criterion of all that a prompt has for any category, to choose from.

    A criterion is called by what stands before its colon; the category is added where others of the name say something
    else. One without a name is called by its category.
    """
    texts: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for category, criteria in template.criteria.items():
        for criterion in split(criteria):
            name, colon, _ = criterion.partition(":")
            texts[name.strip() if colon and len(name) < 60 else category][criterion].append(category)
    return {
        name if len(of_name) == 1 else f"{name} ({', '.join(categories)})": criterion
        for name, of_name in sorted(texts.items())
        for criterion, categories in of_name.items()
    }


def listed(criteria: Sequence[str], template: Template) -> str:
    """Return criteria as a prompt shows them: numbered, unless its own are not."""
    if any(_NUMBERED.search(text) for text in template.criteria.values()):
        return "\n".join(f"{number}.{criterion}" for number, criterion in enumerate(criteria, 1))
    return ", ".join(criteria)


def with_criteria(template: Template, criteria: Sequence[str], categories: Iterable[str]) -> Template:
    """Return the prompt with these criteria for every one of the categories; without any, as it is."""
    if not criteria:
        return template
    return replace(template, criteria={category.lower(): listed(criteria, template) for category in categories})


def with_reference_where_there_is_one(template: Template, prompts: Mapping[str, Template]) -> Template:
    """Return a prompt that shows a reference answer, asking without one as its twin does where a record has none."""
    twin = prompts.get(template.name.removesuffix(REFERENCE))
    if twin is None or twin is template or template.otherwise is not None or twin.system != template.system:
        return template
    return replace(template, otherwise=twin.user)


def categories_of(records: Iterable[Record]) -> list[str]:
    """Return the categories that records name, in their order."""
    values = (parsed(record.text)[0] for record in records if not record.fault)
    named = (value.get("category") for value in values if isinstance(value, dict))
    return list(dict.fromkeys(name for name in named if isinstance(name, str)))


def with_category(record: Record, category: str | None, always: bool = False) -> Record:
    """Return a record with a category, where it has none of its own, or `always`."""
    value, fault = (None, record.fault) if record.fault else parsed(record.text)
    if fault or not isinstance(value, dict) or category is None:
        return record
    if not always and isinstance(value.get("category"), str) and value["category"].strip():
        return record
    return replace(record, text=json.dumps({**value, "category": category}))


def reference_of(record: Record) -> str | None:
    """Return the reference answer of a record, None without one."""
    value = parsed(record.text)[0] if not record.fault else None
    reference = value.get("reference") if isinstance(value, dict) else None
    return loose_records.stated(reference) if isinstance(reference, str) else None
