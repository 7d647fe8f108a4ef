"""humans.csv: how well people agree with each other, and judges with people on the same footing."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from judgemerge.report.drawing import HeatMap, Panel, Series, estimates, judge_figure, mark, not_shown
from judgemerge.report.markup import Crosstab, by_benchmark, details, span, undefined_notes
from judgemerge.report.table import (
    ESTIMATE,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Section,
    Table,
    has_judges,
    in_order,
    of_kind,
)

COLUMNS = {
    "benchmark": Column("name of the item set"),
    "kind": Column("humans, annotator or judge"),
    "rater": Column("`humans` together, one annotator, or a judge"),
    "against": Column(
        "whose labels the rater is compared with: the majority, the others, single votes, another annotator"
    ),
    "metric": Column("accuracy, kappa, a correlation, Krippendorff's alpha, or a count of votes"),
    **ESTIMATE,
    "n": Column("number of comparisons, votes or items"),
    "errors": Column("number of unreadable verdicts"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "Agreement among human annotators, and of judges with them; {confidence} intervals, prompts resampled"
    " as clusters. Others: the majority (for grades the mean) of the other annotators' votes on an item; "
    "an even split is a tie. The annotators' value there is the human ceiling; a judge takes each "
    "annotator's place in turn, so that both are compared with the same labels. Single votes: a vote "
    "against another's vote, and a verdict against a vote, as in MT-Bench. A judge's two orders make one "
    "verdict; different ones are a tie. Alpha is Krippendorff's, among annotators or with the judge as "
    "one more annotator, on items with at least two votes; the change is the effect of adding the judge."
)
HUMANS = "humans"
_COLUMNS = (  # heading, against, metric
    ("others: accuracy", "others", "accuracy"),
    ("others: kappa", "others", "kappa"),
    ("splits left out: accuracy", "others, splits left out", "accuracy"),
    ("others: Spearman", "others", "spearman"),
    ("others: Pearson", "others", "pearson"),
    ("others: mean abs. difference", "others", "mae"),
    ("single votes", "single votes", "accuracy"),
    ("single votes, ties left out", "single votes, ties left out", "accuracy"),
    ("alpha", "each other", "alpha"),
    ("alpha: change", "each other", "alpha_change"),
)
_ALONE = ("majority", "mean", "others", "others, splits left out")


class Votes(NamedTuple):
    """What is counted of the votes of one benchmark."""

    votes: int
    annotators: int
    unanimous: int
    truth_differs: int
    split: int = 0


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return one section per benchmark with several votes per item, and one that names the other benchmarks."""
    several = table.benchmark[table.against == "others"].unique()
    voted = by_benchmark(table[table.benchmark.isin(several)], lambda rows: _benchmark(rows, judges))
    others = [str(name) for name in table.benchmark.unique() if name not in several]
    text = html.escape(f"No item has the votes of two people: {', '.join(others)}.")
    return voted + ([("Other benchmarks", f"<p>{text}</p>")] if others else [])


def _benchmark(rows: Frame, judges: Sequence[str]) -> str:
    order = in_order(rows.rater[rows.kind == "judge"], judges)
    return _counts(rows) + _beside_people(rows, order) + _annotators(rows) + _pairs(rows)


def _counts(rows: Frame) -> str:
    counts = rows[rows.against == "votes"]
    votes = Votes(**{row.metric: int(row.value) for row in counts.itertuples()})
    classes = (rows.metric == "accuracy").any()
    split = f", evenly split on {votes.split}" if classes else ""
    return (
        f"<p>{votes.votes} votes by {votes.annotators} annotators on {counts.n.max()} items. On items with "
        f"several votes: all the same on {votes.unanimous}{split}. Items whose gold label is not the "
        f"{'majority' if classes else 'mean'} of their votes: {votes.truth_differs}.</p>"
    )


def _beside_people(rows: Frame, judges: Sequence[str]) -> str:
    pooled = rows[rows.kind.isin([HUMANS, "judge"])]
    present = set(zip(pooled.against, pooled.metric, strict=True))
    headings = {(against, metric): heading for heading, against, metric in _COLUMNS if (against, metric) in present}
    sizes = pooled[pooled.against == "others"].groupby("rater")[["n", "errors"]].max()
    table = Crosstab(pooled, "rater", ("against", "metric")).html(
        ["", "comparisons", "errors"],
        [HUMANS, *judges],
        headings,
        lambda rater: [rater, *sizes.loc[rater]],
        headings.__getitem__,
    )
    return table + undefined_notes(pooled, pooled.rater)


def _annotators(rows: Frame) -> str:
    """Return a table with one line per annotator, folded away."""
    rows = rows[(rows.kind == "annotator") & rows.against.isin(_ALONE)]
    names = list(dict.fromkeys(rows.rater))
    metrics = [name for name in ("accuracy", "kappa", "spearman") if name in set(rows.metric)]
    rows = rows[rows.metric.isin(metrics)]
    sizes = rows.groupby("rater").n.max()
    table = Crosstab(rows, "rater", ("against", "metric")).html(
        ["annotator", "votes"], names, names=lambda name: [name, sizes[name]], titles=": ".join
    )
    centre = "mean" if "mean" in set(rows.against) else "majority"
    content = f"<p>Against the {centre} of all votes, the annotator's own included, and of the others.</p>"
    return details(f"Each annotator alone: {len(names)}", content + table)


def _pairs(rows: Frame) -> str:
    """Return a table with one line per two annotators who share items, folded away; nothing when there are none."""
    annotators = set(rows.rater[rows.kind == "annotator"])
    rows = rows[(rows.kind == "annotator") & ~rows.against.isin(_ALONE)]
    if not len(rows):
        return ""
    sizes = rows.groupby(["rater", "against"]).n.max()
    table = Crosstab(rows, ("rater", "against"), "metric")
    summary = (
        f"Annotators two by two, {len(table.lines)} pairs of {len(annotators)} annotators with at least 20 shared items"
    )
    return details(summary, table.html(["annotators", "items"], names=lambda pair: [" – ".join(pair), sizes[pair]]))


# ---- first page ----


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return how far the best judge of each benchmark is below people, both against the other people's votes."""
    sentences = []
    rows = table[(table.against == "others") & table.metric.isin(["accuracy", "spearman"])].dropna(subset="value")
    for benchmark, of_benchmark in rows.groupby("benchmark", sort=False):
        metric = of_benchmark.metric.iloc[0]
        of_metric = of_benchmark[of_benchmark.metric == metric]
        judges = of_metric[(of_metric.kind == "judge") & ~of_metric.rater.isin(of_kind(kinds, "baseline"))]
        people = next(of_metric[of_metric.kind == HUMANS].itertuples(), None)
        best = next(judges.sort_values("value", ascending=False, kind="stable").itertuples(), None)
        if people and best:
            points = 100 * (people.value - best.value)
            sentences.append(
                f"{benchmark}: a person agrees with the other people at {metric} {_span(people)}, the best judge, "
                f"{best.rater}, at {_span(best)}: {abs(points):.0f} points {'below' if points >= 0 else 'above'}."
            )
    words = (
        "Both are compared with the other people's votes; a judge's two orders make one verdict, different ones a tie."
    )
    return [Finding("How far below people", [*sentences, words])] if sentences else []


def _span(row) -> str:
    return span(row.value, row.ci_low, row.ci_high)


# ---- figure ----

_VOTES = ("single votes", "single votes, ties left out")
_BAND = "#e9c46a"


def humans(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """Two panels per benchmark, one row per judge, people on top and as a band behind all rows.

    Left: agreement with the majority of the other people, where people reach their ceiling (a judge stands in for each
    person in turn). Right: agreement with single votes, with ties and, hollow, without; benchmarks of pairs only.
    """
    pooled = table[table.kind.isin([HUMANS, "judge"])]
    voted = list(pooled.benchmark[pooled.against == "others"].unique())
    parts = [part for name in voted for part in _panels(name, pooled[pooled.benchmark == name])]
    drawings = {panel.title: panel for panel in parts}
    missing = [name for name in table.benchmark.unique() if name not in voted]
    footnote = not_shown(missing, "no item has the votes of two people")
    figure, axes = judge_figure(
        drawings,
        [HUMANS, *pooled.rater[pooled.kind == "judge"]],
        {HUMANS: HUMANS} | kinds,
        "agreement with people (band: people among themselves)",
        footnote,
        [mark("single votes, ties left out", filled=False)],
        HeatMap("agreement with people ± half its interval; single votes with ties", footnote),
        width=3.6,
        columns=2,
    )
    for title, panel in axes.items():
        for series, strength in zip(drawings[title].series, (0.4, 0.2), strict=False):
            people = series.estimates[HUMANS]
            if not math.isnan(people.ci_low):
                panel.axvspan(people.ci_low, people.ci_high, color=_BAND, alpha=strength, zorder=0, lw=0)
    return figure


def _panels(name: str, rows: Frame) -> list[Panel]:
    """Return the panel of the majority of the others, and the one of single votes where a benchmark has them."""
    metric = "accuracy" if "accuracy" in set(rows.metric) else "spearman"
    against = "the majority of the others" if metric == "accuracy" else "the mean of the others, Spearman"
    of_others = rows[(rows.against == "others") & (rows.metric == metric)]
    settings = [(f"{name}: {against}", [of_others], [0.0])]
    if rows.against.isin(_VOTES).any():
        votes = [rows[rows.against == setting] for setting in _VOTES]
        settings.append((f"{name}: single votes", votes, [-0.16, 0.16]))
    panels = []
    for text, parts, offsets in settings:
        title = f"{text} (n = {parts[0].n[parts[0].rater == HUMANS].iloc[0]})"
        series = [Series(estimates(parts[0], "rater"), title, offset=offsets[0])]
        series += [
            Series(estimates(part, "rater", filled=False), offset=offset)
            for part, offset in zip(parts[1:], offsets[1:], strict=True)
        ]
        panels.append(Panel(title, series))
    return panels


TABLE = Table(
    title="Human–human and human–judge agreement",
    caption="Agreement of human annotators with the majority, with the majority of the others and with each "
    "other, and of judges with annotators on the same labels; Krippendorff's alpha among annotators and "
    "with each judge added. ``humans.csv`` has every annotator.",
    columns=COLUMNS,
    condition=has_judges,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    in_record=True,
    findings=findings,
    figures={
        "humans": Figure(
            label="Human–human and human–judge agreement",
            caption="Judges beside human annotators. Left: agreement with the majority of the other annotators, where "
            "an annotator's own vote does not count; a judge takes each annotator's place in turn, so that the band "
            "(annotators, the ceiling) and the judges are compared with the same labels. Right: agreement with "
            "single votes, of judges with annotators beside annotators with each other, with ties and (hollow) "
            "without. Without ties an inconsistent judge looks better than it is: its two orders then make a tie,"
            " and ties are left out.",
            draw=humans,
        ),
    },
)
