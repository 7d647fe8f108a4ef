"""humans.csv: how well people agree with each other, and judges with people on the same footing."""

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from judgemerge.report.drawing import (
    DARK,
    cell_of,
    colour,
    dot,
    finish,
    head,
    heat_map,
    in_order,
    is_crowded,
    judge_panels,
    kind_marks,
    left_out,
    mark,
)
from judgemerge.report.markup import by_benchmark, crosstab, details, ordered, undefined_notes
from judgemerge.report.table import Column, Figure, Inputs, Page, Section, Table, View, has_judges

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from judgemerge.study.study import Study

COLUMNS = {
    "benchmark": Column("name of the item set"),
    "kind": Column("humans, annotator or judge"),
    "rater": Column("`humans` together, one annotator, or a judge"),
    "against": Column(
        "whose labels the rater is compared with: the majority, the others, single votes, another annotator"
    ),
    "metric": Column("accuracy, kappa, a correlation, Krippendorff's alpha, or a count of votes"),
    "value": Column("the metric; empty where it is undefined"),
    "ci_low": Column("lower end of the confidence interval"),
    "ci_high": Column("upper end of the confidence interval"),
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


def page(table: "pd.DataFrame", view: View) -> Page:
    """Return one section per benchmark with several votes per item, and one that names the other benchmarks."""
    return view.page(sections(table, view.judges), view.material.failed_judges())


def sections(table: "pd.DataFrame", judges: Sequence[str]) -> list[Section]:
    """Return one section per benchmark with several votes per item, and one that names the other benchmarks."""
    several = table[table["against"] == "others"]["benchmark"].unique()
    voted = by_benchmark(table[table["benchmark"].isin(several)], lambda rows: _benchmark(rows, judges))
    others = [str(name) for name in table["benchmark"].unique() if name not in several]
    text = html.escape(f"No item has the votes of two people: {', '.join(others)}.")
    return voted + ([("Other benchmarks", f"<p>{text}</p>")] if others else [])


def _benchmark(rows: "pd.DataFrame", judges: Sequence[str]) -> str:
    order = ordered(rows.loc[rows["kind"] == "judge", "rater"], judges)
    return _counts(rows) + _beside_people(rows, order) + _annotators(rows) + _pairs(rows)


def _counts(rows: "pd.DataFrame") -> str:
    counts = rows[rows["against"] == "votes"].set_index("metric")
    values = {name: int(value) for name, value in counts["value"].items()}
    classes = (rows["metric"] == "accuracy").any()
    split = f", evenly split on {values['split']}" if classes else ""
    return (
        f"<p>{values['votes']} votes by {values['annotators']} annotators on {counts['n'].max()} items. On items with "
        f"several votes: all the same on {values['unanimous']}{split}. Items whose gold label is not the "
        f"{'majority' if classes else 'mean'} of their votes: {values['truth_differs']}.</p>"
    )


def _beside_people(rows: "pd.DataFrame", judges: Sequence[str]) -> str:
    pooled = rows[rows["kind"].isin([HUMANS, "judge"])]
    present = set(zip(pooled["against"], pooled["metric"], strict=True))
    headings = {(against, metric): heading for heading, against, metric in _COLUMNS if (against, metric) in present}
    sizes = pooled[pooled["against"] == "others"].groupby("rater")[["n", "errors"]].max()
    table = crosstab(pooled, "rater", ("against", "metric")).html(
        ["", "comparisons", "errors"],
        [HUMANS, *judges],
        headings,
        lambda rater: [rater, *sizes.loc[rater]],
        headings.__getitem__,
    )
    return table + undefined_notes(pooled, pooled["rater"])


def _annotators(rows: "pd.DataFrame") -> str:
    """Return a table with one line per annotator, folded away."""
    rows = rows[(rows["kind"] == "annotator") & rows["against"].isin(_ALONE)]
    names = list(dict.fromkeys(rows["rater"]))
    metrics = [name for name in ("accuracy", "kappa", "spearman") if name in set(rows["metric"])]
    rows = rows[rows["metric"].isin(metrics)]
    sizes = rows.groupby("rater")["n"].max()
    table = crosstab(rows, "rater", ("against", "metric")).html(
        ["annotator", "votes"], names, names=lambda name: [name, sizes[name]], titles=": ".join
    )
    centre = "mean" if "mean" in set(rows["against"]) else "majority"
    content = f"<p>Against the {centre} of all votes, the annotator's own included, and of the others.</p>"
    return details(f"Each annotator alone: {len(names)}", content + table)


def _pairs(rows: "pd.DataFrame") -> str:
    """Return a table with one line per two annotators who share items, folded away; nothing when there are none."""
    annotators = set(rows.loc[rows["kind"] == "annotator", "rater"])
    rows = rows[(rows["kind"] == "annotator") & ~rows["against"].isin(_ALONE)]
    if not len(rows):
        return ""
    sizes = rows.groupby(["rater", "against"])["n"].max()
    table = crosstab(rows, ("rater", "against"), "metric")
    summary = (
        f"Annotators two by two, {len(table.lines)} pairs of {len(annotators)} annotators with at least 20 shared items"
    )
    return details(summary, table.html(["annotators", "items"], names=lambda pair: [" – ".join(pair), sizes[pair]]))


# ---- figure ----

_VOTES = ("single votes", "single votes, ties left out")
_BAND = "#e9c46a"


def humans(table: "pd.DataFrame", kinds: dict[str, str], panels: Sequence[str] = ()) -> "Drawing":
    """Two panels per benchmark, one row per judge, people on top and as a band behind all rows.

    Left: agreement with the majority of the other people, where people reach their ceiling (a judge stands in for each
    person in turn). Right: agreement with single votes, with ties and, hollow, without; benchmarks of pairs only.
    """
    pooled = table[table["kind"].isin([HUMANS, "judge"])]
    voted = list(pooled.loc[pooled["against"] == "others", "benchmark"].unique())
    series: dict[str, list[pd.DataFrame]] = {}
    titles: dict[str, str] = {}
    for name in voted:
        part = pooled[pooled["benchmark"] == name]
        metric = "accuracy" if "accuracy" in set(part["metric"]) else "spearman"
        against = "the majority of the others" if metric == "accuracy" else "the mean of the others, Spearman"
        series[name] = [part[(part["against"] == "others") & (part["metric"] == metric)].set_index("rater")]
        titles[name] = f"{name}: {against}"
        if part["against"].isin(_VOTES).any():
            votes = f"{name}: votes"
            series[votes] = [part[part["against"] == setting].set_index("rater") for setting in _VOTES]
            titles[votes] = f"{name}: single votes"
    raters = {panel: list(parts[0].index) for panel, parts in series.items()}
    titles = {panel: f"{text} (n = {series[panel][0].loc[HUMANS, 'n']})" for panel, text in titles.items()}
    missing = [name for name in table["benchmark"].unique() if name not in voted]
    footnote = left_out(missing, "no item has the votes of two people")
    marks = [mark("humans", shade=DARK), *kind_marks(pooled.loc[pooled["kind"] == "judge", "rater"], kinds)]
    if is_crowded(raters):
        cells = {
            titles[panel]: {rater: cell_of(row) for rater, row in parts[0].iterrows()}
            for panel, parts in series.items()
        }
        label = "agreement with people ± half its interval; single votes with ties"
        return finish(heat_map(cells, {HUMANS: "baseline"} | kinds), label, marks, footnote)
    judges = in_order((rater for names in raters.values() for rater in names if rater != HUMANS), kinds)
    figure, axes, names = judge_panels(raters, [HUMANS, *judges], columns=2, width=3.6)
    for panel, parts in series.items():
        _panel(axes[panel], parts, names[panel], kinds, titles[panel])
    marks.append(mark("single votes, ties left out", filled=False))
    return finish(figure, "agreement with people (band: people among themselves)", marks, footnote)


def _panel(
    axes: "Axes", series: Sequence["pd.DataFrame"], names: Sequence[str], kinds: dict[str, str], title: str
) -> None:
    """Draw a mark in the row of each rater for each series, filled for the first; each is indexed by rater."""
    offsets = [0.0] if len(series) == 1 else [-0.16, 0.16]
    for offset, part, filled in zip(offsets, series, (True, False), strict=False):
        for rater, row in part.iterrows():
            shade = DARK if rater == HUMANS else colour(rater, kinds)
            dot(axes, names.index(rater) + offset, row, shade, filled=filled)
        people = part.loc[HUMANS]
        if not math.isnan(people["ci_low"]):
            axes.axvspan(people["ci_low"], people["ci_high"], color=_BAND, alpha=0.4 if filled else 0.2, zorder=0, lw=0)
    head(axes, title, 3.6)


def page_inputs(study: "Study") -> Inputs:
    """Return the table that says which judges failed."""
    return Inputs(tables=["agreement"])


TABLE = Table(
    title="Human–human and human–judge agreement",
    caption="Agreement of human annotators with the majority, with the majority of the others and with each "
    "other, and of judges with annotators on the same labels; Krippendorff's alpha among annotators and "
    "with each judge added. ``humans.csv`` has every annotator.",
    columns=COLUMNS,
    wanted=has_judges,
    intro=INTRO,
    page=page,
    page_inputs=page_inputs,
    in_record=True,
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
