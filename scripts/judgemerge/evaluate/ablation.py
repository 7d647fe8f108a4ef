"""Rows of somebody's table of variants, each with the model of this study that stands for it (study key `ablation`).

Light: read at every start. The numbers are made in ablation_tables.py.
"""

import csv
from pathlib import Path
from typing import NamedTuple

from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.settings.study_file import Settings

# What a cell can be: agreement of grades or of pairs; alpha over runs of grades; transitivity of pairs.
SIDES = {"direct": "pointwise", "pairwise": "pairwise", "runs": "pointwise", "triples": "pairwise"}
MEAN = "mean"


class Cell(NamedTuple):
    """One value of a published table as it was printed; `side` is one of SIDES."""

    row: str
    side: str
    column: str
    value: str
    source: str


def read_published(path: str | Path) -> list[Cell]:
    """Return the cells of a published table."""
    if not Path(path).is_file():
        raise JudgemergeError(f"{path}: no such table; correct the path in ablation.tables")
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        if tuple(reader.fieldnames or ()) != Cell._fields:
            raise JudgemergeError(f"{path}: the columns are {reader.fieldnames}, not {', '.join(Cell._fields)}")
        cells = [Cell(**row) for row in reader]
    for cell in cells:
        if cell.side not in SIDES:
            raise JudgemergeError(f"{path}: side is '{cell.side}'{did_you_mean(cell.side, SIDES)}")
        as_number(cell.value, str(path))
    return cells


def as_number(printed: str, where: str) -> float:
    """Return a printed value: a share for a percentage."""
    try:
        return float(printed.removesuffix("%")) / (100 if printed.endswith("%") else 1)
    except ValueError:
        raise JudgemergeError(
            f"{where}: value '{printed}' is no number; write it as printed, with % if it is one"
        ) from None


def variant_judges(settings: Settings) -> list[str]:
    """Return the judges that the tables and the sweep need, in their order."""
    tables = settings.ablation.tables.values() if settings.ablation else ()
    named = [judge for table in tables for judges in table.judges().values() for judge in judges]
    return list(dict.fromkeys([*named, *sweep_shares(settings)]))


def sweep_shares(settings: Settings) -> dict[str, float]:
    """Return the merges of the sweep with the share of the first of their two models, in the order of the shares."""
    if not settings.ablation or not settings.ablation.sweep:
        return {}
    shares = {}
    for name, merge in settings.merges.items():
        if name.startswith(f"{settings.ablation.sweep}_alpha_"):
            weights = [parent.get("weight", 0.0) for parent in merge.models.values()]
            shares[name] = weights[0] / sum(weights)
    return dict(sorted(shares.items(), key=lambda pair: pair[1]))
