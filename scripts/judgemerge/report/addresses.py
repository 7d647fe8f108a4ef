"""Addresses in explorer.html, as `parseAddress` of web/data.js reads them."""

from collections.abc import Collection
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

if TYPE_CHECKING:
    from pandas import DataFrame as Frame

    from judgemerge.report.table import Pair

EXPLORER = "explorer.html"
COLUMN = "address"  # of a table's rows while its page is made: where the items behind a row are shown
ABOUT = ("judge", "rater")  # columns that name the judge of a row


class Linked(str):
    """Words about a judge on a benchmark; the first page leads from them to the items behind them."""

    benchmark: str
    judge: str

    def __new__(cls, text: str, benchmark: str, judge: str = "") -> "Linked":
        """Return the words; without a judge they lead to all items of the benchmark."""
        linked = super().__new__(cls, text)
        linked.benchmark, linked.judge = benchmark, judge
        return linked


def of_items(benchmark: str, judge: str = "", folder: str = "") -> str:
    """Return the address of the items of a benchmark, as a judge judged them; `folder` leads to the explorer."""
    asked = {"benchmark": benchmark} | ({"judge": judge} if judge else {})
    return f"{folder}{EXPLORER}#?{urlencode(asked, errors='replace')}"


def of_table(name: str, folder: str = "") -> str:
    """Return the address of a table, which leads on from each row to its items."""
    return f"{folder}{EXPLORER}#:{quote(name, errors='replace')}"


def with_addresses(rows: "Frame", explored: Collection["Pair"], folder: str) -> "Frame":
    """Return the rows of a table with the address of the items behind each, "" where the explorer has none.

    `explored` are the pairs of judge and benchmark whose items are there. Judges are still called by their names.
    """
    about = next((column for column in ABOUT if column in rows), None)
    if about is None or "benchmark" not in rows:
        return rows
    pairs = zip(rows[about], rows.benchmark, strict=True)
    addresses = [of_items(pair[1], pair[0], folder) if pair in explored else "" for pair in pairs]
    return rows.assign(**{COLUMN: addresses}) if any(addresses) else rows
