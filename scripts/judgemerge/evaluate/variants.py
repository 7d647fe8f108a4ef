"""Rows of somebody's table of variants, each with the model of this study that stands for it (study key `ablation`).

Light: read at every start. The numbers are made in agreement/ablation.py.
"""

import csv
from pathlib import Path

from judgemerge.core.errors import JudgemergeError, did_you_mean

COLUMNS = ("row", "side", "column", "value", "source")
SIDES = {"direct": "pointwise", "pairwise": "pairwise"}
MEAN = "mean"


def read_published(path: str | Path) -> list[dict[str, str]]:
    """Return the cells of a published table: row, side (direct or pairwise), column, value as printed, source."""
    if not Path(path).is_file():
        raise JudgemergeError(f"{path}: no such table; correct the path in ablation.tables")
    with open(path, encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file, delimiter="\t")
        if tuple(reader.fieldnames or ()) != COLUMNS:
            raise JudgemergeError(f"{path}: the columns are {reader.fieldnames}, not {', '.join(COLUMNS)}")
        rows = list(reader)
    for row in rows:
        if row["side"] not in SIDES:
            raise JudgemergeError(f"{path}: side is '{row['side']}'{did_you_mean(row['side'], SIDES)}")
        as_number(row["value"], str(path))
    return rows


def as_number(printed: str, where: str) -> float:
    """Return a printed value: a share for a percentage."""
    try:
        return float(printed.removesuffix("%")) / (100 if printed.endswith("%") else 1)
    except ValueError:
        raise JudgemergeError(
            f"{where}: value '{printed}' is no number; write it as printed, with % if it is one"
        ) from None


def judges(settings: dict) -> list[str]:
    """Return the judges that the tables and the sweep need, in their order."""
    entry = settings.get("ablation") or {}
    named = [judge for table in entry.get("tables", {}).values() for judge in table["rows"].values()]
    return list(dict.fromkeys([*named, *sweep(settings)]))


def sweep(settings: dict) -> dict[str, float]:
    """Return the merges of the sweep with the share of the first of their two models, in the order of the shares."""
    grid = (settings.get("ablation") or {}).get("sweep")
    if not grid:
        return {}
    shares = {}
    for name, merge in settings["merges"].items():
        if name.startswith(f"{grid}_alpha_"):
            weights = [values.get("weight", 0.0) for values in merge["models"].values()]
            shares[name] = weights[0] / sum(weights)
    return dict(sorted(shares.items(), key=lambda pair: pair[1]))


def check(study) -> None:
    """Refuse an ablation whose rows, columns, judges or grid do not exist."""
    entry = study.settings.get("ablation")
    if not entry:
        return
    where = f"{study.where}: ablation"
    for column, benchmark in entry["benchmarks"].items():
        if benchmark not in study.all_benchmarks:
            near = did_you_mean(benchmark, study.all_benchmarks)
            raise JudgemergeError(f"{where}.benchmarks.{column} is '{benchmark}', which stands in no suite{near}")
    for name, table in entry["tables"].items():
        cells = read_published(table["published"])
        row_names = {cell["row"] for cell in cells}
        columns = {cell["column"] for cell in cells} - {MEAN}
        for row, judge in table["rows"].items():
            if row not in row_names:
                raise JudgemergeError(f"{where}.tables.{name}.rows names the row '{row}'{did_you_mean(row, row_names)}")
            if judge not in study.judges:
                near = did_you_mean(judge, study.judges)
                raise JudgemergeError(f"{where}.tables.{name}.rows.{row} is '{judge}', no judge of this study{near}")
        if not columns & set(entry["benchmarks"]):
            raise JudgemergeError(
                f"{where}.benchmarks names no column of {table['published']}: {', '.join(sorted(columns))}"
            )
    if entry.get("sweep") and len(sweep(study.settings)) < 2:
        raise JudgemergeError(f"{where}.sweep is '{entry['sweep']}', no merge with a grid of alpha; add one to merges")
