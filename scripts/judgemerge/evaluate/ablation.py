"""Our values beside a published table of variants, and the curve over the share of one parent.

Grades: Pearson correlation over the replies that were read. Pairs: the share of right verdicts, both orders alike, on
the pairs that people do not call a tie, as the published columns leave ties out; an error is a miss. Means over columns
are plain means of what both sides have, without an interval.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.arrays import ERROR, TIE, benchmark_arrays, judge_arrays
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Settings, draw_sample, estimate, proportion
from judgemerge.evaluate.variants import MEAN, as_number

COLUMNS = (
    "table", "row", "judge", "side", "column", "benchmark", "metric", "value", "ci_low", "ci_high", "n", "errors",
    "published", "source", "note",
)  # fmt: skip
SWEEP_COLUMNS = ("alpha", "judge", "side", "benchmark", "metric", "value", "ci_low", "ci_high", "n", "errors", "note")
METRICS = {"direct": "pearson", "pairwise": "accuracy without ties"}
NOT_RUN = "not run: its file or suite is not part of this run"


def measure(items: Sequence[Item], verdicts: Sequence[Verdict], judge: str, settings: Settings) -> dict:
    """Return metric, value, interval, n, errors and note of one judge on one benchmark."""
    benchmark = benchmark_arrays(items)
    judge_outcomes = judge_arrays(benchmark, judge, verdicts)
    name = f"{benchmark.benchmark}/ablation"
    if benchmark.protocol == "pairwise":
        decisive = benchmark.truth != TIE
        clusters = [item.cluster for item, keep in zip(benchmark.items, decisive, strict=True) if keep]
        hits = (judge_outcomes.codes == benchmark.truth[:, None])[decisive].mean(axis=1)
        errors = int((judge_outcomes.codes[decisive] == ERROR).sum())
        value = proportion(draw_sample(clusters, name, settings), hits)
        n_decisive = int(decisive.sum())
        return {"metric": METRICS["pairwise"], **value.columns(), "n": n_decisive, "errors": errors, "note": ""}
    read = ~np.isnan(judge_outcomes.scores)
    clusters = [item.cluster for item, keep in zip(benchmark.items, read, strict=True) if keep]
    row = {"metric": METRICS["direct"], "n": benchmark.n_items, "errors": int((~read).sum())}
    truth, score = benchmark.truth[read], judge_outcomes.scores[read]
    if not read.any() or np.ptp(truth) == 0 or np.ptp(score) == 0:
        note = "every verdict is an error" if not read.any() else "the judge's scores or the truth are constant"
        return row | UNDEFINED.columns() | {"note": note}
    return row | pearson(draw_sample(clusters, name, settings), truth, score).columns() | {"note": ""}


def pearson(sample, truth: np.ndarray, score: np.ndarray):
    """Return Pearson's correlation with its interval, from sums over clusters."""
    t, s = truth - truth.mean(), score - score.mean()
    counts = sample.count(np.ones(len(t)), t, s, t * t, s * s, t * s)

    def function(sums: np.ndarray) -> np.ndarray:
        n, sum_t, sum_s, square_t, square_s, product = sums
        spread = np.maximum((n * square_t - sum_t**2) * (n * square_s - sum_s**2), 0)
        return divide(n * product - sum_t * sum_s, np.sqrt(spread))

    return estimate(sample, counts, function)


def ablation_table(
    tables: Mapping[str, Mapping],
    cells: Mapping[str, Sequence[Mapping[str, str]]],
    benchmarks: Mapping[str, str],
    measured: Mapping[tuple[str, str], Mapping],
) -> pd.DataFrame:
    """Return one row per row and column of each published table; columns COLUMNS.

    `tables` gives rows (row → judge) by name, `cells` the published cells by name, `benchmarks` column → benchmark, and
    `measured` what `measure` returns by judge and benchmark.
    """
    rows = []
    for name, table in tables.items():
        for row, judge in table["rows"].items():
            for side in METRICS:
                row_cells = [cell for cell in cells[name] if (cell["row"], cell["side"]) == (row, side)]
                printed = {cell["column"]: cell for cell in row_cells}
                columns = dict.fromkeys(cell["column"] for cell in cells[name] if cell["side"] == side)
                own_columns = _own_columns(benchmarks, measured, judge, side, {cell["column"] for cell in cells[name]})
                parts = []
                for column in (*(column for column in columns if column != MEAN), *own_columns):
                    value = measured.get((judge, benchmarks.get(column)))
                    common = _common(name, row, judge, side, column, printed.get(column))
                    common["benchmark"] = benchmarks.get(column, "")
                    if value is None:
                        blank = {"metric": METRICS[side], **UNDEFINED.columns(), "n": 0, "errors": 0, "note": NOT_RUN}
                        rows.append(common | blank)
                    else:
                        rows.append(common | dict(value))
                        parts += [value] if column in columns else []
                common = _common(name, row, judge, side, MEAN, printed.get(MEAN))
                rows.append(common | _mean(parts, side, len(columns) - 1))
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _own_columns(
    benchmarks: Mapping[str, str], measured: Mapping[tuple[str, str], Mapping], judge: str, side: str, printed: set[str]
) -> list[str]:
    """Return the columns that no printed table has: shown without a published value, and left out of the mean."""
    return [
        column
        for column, benchmark in benchmarks.items()
        if column not in printed and measured.get((judge, benchmark), {}).get("metric") == METRICS[side]
    ]


def _common(table: str, row: str, judge: str, side: str, column: str, cell: Mapping[str, str] | None) -> dict:
    published = as_number(cell["value"], table) if cell else np.nan
    source = cell["source"] if cell else "not published"
    identity = {"table": table, "row": row, "judge": judge, "side": side, "column": column, "benchmark": ""}
    return identity | {"published": published, "source": source}


def _mean(parts: Sequence[Mapping], side: str, n_columns: int) -> dict:
    values = [value["value"] for value in parts]
    mean = float(np.mean(values)) if values else np.nan
    sizes = {"n": sum(value["n"] for value in parts), "errors": sum(value["errors"] for value in parts)}
    note = f"mean over {len(values)} of the {n_columns} columns of the published mean: no interval"
    return {"metric": METRICS[side], "value": mean, "ci_low": np.nan, "ci_high": np.nan, **sizes, "note": note}


def sweep_table(
    shares: Mapping[str, float], benchmarks: Mapping[str, str], measured: Mapping[tuple[str, str], Mapping]
) -> pd.DataFrame:
    """Return the value of every merge of the sweep on every benchmark; columns SWEEP_COLUMNS.

    `shares` gives the share of the first parent by merge, `benchmarks` the protocol by benchmark.
    """
    rows = [
        {
            "alpha": share,
            "judge": judge,
            "benchmark": benchmark,
            "side": _side(protocol),
            **measured[(judge, benchmark)],
        }
        for benchmark, protocol in benchmarks.items()
        for judge, share in shares.items()
        if (judge, benchmark) in measured
    ]
    return pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))


def _side(protocol: str) -> str:
    return "pairwise" if protocol == "pairwise" else "direct"
