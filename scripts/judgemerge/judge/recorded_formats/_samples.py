"""What formats of other harnesses share: samples as rows with named fields, which `jsonl` reads like any others."""

import functools
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from judgemerge.core.catalogues import check_keys
from judgemerge.core.items import Item
from judgemerge.data.benchmarks._rows import Row, is_wanted
from judgemerge.judge.recorded_formats import Recorded, jsonl

SamplesOf = Callable[[Path, Mapping], Iterator[Row]]  # the samples of a file, by the judge's options


def check(entry: dict, where: str, own: Mapping[str, type]) -> None:
    """Refuse an entry that cannot be right; `own` are the options that `jsonl` does not have."""
    options = entry.get("options", {})
    for settings in (options, *(role for roles in entry["benchmarks"].values() for role in roles.values())):
        if isinstance(settings, Mapping):
            check_keys(settings.get("rows", {}), {}, {"where": dict}, f"{where}: rows")
    check_keys({name: options[name] for name in own if name in options}, {}, own, f"{where}: options")
    others = {name: value for name, value in options.items() if name not in own}
    jsonl.check({**entry, "options": others}, where)


def rows(samples_of: SamplesOf, path: Path, layout: Mapping | None, options: Mapping) -> Iterator[Row]:
    """Yield the samples that `rows.where` leaves."""
    conditions = (layout or {}).get("where", {})
    return (row for row in samples_of(path, options) if is_wanted(row, conditions))


def read(samples_of: SamplesOf, paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the verdicts on the items, in their order."""
    return jsonl.read(paths, items, options, functools.partial(_rows_of, samples_of, options))


def unknown_ids(samples_of: SamplesOf, role: str, path: Path, item_ids: set[str], options: dict) -> list[str]:
    """Return the ids of a file that are no item's, as far as the file has ids."""
    return jsonl.unknown_ids(role, path, item_ids, options, functools.partial(_rows_of, samples_of, options))


def _rows_of(samples_of: SamplesOf, options: Mapping, path: Path, layout: Mapping | None) -> Iterator[Row]:
    return rows(samples_of, path, layout, options)
