"""items.csv: what every item set holds, and what was left out or mended on the way."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from judgemerge.report.markup import TEXT, frame
from judgemerge.report.material import Material
from judgemerge.report.table import Column, Frame, Inputs, Section, Study, Table, has_judges

COLUMNS = {
    "benchmark": Column("name of the item set"),
    "count": Column("what is counted; parts of a count have dotted names"),
    "value": Column("how many there are", TEXT),
}
STAND_INS = "stand_ins"  # raw files of a rehearsal that are made up
FIRST = (
    "protocol",
    STAND_INS,
    "rows",
    "items",
    "judgeable",
    "not_public",
    "clusters",
)  # counts that every item set has


def counted_sets(study: Study) -> list[str]:
    """Return every item set that is run, trained on or looked for."""
    return [name for name in study.item_sets if name in study.benchmarks or name not in study.all_benchmarks]


def inputs(study: Study) -> Inputs:
    """Return what was counted while those sets were written."""
    return Inputs(counts=counted_sets(study))


def parameters(study: Study) -> dict[str, Any]:
    """Return the sets, and for a rehearsal those that are made from stand-ins."""
    item_sets = counted_sets(study)
    made_up = {name: sorted({*study.stand_ins} & {*study.benchmark_sources(name).values()}) for name in item_sets}
    made_up = {name: sources for name, sources in made_up.items() if sources}
    return {"item_sets": item_sets} | ({"stand_ins": made_up} if made_up else {})


def rows(material: Material, item_sets: list[str], stand_ins: Mapping[str, list[str]] = MappingProxyType({})) -> Frame:
    """Return one row per item set and count."""
    import pandas as pd

    lines = []
    for name in item_sets:
        counts = material.counts(name)
        flat = pd.json_normalize({key: value for key, value in counts.items() if key != "benchmark"}, sep=".").iloc[0]
        lines += [(counts["benchmark"], key, value) for key, value in flat.items()]
        lines += [(counts["benchmark"], STAND_INS, ", ".join(stand_ins[name]))] if name in stand_ins else []
    return pd.DataFrame(lines, columns=list(COLUMNS))


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one row per item set, the counts that all have first."""
    counts = table.pivot(index="benchmark", columns="count", values="value")
    first = [name for name in FIRST if name in counts]
    wide = counts[[*first, *(name for name in counts if name not in first)]].reset_index()
    return [("Counts", frame(wide))]


TABLE = Table(
    title="Item sets",
    caption="What each item set holds: rows read, items, items whose text is public, prompts (clusters), duplicates, "
    "and what was mended.",
    columns=COLUMNS,
    condition=has_judges,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro="What every item set holds, and what was mended or excluded on the way.",
    sections=sections,
)
