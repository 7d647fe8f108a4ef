"""What of a study may be handed on: the texts of items and the verdicts of others, as their licences say."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from judgemerge.study.study import Study

# Licences under which anybody may pass data on, changed or not, with the name of its makers.
FREE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC-BY-3.0", "CC-BY-4.0", "CC-BY-SA-3.0", "CC-BY-SA-4.0",
    "CC0-1.0", "CDLA-Permissive-1.0", "CDLA-Permissive-2.0", "ISC", "MIT", "ODC-By-1.0", "ODbL-1.0", "PDDL-1.0",
    "Unlicense",
}  # fmt: skip
NOT_STATED = "not stated"


class Permission(NamedTuple):
    """Whether data may be handed on, the licences that say so or forbid it, and a sentence for readers."""

    allowed: bool
    licences: tuple[str, ...]
    reason: str


def of_items(study: Study, benchmark: str) -> Permission:
    """Return whether the texts and votes of an item set may be handed on.

    Every raw file has to have a free licence; for files that are named by their path the entry of the item set says it.
    """
    entry, sources = study.catalogues.benchmarks[benchmark], list(study.benchmark_sources(benchmark).values())
    if not sources:
        return Permission(True, (), "made by judgemerge")
    stated = [entry["licence"]] if "licence" in entry else []
    return _permission([*stated, *_licences(study, sources, stated)])


def of_verdicts(study: Study, judge: str, benchmark: str) -> Permission:
    """Return whether the verdicts of a judge may be handed on: those of recorded judges are data of others."""
    kind = study.kind(judge)
    if kind == "recorded":
        sources = study.catalogues.recorded[judge].sources(benchmark).values()
        return _permission(_licences(study, sources, []))
    if judge in study.panels:
        parts = [of_verdicts(study, member, benchmark) for member in study.panels[judge].members]
        refused = [part for part in parts if not part.allowed]
        return refused[0] if refused else Permission(True, (), "assembled by this study")
    return Permission(True, (), "given in this study")


def _licences(study: Study, sources: Iterable[str], of_paths: list[str]) -> list[str]:
    known = study.catalogues.sources
    return [
        licence
        for source in sources
        for licence in ([known[source].licence] if source in known else of_paths or [NOT_STATED])
    ]


def _permission(licences: Iterable[str]) -> Permission:
    named = tuple(dict.fromkeys(licences))
    refused = [licence for licence in named if licence not in FREE]
    if refused:
        return Permission(False, named, f"licence: {'; '.join(refused)}")
    return Permission(True, named, f"licence: {', '.join(named)}")


def addresses(record: Mapping[str, dict], sources: Iterable[str]) -> dict[str, dict]:
    """Return what the record of a run says of raw files; a path of somebody's machine is no address."""
    entries = {key: record[key] for key in sources if key in record}
    return {key: entry | ({} if "://" in entry["url"] else {"url": ""}) for key, entry in entries.items()}
