"""Tables of a study as data frames."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import pandas as pd

from judgemerge.core import files


def read_table(path: str | Path, texts: Iterable[str] = ()) -> pd.DataFrame:
    """Return a table that a rule has written: an empty cell is NaN, but "" for a text that may be empty.

    Nothing else is read as NaN: a judge may be called `null`. Columns named in `texts` are read as they are written.
    """
    table = pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=dict.fromkeys(texts, str))
    return table.fillna({"note": "", "group": "", **dict.fromkeys(texts, "")})


def write_table(path: str | Path, table: pd.DataFrame) -> None:
    """Write a table as CSV, without its index."""
    with files.atomic_writer(path) as file:
        table.to_csv(file, index=False)


JUDGE_COLUMNS = ("judge", "judge_a", "judge_b", "rater", "parent")


def with_labels(table: pd.DataFrame, labels: Mapping[str, str]) -> pd.DataFrame:
    """Return the table with judges named as figures and pages name them; people and other names stay as they are."""
    renamed = {column: table[column].replace(dict(labels)) for column in JUDGE_COLUMNS if column in table}
    return table.assign(**renamed)


def of_judges(table: pd.DataFrame, judges: Mapping[str, object], every: Mapping[str, object]) -> pd.DataFrame:
    """Return the rows of `judges`, and those that are about none of `every` judge."""
    left_out = set(every) - set(judges)
    about = [table[column].isin(left_out) for column in JUDGE_COLUMNS if column in table and column != "parent"]
    return table[~pd.concat(about, axis=1).any(axis=1)] if about and left_out else table
