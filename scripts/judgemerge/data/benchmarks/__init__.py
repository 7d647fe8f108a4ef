"""Benchmarks: the catalogue (config/benchmarks.yaml), one loader module per data family, and their checks.

A loader is a module of this package with `load(paths, spec, counts) -> Iterator[Item]`: `paths` gives a file per
role, `spec` is what decides of the catalogue entry (`Entry`), and `counts` takes what the loader
wants to be reported. Its docstring states the truth rule. Nothing else registers it.
"""

import collections
import fnmatch
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from judgemerge.core.catalogues import check_keys, load_yaml
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.items import CLASSES, PROTOCOLS, Item, part_of, sample, without_lone_surrogates
from judgemerge.core.registry import Modules
from judgemerge.settings.report import EPSILONS

LOADERS = Modules(__name__, "loader", needs=("load(paths, spec, counts)",))
UNLABELLED = "unlabelled"  # the option of an entry whose items may have no truth: they are judged and not scored
REQUIRED = {"loader": str, "protocol": str, "description": str, "truth": str, "sources": dict}
OPTIONAL = {
    "expected": dict,  # counts that must come out: rows, items, judgeable, …
    "about": int,  # how many items it has (before `part`), where nobody could count them; for plans alone
    "truth_by": str,  # people, facts (the right answer is known) or a model
    "annotators": str,  # who they are: experts, skilled or crowd
    "category": str,  # what the categories are
    "categories": dict,  # category as the loader gives it → category in tables; * stands for any text
    "published": str,  # module of judgemerge/evaluate/published/ that counts as the benchmark's paper does
    "licence": str,
    "rubric": str,  # rubric of its items: a name of config/rubrics/ or the path of a YAML file
    "options": dict,  # read by the loader
    "part": dict,  # the part of the items that this set is: {name, shares, seed, draw, longest}; see items.part_of
}


@dataclass(frozen=True)
class Entry:
    """What decides which items a set has: its name, the loader, and what that is told."""

    name: str
    loader: str
    protocol: str
    sources: Mapping[str, str]
    expected: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)
    part: Mapping[str, Any] | None = None
    categories: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, spec: Mapping[str, Any]) -> "Entry":
        """Return the entry of that name; words for readers are no part of it."""
        return cls(name, **deciding(spec))

    @property
    def where(self) -> str:
        """How errors name it."""
        return f"benchmark '{self.name}'"


def deciding(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a catalogue entry decides which items come out, or whether any do: a reworded one makes none."""
    return {one.name: spec[one.name] for one in fields(Entry)[1:] if one.name in spec}


def load_catalogue(path: str | Path) -> dict[str, dict]:
    """Return the benchmarks of a catalogue by name; an entry that cannot be right raises JudgemergeError."""
    catalogue = load_yaml(path)
    for name, spec in catalogue.items():
        where = f"{path}: benchmark '{name}'"
        _rename_adapter(spec, where)
        check_keys(spec, REQUIRED, OPTIONAL, where)
        entry = Entry.of(name, spec)
        if entry.protocol not in (*PROTOCOLS, "prompts"):
            raise JudgemergeError(f"{where}: protocol is '{entry.protocol}', not {', '.join(PROTOCOLS)} or prompts")
        if spec.get("annotators", "experts") not in EPSILONS:
            raise JudgemergeError(f"{where}: annotators is '{spec['annotators']}', not {' or '.join(EPSILONS)}")
        if entry.loader not in LOADERS.names:
            near = did_you_mean(entry.loader, LOADERS.names)
            raise JudgemergeError(f"{where}: unknown loader '{entry.loader}'{near}")
        if entry.loader == "jsonl":
            LOADERS.load("jsonl").check(entry, where)
    return catalogue


def _rename_adapter(spec: object, where: str) -> None:
    """Take the key `adapter` of version 0.1 for `loader`, and say so."""
    if isinstance(spec, dict) and "adapter" in spec and "loader" not in spec:
        print(f"{where}: the key 'adapter' is called 'loader' now; rename it", file=sys.stderr)
        spec |= {"loader": spec.pop("adapter")}


def load_items(
    benchmark: str, spec: dict, paths: dict[str, Path], limit: int | None = None, seed: int | None = None
) -> tuple[list[Item], dict]:
    """Return the items of a benchmark, at most `limit` drawn with `seed`, and what was counted on the way.

    Counts that differ from `expected` in the catalogue raise JudgemergeError, and so does an id that occurs twice.
    """
    entry = Entry.of(benchmark, spec)
    missing = entry.sources.keys() - paths.keys()
    if missing:
        raise JudgemergeError(f"benchmark '{benchmark}': no file given for {', '.join(sorted(missing))}")
    counts = collections.Counter(rows=0)
    paths = {role: Path(path) for role, path in paths.items()}  # the contract of loaders, whoever calls
    items = list(LOADERS.load(entry.loader).load(paths, entry, counts))
    items = _mended(items, entry.categories, counts, f"benchmark '{benchmark}'")
    repeated = [item for item, n in collections.Counter(item.id for item in items).items() if n > 1]
    if repeated:
        raise JudgemergeError(f"benchmark '{benchmark}': id '{repeated[0]}' occurs twice; ids must be unique")
    for item in items:
        if (item.benchmark, item.protocol) != (benchmark, entry.protocol):
            raise JudgemergeError(
                f"benchmark '{benchmark}': loader '{entry.loader}' gives {item.protocol} items of "
                f"'{item.benchmark}', but the entry is {entry.protocol}; correct one of them"
            )
        if item.truth is not None or not entry.options.get(UNLABELLED):
            item.require_truth()
    counts = dict(counts) | _describe(items)
    for key, expected in entry.expected.items():
        if counts.get(key, 0) != expected:
            file = next(iter(paths.values()), entry.loader)
            raise JudgemergeError(
                f"{file}: benchmark '{benchmark}' has {key} {counts.get(key, 0)}, "
                f"but the catalogue expects {expected}; fetch the file again or correct `expected`"
            )
    if entry.part is not None:
        check_keys(
            entry.part, {"name": str, "shares": dict, "seed": int}, {"draw": int, "longest": int}, f"{benchmark}: part"
        )
        part = part_of(items, **entry.part, where=f"benchmark '{benchmark}'")
        counts |= _describe(part) | {"part_of": len(items)}
        items = part
    if limit is not None and len(items) > limit:
        sampled = sample(items, limit, seed)
        counts |= _describe(sampled) | {"drawn_from": len(items)}
        items = sampled
    return items, counts


def _mended(items: list[Item], categories: dict, counts: collections.Counter, where: str) -> list[Item]:
    """Return the items with their categories mapped and their texts fit for UTF-8; what was replaced is counted."""
    mended, matched = [], set()
    for item in items:
        item, n_surrogates = without_lone_surrogates(item)
        if n_surrogates:
            counts.update(lone_surrogates=n_surrogates)
        pattern = _pattern_of(item.category, categories)
        if pattern is not None:
            item = replace(item, category=str(categories[pattern]))
            matched.add(pattern)
        mended.append(item)
    unused = [pattern for pattern in categories if pattern not in matched]
    if unused and items:
        names = {item.category for item in items if item.category}
        raise JudgemergeError(
            f"{where}: categories maps '{unused[0]}', but no item that is left to it has that category"
            f"{did_you_mean(str(unused[0]), names)}"
        )
    return mended


def _pattern_of(category: str | None, categories: dict) -> object | None:
    matches = (one for one in categories if category is not None and fnmatch.fnmatchcase(category, str(one)))
    return next(matches, None)


def _describe(items: list[Item]) -> dict:
    """Count what any reader of a table wants to know of the items, whatever the benchmark."""
    judgeable = [item for item in items if item.judgeable]
    texts = {(item.turns, item.responses) for item in judgeable}
    described: dict[str, Any] = {
        "items": len(items),
        "judgeable": len(judgeable),
        "not_public": len(items) - len(judgeable),
        "clusters": len({item.cluster for item in items}),
        "duplicates": len(judgeable) - len(texts),
        "empty_responses": sum("" in response for item in judgeable for response in item.responses),
        "with_reference": sum(item.reference is not None for item in items),
    }
    if items and items[0].protocol == "pairwise":
        truths = collections.Counter(item.truth for item in items)
        unlabelled = {"without_truth": truths[None]} if truths[None] else {}
        described |= {
            "truth": {label: truths[label] for label in CLASSES},
            **unlabelled,
            "identical_responses": sum(item.responses[0] == item.responses[1] for item in judgeable),
            "votes_on_items": sum(len(item.votes) for item in items),
        }
    elif items and items[0].protocol == "pointwise":
        described |= {"truth_values": len({item.truth for item in items} - {None})}
    return described
