"""Our values beside a published table of variants, and the curve over the share of one parent.

Grades: Pearson correlation over the replies that were read. Pairs: the share of right verdicts, both orders alike, on
the pairs that people do not call a tie, as the published columns leave ties out; an error is a miss. Means over columns
are plain means of what both sides have, without an interval.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np
import pandas as pd

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate.ablation import MEAN, Cell, as_number
from judgemerge.evaluate.counts import divide
from judgemerge.evaluate.estimates import UNDEFINED, Estimate, Measurement, Sample, draw_sample, estimate, proportion
from judgemerge.evaluate.published.prometheus import answers_between
from judgemerge.evaluate.verdict_arrays import ERROR, TIE, benchmark_arrays, judge_arrays
from judgemerge.settings.report import Statistics

METRICS = {
    "direct": "pearson",
    "pairwise": "accuracy without ties",
    "runs": "alpha_runs",
    "triples": "transitivity of the labels",
}
SIDE_OF = {"pointwise": "direct", "pairwise": "pairwise"}
NOT_RUN = "not run: its file or suite is not part of this run"
QUOTED = "only quoted: no judge of this study stands for this row"
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


def transitivity_of_labels(
    items: Sequence[Item], verdicts: Sequence[Verdict], judge: str, settings: Statistics
) -> Measurement:
    """Return the paper's transitivity (published/prometheus.py) of one judge, with an interval."""
    benchmark = benchmark_arrays(items)
    between, outcomes = answers_between(benchmark), judge_arrays(benchmark, judge, verdicts).codes[:, 0]
    name, errors = f"{benchmark.benchmark}/ablation triples", int(between[outcomes == ERROR].sum())
    sample = draw_sample([item.cluster for item in benchmark.items], name, settings)
    counts = sample.count(between * (outcomes == benchmark.truth), between)
    value = estimate(sample, counts, lambda sums: divide(sums[0], sums[1])) if between.any() else UNDEFINED
    note = "" if between.any() else "no three answers to one instruction"
    return Measurement.of(METRICS["triples"], value, int(between.sum()), errors, note)


def ablation_table(
    tables: Mapping[str, Mapping[str, str | Sequence[str]]],
    cells: Mapping[str, Sequence[Cell]],
    benchmarks: Mapping[str, str],
    measured: Measured,
    consistency: Mapping[str, Measured] = MappingProxyType({}),
) -> pd.DataFrame:
    """Return one row per row and column of each published table, columns COLUMNS.

    `tables` gives the judge of each row by name, or several, or none (the row is only quoted), `cells` the published
    cells by name, `benchmarks` column → benchmark, `measured` what `measure` returns, and `consistency` the same for
    the sides that are no agreement, by side.
    """
    by_side = {side: measured if side in SIDE_OF.values() else consistency.get(side, {}) for side in METRICS}
    rows = [
        row
        for table, judges in tables.items()
        for name, of_row in judges.items()
        for judge in ([of_row] if isinstance(of_row, str) else of_row or [""])
        for side in METRICS
        if any(cell.side == side for cell in cells[table])
        for row in _side_rows((table, name, judge, side), cells[table], benchmarks, by_side[side])
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
    not_run = Measurement.of(METRICS[side], UNDEFINED, 0, note=NOT_RUN if judge else QUOTED)
    parts = [measured[pair] for column in columns if (pair := (judge, benchmarks.get(column))) in measured]
    for column in (*columns, *unprinted):
        benchmark = benchmarks.get(column, "")
        yield _row(place, column, benchmark, measured.get((judge, benchmark), not_run), printed.get(column))
    if MEAN in {cell.column for cell in cells if cell.side == side}:
        mean = _mean(parts, side, len(columns)) if judge else not_run
        yield _row(place, MEAN, "", mean, printed.get(MEAN))


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
