"""comparisons.csv: every two judges of a benchmark on the same items, with a paired interval and corrected p."""

import html
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from judgemerge.report.addresses import Linked
from judgemerge.report.drawing import Estimate, HeatMap, Panel, Series, judge_figure, mark, not_shown
from judgemerge.report.markup import Crosstab, dash, details, grid, notes
from judgemerge.report.standings import shown_first
from judgemerge.report.table import (
    DETECTABLE,
    SIGNIFICANT,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Section,
    Table,
    has_judges,
    in_order,
    models_of,
    of_kind,
)

COLUMNS = {
    "judge_a": Column("first judge of the pair"),
    "judge_b": Column("second judge of the pair"),
    "benchmark": Column("name of the item set"),
    "metric": Column("metric that the two are compared on"),
    "difference": Column("value of judge_a minus value of judge_b"),
    "ci_low": Column("lower end of the paired confidence interval"),
    "ci_high": Column("upper end of the paired confidence interval"),
    **DETECTABLE,
    "p": Column("p value of the test"),
    "p_holm": Column("p value after Holm's correction over all pairs of judges of the benchmark, metric and test"),
    "test": Column("paired bootstrap with Student's t, or exact McNemar test, of clusters where items share prompts"),
    "n": Column("number of items that both judged"),
    "note": Column("why a difference is undefined"),
}
INTRO = (
    "Judges of a benchmark on the same items: every two, or with many judges the pairs that are asked about "
    "(compared_pairs in the study). Differences have {confidence} intervals from a paired "
    "bootstrap (Student's t with its standard error) in which all items of a prompt are drawn together, for both "
    "judges at once. Accuracy in the original order is also tested with the exact McNemar test, of whole prompts where "
    "items share them. p is corrected by Holm over all pairs of judges, compared or not, within one benchmark, metric "
    f"and test; * marks p < {SIGNIFICANT} after that. Each pair has a smallest difference that would have been shown "
    "in four of five studies (power .8, before Holm's correction); that a smaller one was not shown says little."
)
MOST_NAMES = 6  # judges that a sentence lists
MOST_JUDGES = 12  # a matrix of more is too wide to read, and its pairs are too many for a page

# ---- which rows are shown first ----


def headline_rows(rows: Frame) -> Frame:
    """Return the rows of one benchmark on the metric that most pairs of judges have, one row per pair.

    Accuracy over both orders goes before accuracy in the original order, which judges recorded in one order have, too.
    Where a metric has two tests (exact McNemar) the first is kept, which is the bootstrap's.
    """
    return shown_first(rows.drop_duplicates(["judge_a", "judge_b", "metric"]), "difference")


def against(rows: Frame, judge: str) -> Frame:
    """Return each other judge minus `judge`, indexed by the other; `rows` has one row per pair of judges."""
    import pandas as pd

    ahead = rows[rows.judge_b == judge].set_index("judge_a")
    behind = rows[rows.judge_a == judge].set_index("judge_b")
    turned = {"difference": -behind.difference, "ci_low": -behind.ci_high, "ci_high": -behind.ci_low}
    return pd.concat([part for part in (ahead, behind.assign(**turned)) if len(part)]) if len(rows) else ahead


def best_judge(rows: Frame) -> str | None:
    """Return the judge that is ahead of all others it can be compared to; None when nothing can be compared."""
    defined = rows.dropna(subset="difference")
    for judge in dict.fromkeys([*defined.judge_a, *defined.judge_b]):
        if (against(defined, judge).difference <= 0).all():
            return judge
    return None


# ---- page ----


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return one section per benchmark; `judges` says in which order judges are shown."""
    return [
        (f"{benchmark} (n = {rows.n.max()})", _benchmark(rows, judges))
        for benchmark, rows in table.groupby("benchmark", sort=False)
    ] or [("Nothing to compare", "<p>No benchmark has two judges.</p>")]


def _benchmark(rows: Frame, judges: Sequence[str]) -> str:
    order = in_order(sorted({*rows.judge_a, *rows.judge_b}), judges)
    shown = _whole(rows, order) if len(order) <= MOST_JUDGES else _beside_best(rows, order)
    sentence = resolution(headline_rows(rows))
    return (f"<p>This set {html.escape(sentence)}.</p>" if sentence else "") + shown


def _whole(rows: Frame, judges: Sequence[str]) -> str:
    """Return the matrix of all judges, and every pair on every metric, folded away."""
    n_pairs = len(rows[["judge_a", "judge_b"]].drop_duplicates())
    return _matrix(headline_rows(rows), judges) + details(f"All metrics, pairs of judges: {n_pairs}", _pairs(rows))


def _beside_best(rows: Frame, judges: Sequence[str]) -> str:
    """Return what a reader of many judges asks first: each minus the best one, and all of the best among each other."""
    main = headline_rows(rows)
    metric, best = html.escape(main.metric.iloc[0]), best_judge(main)
    if best is None:
        return f"<p>{metric}: no two judges can be compared; the reasons are in tables/comparisons.csv.</p>"
    beside = against(main, best).sort_values("difference", ascending=False, kind="stable")
    lines = [[html.escape(row.Index), _long_cell(row, True)] for row in beside.itertuples()]
    first = {best, *beside.index[: MOST_JUDGES - 1]}
    of_best = rows[rows.judge_a.isin(first) & rows.judge_b.isin(first)]
    n_pairs = len(rows[["judge_a", "judge_b"]].drop_duplicates())
    summary = (
        f"<p>{metric}, each judge minus the best, {html.escape(best)}. On every metric: tables/comparisons.csv, with "
        f"{n_pairs:,} pairs of {len(judges)} judges.</p>"
    )
    among = details(
        f"The {len(first)} best judges among each other", _whole(of_best, [j for j in judges if j in first])
    )
    missing = notes((row.Index, f"– {row.note}") for row in beside.itertuples() if math.isnan(row.difference))
    return summary + grid(["judge", f"minus {best}"], lines) + missing + among


def resolution(rows: Frame) -> str:
    """Return what differences the set could show; `rows` has one row per pair of judges."""
    shown = rows.detectable.dropna()
    if not len(shown):
        return ""
    ends = f" ({shown.min():.3f} to {shown.max():.3f} over {len(shown)} pairs)" if len(shown) > 1 else ""
    return f"shows differences in {rows.metric.iloc[0]} from {shown.median():.3f} on{ends}, smaller ones mostly not"


def _matrix(rows: Frame, judges: Sequence[str]) -> str:
    """Return row minus column for every two judges."""
    cells = {(row.Index, other): _short_cell(row) for other in judges for row in against(rows, other).itertuples()}
    lines = [[html.escape(judge), *(cells.get((judge, other), "") for other in judges)] for judge in judges]
    metric = rows.metric.iloc[0]
    undefined = rows[rows.difference.isna()]
    about = [f"{row.judge_a} – {row.judge_b}" for row in undefined.itertuples()]
    return (
        f"<p>{html.escape(metric)}: row minus column</p>{grid(['', *judges], lines)}"
        f"{notes(zip(about, '– ' + undefined.note, strict=True))}"
    )


def _short_cell(row: Any) -> str:
    """Return the difference with its star; interval and p show when the pointer rests on it."""
    if math.isnan(row.difference):
        return dash(row.note)
    hint = ", ".join(
        part for part in (_interval(row), f"p = {_p(row.p)}", f"after Holm {_p(row.p_holm)}", _shown(row)) if part
    )
    value = f"{row.difference + 0.0:+.3f}"
    main = f"<b>{value}*</b>" if row.p_holm < SIGNIFICANT else value
    return f"<span title='{html.escape(hint, quote=True)}'>{main}</span>"


def _pairs(rows: Frame) -> str:
    """Return a row per pair of judges and a column per metric and test."""
    tests = list(rows[["metric", "test"]].drop_duplicates().itertuples(index=False, name=None))
    usual = tests[0][1]
    head = [metric if test == usual else f"{metric}, {test}" for metric, test in tests]
    names = dict(zip(tests, head, strict=True))
    table = Crosstab(
        rows, ("judge_a", "judge_b"), ("metric", "test"), lambda row: _long_cell(row, row.test == usual)
    ).html(["judges"], columns=tests, names=lambda pair: [" – ".join(pair)], titles=names.__getitem__)
    return table + notes((names[row.metric, row.test], row.note) for row in rows.itertuples() if row.note)


def _long_cell(row, with_difference: bool) -> str:
    if math.isnan(row.difference):
        return dash(row.note)
    star = "*" if row.p_holm < SIGNIFICANT else ""
    p = f"p {_p(row.p_holm)}{star}"
    if not with_difference:
        return p
    return f"{row.difference + 0.0:+.3f} <small>{f'{_interval(row)} {p}'.strip()}</small>"


def _interval(row) -> str:
    return "" if math.isnan(row.ci_low) else f"[{row.ci_low:+.3f}, {row.ci_high:+.3f}]"


def _shown(row: Any) -> str:
    return "" if math.isnan(row.detectable) else f"from {row.detectable:.3f} on it would be shown"


def _p(value: float) -> str:
    if math.isnan(value):
        return "–"
    return "&lt; 0.001" if value < 0.001 else f"{value:.3f}"


# ---- first page ----


MOST_IN_WORDS = 3  # benchmarks, beyond which the first page has a table of them


class Ahead(NamedTuple):
    """What is measurably ahead of a judge, of how many; `behind` are those that the judge is ahead of."""

    of: str
    judges: Sequence[str]
    n: int
    behind: Sequence[str] = ()


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return how many models of the study are measurably ahead of their base, and of every baseline."""
    of_benchmarks = {}
    for benchmark, of_benchmark in table.groupby("benchmark", sort=False):
        rows = headline_rows(of_benchmark)
        bases, baselines = _beside_base(rows, kinds), _beside_baselines(rows, kinds)
        if bases or baselines:
            of_benchmarks[str(benchmark)] = (bases, baselines, rows)
    if not of_benchmarks:
        return []
    heading = "What is measurably better"
    words = f"Measurably: p < {SIGNIFICANT} after Holm's correction over all pairs of judges of the benchmark."
    if len(of_benchmarks) > MOST_IN_WORDS:
        return [Finding(heading, [*_over_benchmarks(of_benchmarks), words], *_by_benchmark(of_benchmarks))]
    sentences = []
    for benchmark, (bases, baselines, rows) in of_benchmarks.items():
        sentences += [f"{benchmark}: {sentence}" for sentence in _in_words(bases, baselines)]
        if shown := resolution(rows):
            sentences.append(f"{benchmark} {shown} (power .8).")
    return [Finding(heading, [*sentences, words])]


def _in_words(bases: Sequence[Ahead], baselines: Ahead | None) -> Iterator[str]:
    """Yield what is said of one benchmark."""
    for base in bases:
        ahead = _of(base.judges, base.n)
        yield f"measurably ahead of the base {base.of}: {ahead}; behind it: {len(base.behind)}."
    if baselines:
        yield f"measurably better than each baseline ({baselines.of}): {_of(baselines.judges, baselines.n)}."


def _over_benchmarks(of_benchmarks: Mapping[str, tuple[Sequence[Ahead], Ahead | None, Frame]]) -> Iterator[str]:
    """Yield what is said of many benchmarks together: on how many of them there is a judge that is ahead, or behind."""
    names = dict.fromkeys(base.of for bases, _, _ in of_benchmarks.values() for base in bases)
    for name in names:
        beside = [base for bases, _, _ in of_benchmarks.values() for base in bases if base.of == name]
        ahead, behind = sum(bool(base.judges) for base in beside), sum(bool(base.behind) for base in beside)
        yield (
            f"A model of the study is measurably ahead of the base {name} on {ahead} of {len(beside)} benchmarks, and "
            f"one is behind it on {behind}."
        )
    baselines = [ahead for _, ahead, _ in of_benchmarks.values() if ahead]
    if baselines:
        n = sum(bool(ahead.judges) for ahead in baselines)
        yield (
            f"A judge is measurably better than each baseline ({baselines[0].of}) on {n} of {len(baselines)} "
            "benchmarks."
        )


def _by_benchmark(
    of_benchmarks: Mapping[str, tuple[Sequence[Ahead], Ahead | None, Frame]],
) -> tuple[list[str], list[list[str]]]:
    """Return head and rows of a table: how many judges are ahead and behind on each benchmark, what would be shown."""
    names = list(dict.fromkeys(base.of for bases, _, _ in of_benchmarks.values() for base in bases))
    head = ["benchmark", *(f"{words} {name}" for name in names for words in ("ahead of", "behind"))]
    lines = []
    for benchmark, (bases, baselines, rows) in of_benchmarks.items():
        beside = {base.of: base for base in bases}
        counts = [
            f"{len(judges)} of {beside[name].n}" if name in beside else "–"
            for name in names
            for judges in ((beside[name].judges, beside[name].behind) if name in beside else ((), ()))
        ]
        better = _of(baselines.judges, baselines.n) if baselines else "–"
        shown = rows.detectable.dropna()
        lines.append([Linked(benchmark, benchmark), *counts, better, f"{shown.median():.3f}" if len(shown) else "–"])
    return [*head, "better than each baseline", "shows differences from (power .8)"], lines


def _beside_base(rows: Frame, kinds: Mapping[str, str]) -> list[Ahead]:
    """Return for every base which models of the study are ahead of it, and which behind."""
    beside_bases = []
    bases = of_kind(kinds, "base")
    models = [judge for judge in models_of(kinds) if judge not in bases]
    for base in bases:
        beside = against(rows, base)
        beside = beside[beside.index.isin(models)].dropna(subset="difference")
        if len(beside):
            beside_bases.append(Ahead(base, _clearly(beside, 1), len(beside), _clearly(beside, -1)))
    return beside_bases


def _beside_baselines(rows: Frame, kinds: Mapping[str, str]) -> Ahead | None:
    """Return the judges that are ahead of each baseline, None where no baseline can be compared."""
    beaten = {}
    for baseline in of_kind(kinds, "baseline"):
        beside = against(rows, baseline).dropna(subset="difference")
        if len(beside):
            beaten[baseline] = set(_clearly(beside, 1))
    judges = [judge for judge, kind in kinds.items() if kind != "baseline" and judge in {*rows.judge_a, *rows.judge_b}]
    ahead = [judge for judge in judges if all(judge in names for names in beaten.values())]
    return Ahead(", ".join(beaten), ahead, len(judges)) if beaten and judges else None


def _clearly(rows: Frame, sign: int) -> list[str]:
    """Return the judges whose difference has this sign and stays significant."""
    return list(rows.index[(rows.p_holm < SIGNIFICANT) & (rows.difference * sign > 0)])


def _of(judges: Sequence[str], n: int) -> str:
    """Return how many of n judges these are, with their names where they are few."""
    names = f" ({', '.join(judges)})" if 0 < len(judges) <= MOST_NAMES and len(judges) < n else ""
    return f"{len(judges) or 'none'} of {n} judges{names}"


# ---- figure ----

METRICS = {"accuracy": "", "accuracy_first": ", original order", "spearman": ", Spearman"}


def differences(table: Frame, kinds: dict[str, str], skills: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark, one row per judge: its difference from the best judge there, with interval.

    The title names the best judge and the metric, unless it is accuracy over both orders; a filled mark is a difference
    that stays significant after Holm.
    """
    panels, missing = {}, []
    for name, part in table.groupby("benchmark", sort=False):
        rows = headline_rows(part)
        best = best_judge(rows)
        if best is None:
            missing.append(name)
            continue
        metric, size = METRICS[rows.metric.iloc[0]], f"{name} (n = {against(rows, best).n.max()})"
        marks = {row.Index: _estimate(row) for row in against(rows, best).itertuples()}
        marks[best] = Estimate(note="the best judge here", words="best")
        panels[name] = Panel(f"{size}\nminus {best}{metric}", [Series(marks, size + metric)], about_zero=True)
    label = "accuracy (or Spearman correlation) minus that of the best judge of the benchmark"
    footnote = not_shown(missing, "no two judges can be compared")
    crowd = HeatMap(label, f"* p < {SIGNIFICANT} after Holm. ± half the interval. {footnote}", diverging=True)
    legend = [mark(f"p < {SIGNIFICANT} after Holm", filled=True), mark("not significant", filled=False)]
    judges = [judge for panel in panels.values() for judge in panel.judges]
    return judge_figure(panels, judges, kinds, label, footnote, legend, crowd)[0]


def _estimate(row: Any) -> Estimate:
    """Return a difference, marked where it stays significant."""
    is_clear = bool(row.p_holm < SIGNIFICANT)
    return Estimate(row.difference, row.ci_low, row.ci_high, row.note, is_clear, "*" if is_clear else "")


TABLE = Table(
    title="Paired comparisons of judges",
    caption="Judges of a benchmark on the same items, two by two: difference, interval, and p after Holm's correction. "
    "``comparisons.csv`` has every pair that is compared, metric and test.",
    columns=COLUMNS,
    condition=has_judges,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    in_record=True,
    findings=findings,
    figures={
        "differences": Figure(
            label="Paired differences from the best judge",
            caption="How far each judge is from the best judge of the benchmark, with 95 % intervals: both judge the "
            "same items, so the difference is paired, and prompts are resampled for both at once. Filled marks stay "
            "significant (p < 0.05) after Holm's correction over all pairs of judges of the benchmark. The best judge "
            "is selected post hoc, so its lead is optimistically biased; ``comparisons.csv`` has other pairs. With "
            "more than 20 judges on several benchmarks it is a heat map, in which * marks what stays significant.",
            draw=differences,
        ),
    },
)
