"""The rows of every protocol of a study as a table in the shape of agreement.csv."""

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from judgemerge.evaluate.estimates import DECIMALS
from judgemerge.evaluate.published import PROTOCOLS, Case, Row
from judgemerge.evaluate.score import COLUMNS

NUMBERS = ["value", "ci_low", "ci_high"]


def published_table(cases: Mapping[str, Case], protocols: Mapping[str, str]) -> pd.DataFrame:
    """Return the rows of every benchmark under its protocol, then the averages over benchmarks.

    `protocols` maps a benchmark to the name of its module.
    """
    parts = [
        _frame(benchmark, case.items[0].protocol, PROTOCOLS.load(protocols[benchmark]).rows(case))
        for benchmark, case in cases.items()
    ]
    table = pd.concat(parts)
    for name in dict.fromkeys(protocols.values()):
        module = PROTOCOLS.load(name)
        for average, members in getattr(module, "AVERAGES", {}).items():
            parts.append(_average(table, average, members, module.AVERAGED))
    table = pd.concat([part for part in parts if len(part)])
    table[NUMBERS] = table[NUMBERS].astype(float).round(DECIMALS) + 0.0  # + 0.0 makes −0.0 into 0.0
    return table.reset_index(drop=True)


def _frame(benchmark: str, kind: str, rows: Sequence[Row]) -> pd.DataFrame:
    records = [vars(row) | {"note": _note(row), "benchmark": benchmark, "protocol": kind} for row in rows]
    return pd.DataFrame(records, columns=list(COLUMNS))


def _note(row: Row) -> str:
    if row.note or not math.isnan(row.value):
        return row.note
    return "both sides are one constant class" if row.n else "there is nothing to average over"


def _average(table: pd.DataFrame, name: str, members: Sequence[str], metrics: Sequence[str]) -> pd.DataFrame:
    """Return the plain mean over benchmarks of the metrics that a judge has on all of them."""
    averaged = table[table.benchmark.isin(members) & table.metric.isin(metrics) & (table.rules == "published")]
    rows = [
        Row(judge, metric, float(np.mean(group.value)), int(group.n.sum()), int(group.errors.sum()))
        for (judge, metric), group in averaged.groupby(["judge", "metric"], sort=False)
        if set(group.benchmark) == set(members)
    ]
    return _frame(name, averaged.protocol.iloc[0] if len(averaged) else "", rows)
