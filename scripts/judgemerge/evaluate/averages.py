"""Means over benchmarks, or over the categories of one, as rows in the shape of agreement.csv."""

from collections.abc import Mapping

import pandas as pd

from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Measurement, mean_of
from judgemerge.evaluate.score import COLUMNS, RULES


def average_table(
    averages: Mapping[str, Mapping], scores: Mapping[str, pd.DataFrame], groups: Mapping[str, pd.DataFrame]
) -> pd.DataFrame:
    """Return the plain mean over the parts of each average, whatever their sizes; columns as in agreement.csv.

    An average is {benchmarks: names}, or {categories_of: benchmark, categories: names or {new: names}}. `scores` are
    rows of scores/{benchmark}.csv by benchmark, `groups` those of its table of bias with aspect "category". The parts
    are taken as independent (`mean_of`); n and errors are sums, and so are clusters, which categories do not say. A
    judge without a value on one part has none, and the note names that part; a metric that no judge has on every part
    is left out.
    """
    parts = []
    for name, average in averages.items():
        parts += _rows(name, _parts(average, scores, groups))
    return pd.DataFrame(parts, columns=list(COLUMNS)).astype({"clusters": "Int64"})


def _parts(
    average: Mapping, scores: Mapping[str, pd.DataFrame], groups: Mapping[str, pd.DataFrame]
) -> dict[str, pd.DataFrame]:
    """Return the rows of every part by its name; a merged category is itself a mean."""
    if "benchmarks" in average:
        return {benchmark: scores[benchmark] for benchmark in average["benchmarks"]}
    benchmark = average["categories_of"]
    table = groups[benchmark]
    protocol = scores[benchmark]["protocol"].iloc[0]
    by_category = {group: rows.assign(protocol=protocol) for group, rows in table.groupby("group", sort=False)}
    categories = average["categories"] or list(by_category)
    if not isinstance(categories, Mapping):
        return {group: by_category.get(group, table.iloc[:0].assign(protocol=protocol)) for group in categories}
    merged = {}
    for new, members in categories.items():
        member_rows = {group: by_category.get(group, table.iloc[:0].assign(protocol=protocol)) for group in members}
        merged[new] = pd.DataFrame(_rows(new, member_rows), columns=list(COLUMNS))
    return merged


def _rows(name: str, parts: Mapping[str, pd.DataFrame]) -> list[tuple]:
    """Return one row per judge and metric that occur in the parts."""
    every = pd.concat([rows.assign(part=part) for part, rows in parts.items()])
    shared = set.intersection(*(set(rows.loc[rows.value.notna(), "metric"]) for rows in parts.values()))
    result = []
    for (judge, metric), rows in every[every.metric.isin(shared)].groupby(["judge", "metric"], sort=False):
        there = rows[rows.value.notna()].drop_duplicates("part")
        missing = [part for part in parts if part not in set(there.part)]
        estimates = [Estimate(row.value, row.ci_low, row.ci_high) for row in there.itertuples()]
        row = UNDEFINED if missing else mean_of(estimates)
        note = f"mean of {len(parts)}: {', '.join(parts)}" if not missing else f"no value on {', '.join(missing)}"
        mean = Measurement.of(metric, row, int(rows.n.sum()), int(rows.errors.sum()), note)
        clusters = rows.clusters.sum(skipna=False) if "clusters" in rows else pd.NA
        result.append((judge, name, rows.protocol.iloc[0], *mean[:-1], clusters, RULES, note))
    return result
