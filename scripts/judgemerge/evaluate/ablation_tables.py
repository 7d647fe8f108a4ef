"""Our values beside a published table of variants, and the curve over the share of one parent.

Grades: Pearson correlation over the replies that were read. Pairs: the share of right verdicts, both orders alike, on
the pairs that people do not call a tie, as the published columns leave ties out; an error is a miss. Means over columns
are plain means of what both sides have, without an interval.
"""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.ablation import MEAN, SIDES, Cell, as_number
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Measurement, Sample, draw_sample, estimate, proportion
from judgemerge.evaluate.verdict_arrays import ERROR, TIE, benchmark_arrays, judge_arrays
from judgemerge.settings.report import Statistics

METRICS = {"direct": "pearson", "pairwise": "accuracy without ties"}
SIDE_OF = {protocol: side for side, protocol in SIDES.items()}
NOT_RUN = "not run: its file or suite is not part of this run"
Measured = Mapping[tuple[str, str], Measurement]  # by judge and benchmark


PLACE = ("table", "row", "judge", "side", "column", "benchmark")
COLUMNS = (*PLACE, *Measurement._fields[:-1], "published", "source", "note")
SWEEP_COLUMNS = ("alpha", "judge", "side", "benchmark", *Measurement._fields)
Row = tuple[str | float, ...]


def measure(items: Sequence[Item], verdicts: Sequence[Verdict], judge: str, settings: Statistics) -> Measurement:
    """Return how well one judge agrees with people on one benchmark."""
    benchmark = benchmark_arrays(items)
    judge_outcomes = judge_arrays(benchmark, judge, verdicts)
    name = f"{benchmark.benchmark}/ablation"
    if benchmark.protocol == "pairwise":
        decisive = benchmark.truth != TIE
        clusters = [item.cluster for item, keep in zip(benchmark.items, decisive, strict=True) if keep]
        hits = (judge_outcomes.codes == benchmark.truth[:, None])[decisive].mean(axis=1)
        errors = int((judge_outcomes.codes[decisive] == ERROR).sum())
        value = proportion(draw_sample(clusters, name, settings), hits)
        return Measurement.of(METRICS["pairwise"], value, int(decisive.sum()), errors)
    read = ~np.isnan(judge_outcomes.scores)
    clusters = [item.cluster for item, keep in zip(benchmark.items, read, strict=True) if keep]
    truth, score = benchmark.truth[read], judge_outcomes.scores[read]
    value, note = UNDEFINED, ""
    if not read.any():
        note = "every verdict is an error"
    elif np.ptp(truth) == 0 or np.ptp(score) == 0:
        note = "the judge's scores or the truth are constant"
    else:
        value = pearson(draw_sample(clusters, name, settings), truth, score)
    return Measurement.of(METRICS["direct"], value, benchmark.n_items, int((~read).sum()), note)


def pearson(sample: Sample, truth: np.ndarray, score: np.ndarray) -> Estimate:
    """Return Pearson's correlation with its interval, from sums over clusters."""
    t, s = truth - truth.mean(), score - score.mean()
    counts = sample.count(np.ones(len(t)), t, s, t * t, s * s, t * s)

    def function(sums: np.ndarray) -> np.ndarray:
        n, sum_t, sum_s, square_t, square_s, product = sums
        spread = np.maximum((n * square_t - sum_t**2) * (n * square_s - sum_s**2), 0)
        return divide(n * product - sum_t * sum_s, np.sqrt(spread))

    return estimate(sample, counts, function)


def ablation_table(
    tables: Mapping[str, Mapping[str, str]],
    cells: Mapping[str, Sequence[Cell]],
    benchmarks: Mapping[str, str],
    measured: Measured,
) -> pd.DataFrame:
    """Return one row per row and column of each published table, columns COLUMNS.

    `tables` gives the judge of each row by name, `cells` the published cells by name, `benchmarks` column → benchmark,
    and `measured` what `measure` returns.
    """
    rows = [
        row
        for table, judges in tables.items()
        for name, judge in judges.items()
        for side in METRICS
        for row in _side_rows((table, name, judge, side), cells[table], benchmarks, measured)
    ]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _side_rows(
    place: tuple[str, str, str, str], cells: Sequence[Cell], benchmarks: Mapping[str, str], measured: Measured
) -> Iterator[Row]:
    """Yield the columns of one row on one side, then their mean; `place` is table, row, judge and side.

    Columns that no printed table has are shown without a published value and left out of the mean.
    """
    table, name, judge, side = place
    printed = {cell.column: cell for cell in cells if (cell.row, cell.side) == (name, side)}
    columns = dict.fromkeys(cell.column for cell in cells if cell.side == side and cell.column != MEAN)
    everywhere = {cell.column for cell in cells}
    unprinted = [
        column
        for column, benchmark in benchmarks.items()
        if column not in everywhere
        and (judge, benchmark) in measured
        and measured[judge, benchmark].metric == METRICS[side]
    ]
    not_run = Measurement.of(METRICS[side], UNDEFINED, 0, note=NOT_RUN)
    parts = [measured[pair] for column in columns if (pair := (judge, benchmarks.get(column))) in measured]
    for column in (*columns, *unprinted):
        benchmark = benchmarks.get(column, "")
        yield _row(place, column, benchmark, measured.get((judge, benchmark), not_run), printed.get(column))
    yield _row(place, MEAN, "", _mean(parts, side, len(columns)), printed.get(MEAN))


def _row(place: tuple[str, str, str, str], column: str, benchmark: str, value: Measurement, cell: Cell | None) -> Row:
    published = as_number(cell.value, place[0]) if cell else np.nan
    source = cell.source if cell else "not published"
    *numbers, note = value
    return (*place, column, benchmark, *numbers, published, source, note)


def _mean(parts: Sequence[Measurement], side: str, n_columns: int) -> Measurement:
    mean = float(np.mean([part.value for part in parts])) if parts else np.nan
    n, errors = sum(part.n for part in parts), sum(part.errors for part in parts)
    note = f"mean over {len(parts)} of the {n_columns} columns of the published mean: no interval"
    return Measurement(METRICS[side], mean, np.nan, np.nan, n, errors, note)


def sweep_table(shares: Mapping[str, float], benchmarks: Mapping[str, str], measured: Measured) -> pd.DataFrame:
    """Return the value of every merge of the sweep on every benchmark, columns SWEEP_COLUMNS.

    `shares` gives the share of the first parent by merge, `benchmarks` the protocol by benchmark.
    """
    rows = [
        (share, judge, SIDE_OF[protocol], benchmark, *measured[judge, benchmark])
        for benchmark, protocol in benchmarks.items()
        for judge, share in shares.items()
        if (judge, benchmark) in measured
    ]
    return pd.DataFrame(rows, columns=list(SWEEP_COLUMNS))
