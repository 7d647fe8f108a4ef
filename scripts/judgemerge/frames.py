"""Tables of a study as data frames."""

from pathlib import Path

import pandas as pd


def read_table(path: str | Path) -> pd.DataFrame:
    """Return a table that a rule has written: an empty cell is NaN, but "" for a text that may be empty.

    Nothing else is read as NaN: a judge may be called `null`.
    """
    return pd.read_csv(path, keep_default_na=False, na_values=[""]).fillna({"note": "", "group": ""})
