"""The page of humans.csv: people and judges on the same footing, then every annotator."""

import html
from collections.abc import Sequence

import pandas as pd

from judgemerge.report.pages.markup import details, grid, undefined_notes, value_cell

INTRO = (
    "How well people agree, and how well judges agree with people; {confidence} intervals, prompts resampled as "
    "clusters. Others: the majority (for grades the mean) of the other people's votes on an item, an even split being "
    "a tie. What people reach there is the human ceiling; a judge takes each person's place in turn, so that both meet "
    "the same labels. Single votes: a vote against another's vote, and a verdict against a vote, as in MT-Bench. A "
    "judge's two orders make one verdict; different ones are a tie. Alpha is Krippendorff's, among people or with the "
    "judge as one more annotator, on items with at least two votes; the change is what the judge adds to it."
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


def human_sections(table: pd.DataFrame, judges: Sequence[str]) -> list[tuple[str, str]]:
    """Return one section per benchmark with several votes per item, and one that names the other benchmarks."""
    sections, without = [], []
    for benchmark, rows in table.groupby("benchmark", sort=False):
        if not (rows["against"] == "others").any():
            without.append(str(benchmark))
            continue
        present = list(dict.fromkeys(rows.loc[rows["kind"] == "judge", "rater"]))
        order = [judge for judge in judges if judge in present] + [judge for judge in present if judge not in judges]
        content = _counts(rows) + _beside_people(rows, order) + _annotators(rows) + _pairs(rows)
        sections.append((str(benchmark), content))
    if without:
        text = f"No item has the votes of two people: {', '.join(without)}."
        sections.append(("Other benchmarks", f"<p>{html.escape(text)}</p>"))
    return sections


def _counts(rows: pd.DataFrame) -> str:
    counts = rows[rows["against"] == "votes"].set_index("metric")
    values = {name: int(value) for name, value in counts["value"].items()}
    classes = (rows["metric"] == "accuracy").any()
    split = f", evenly split on {values['split']}" if classes else ""
    return (
        f"<p>{values['votes']} votes by {values['annotators']} annotators on {counts['n'].max()} items. On items with "
        f"several votes: all the same on {values['unanimous']}{split}. Items whose truth is not the "
        f"{'majority' if classes else 'mean'} of their votes: {values['truth_differs']}.</p>"
    )


def _beside_people(rows: pd.DataFrame, judges: Sequence[str]) -> str:
    pooled = rows[rows["kind"].isin([HUMANS, "judge"])]
    there = set(zip(pooled["against"], pooled["metric"], strict=True))
    columns = [column for column in _COLUMNS if column[1:] in there]
    cells = {(row.rater, row.against, row.metric): value_cell(row) for row in pooled.itertuples()}
    sizes = pooled[pooled["against"] == "others"].groupby("rater")[["n", "errors"]].max()
    lines = [
        [html.escape(rater), *sizes.loc[rater], *(cells.get((rater, *column[1:]), "") for column in columns)]
        for rater in (HUMANS, *judges)
    ]
    head = ["", "comparisons", "errors", *(heading for heading, _, _ in columns)]
    return grid(head, lines) + undefined_notes(pooled, pooled["rater"])


def _annotators(rows: pd.DataFrame) -> str:
    """Return a table with one line per annotator, folded away."""
    rows = rows[(rows["kind"] == "annotator") & rows["against"].isin(_ALONE)]
    names = list(dict.fromkeys(rows["rater"]))
    metrics = [name for name in ("accuracy", "kappa", "spearman") if name in set(rows["metric"])]
    rows = rows[rows["metric"].isin(metrics)]
    columns = list(dict.fromkeys(zip(rows["against"], rows["metric"], strict=True)))
    cells = {(row.rater, row.against, row.metric): value_cell(row) for row in rows.itertuples()}
    sizes = rows.groupby("rater")["n"].max()
    lines = [
        [html.escape(name), sizes[name], *(cells.get((name, *column), "") for column in columns)] for name in names
    ]
    head = ["annotator", "votes", *(f"{against}: {metric}" for against, metric in columns)]
    centre = "mean" if "mean" in set(rows["against"]) else "majority"
    content = f"<p>Against the {centre} of all votes, the annotator's own included, and of the others.</p>"
    return details(f"Each annotator alone: {len(names)}", content + grid(head, lines))


def _pairs(rows: pd.DataFrame) -> str:
    """Return a table with one line per two annotators who share items, folded away; nothing when there are none."""
    annotators = set(rows.loc[rows["kind"] == "annotator", "rater"])
    rows = rows[(rows["kind"] == "annotator") & ~rows["against"].isin(_ALONE)]
    if not len(rows):
        return ""
    pairs = list(dict.fromkeys(zip(rows["rater"], rows["against"], strict=True)))
    metrics = list(dict.fromkeys(rows["metric"]))
    cells = {(row.rater, row.against, row.metric): value_cell(row) for row in rows.itertuples()}
    sizes = rows.groupby(["rater", "against"])["n"].max()
    lines = [
        [html.escape(" – ".join(pair)), sizes[pair], *(cells.get((*pair, metric), "") for metric in metrics)]
        for pair in pairs
    ]
    summary = f"Annotators two by two, {len(pairs)} pairs of {len(annotators)} annotators with at least 20 shared items"
    return details(summary, grid(["annotators", "items", *metrics], lines))
