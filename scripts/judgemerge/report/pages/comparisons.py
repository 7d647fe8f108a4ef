"""The page of comparisons.csv: per benchmark a matrix of all judges on one metric, then every pair on every metric."""

import html
from collections.abc import Sequence

import numpy as np
import pandas as pd

from judgemerge.evaluate.headlines import SIGNIFICANT, against, best_judge, headline_rows
from judgemerge.report.pages.markup import details, grid, notes

INTRO = (
    "Every two judges of a benchmark on the same items. Differences have {confidence} intervals from a paired "
    "bootstrap (Student's t with its standard error) in which all items of a prompt are drawn together, for both "
    "judges at once. Accuracy in the original order is also tested with the exact McNemar test, which takes items as "
    f"independent. p is corrected by Holm over all pairs of judges within one benchmark, metric and test; * marks "
    f"p < {SIGNIFICANT} after that."
)


MOST_JUDGES = 12  # a matrix of more is too wide to read, and its pairs are too many for a page


def comparison_sections(table: pd.DataFrame, judges: Sequence[str]) -> list[tuple[str, str]]:
    """Return one section per benchmark; `judges` says in which order judges are shown."""
    sections = []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        present = {*rows["judge_a"], *rows["judge_b"]}
        order = [judge for judge in judges if judge in present] + sorted(present.difference(judges))
        heading = f"{benchmark} (n = {rows['n'].max()})"
        sections.append((heading, _whole(rows, order) if len(order) <= MOST_JUDGES else _beside_best(rows, order)))
    return sections or [("Nothing to compare", "<p>No benchmark has two judges.</p>")]


def _whole(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    """Return the matrix of all judges, and every pair on every metric, folded away."""
    n_pairs = len(rows[["judge_a", "judge_b"]].drop_duplicates())
    return _matrix(headline_rows(rows), judges) + details(f"All metrics, pairs of judges: {n_pairs}", _pairs(rows))


def _beside_best(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    """Return what a reader of many judges asks first: each minus the best one, and all of the best among each other."""
    shown = headline_rows(rows)
    metric, best = html.escape(shown["metric"].iloc[0]), best_judge(shown)
    if best is None:
        return f"<p>{metric}: no two judges can be compared; the reasons stand in tables/comparisons.csv.</p>"
    beside = against(shown, best).sort_values("difference", ascending=False, kind="stable")
    lines = [[html.escape(judge), _long_cell(row, True)] for judge, row in beside.iterrows()]
    first = {best, *beside.index[: MOST_JUDGES - 1]}
    chosen = rows[rows["judge_a"].isin(first) & rows["judge_b"].isin(first)]
    n_pairs = len(rows[["judge_a", "judge_b"]].drop_duplicates())
    said = (
        f"<p>{metric}, each judge minus the best, {html.escape(best)}. All {n_pairs:,} pairs of {len(judges)} judges, "
        "on every metric, stand in tables/comparisons.csv.</p>"
    )
    among = details(f"The {len(first)} best judges among each other", _whole(chosen, [j for j in judges if j in first]))
    missing = notes((str(judge), f"– {row['note']}") for judge, row in beside.iterrows() if np.isnan(row["difference"]))
    return said + grid(["judge", f"minus {best}"], lines) + missing + among


def _matrix(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    """Return row minus column for every two judges."""
    columns = {judge: against(rows, judge) for judge in judges}
    lines = [
        [html.escape(judge), *("" if other == judge else _short_cell(columns[other].loc[judge]) for other in judges)]
        for judge in judges
    ]
    metric = rows["metric"].iloc[0]
    undefined = rows[rows["difference"].isna()]
    about = [f"{row.judge_a} – {row.judge_b}" for row in undefined.itertuples()]
    return (
        f"<p>{html.escape(metric)}: row minus column</p>{grid(['', *judges], lines)}"
        f"{notes(zip(about, '– ' + undefined['note'], strict=True))}"
    )


def _short_cell(row: pd.Series) -> str:
    """Return the difference with its star; interval and p show when the pointer rests on it."""
    if np.isnan(row["difference"]):
        return f"<small title='{html.escape(str(row['note']), quote=True)}'>–</small>"
    hint = ", ".join(part for part in (_interval(row), f"p = {_p(row.p)}", f"after Holm {_p(row.p_holm)}") if part)
    value = f"{row['difference'] + 0.0:+.3f}"
    shown = f"<b>{value}*</b>" if row["p_holm"] < SIGNIFICANT else value
    return f"<span title='{html.escape(hint, quote=True)}'>{shown}</span>"


def _pairs(rows: pd.DataFrame) -> str:
    """Return a row per pair of judges and a column per metric and test."""
    tests = list(rows[["metric", "test"]].drop_duplicates().itertuples(index=False, name=None))
    usual = tests[0][1]
    lines = []
    for (judge_a, judge_b), part in rows.groupby(["judge_a", "judge_b"], sort=False):
        cells = {(row.metric, row.test): _long_cell(row, row.test == usual) for row in part.itertuples()}
        lines.append([html.escape(f"{judge_a} – {judge_b}"), *(cells.get(test, "") for test in tests)])
    head = [metric if test == usual else f"{metric}, {test}" for metric, test in tests]
    names = dict(zip(tests, head, strict=True))
    return grid(["judges", *head], lines) + notes(
        (names[row.metric, row.test], row.note) for row in rows.itertuples() if row.note
    )


def _long_cell(row, with_difference: bool) -> str:
    if np.isnan(row.difference):
        return f"<small title='{html.escape(str(row.note), quote=True)}'>–</small>"
    star = "*" if row.p_holm < SIGNIFICANT else ""
    p = f"p {_p(row.p_holm)}{star}"
    if not with_difference:
        return p
    return f"{row.difference + 0.0:+.3f} <small>{f'{_interval(row)} {p}'.strip()}</small>"


def _interval(row) -> str:
    return "" if np.isnan(row.ci_low) else f"[{row.ci_low:+.3f}, {row.ci_high:+.3f}]"


def _p(value: float) -> str:
    if np.isnan(value):
        return "–"
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"
