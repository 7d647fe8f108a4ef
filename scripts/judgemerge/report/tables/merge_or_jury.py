"""merge_or_jury.csv: merges beside their parents, the jury of these, and joint training, with what each costs."""

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.merge import families
from judgemerge.report.costs import Places, cost_files, cost_places, read_cost
from judgemerge.report.drawing import Estimate, HeatMap, Panel, Series, judge_figure, mark
from judgemerge.report.markup import Crosstab, dash, grid, notes, part, value_cell
from judgemerge.report.table import (
    DETECTABLE,
    ESTIMATE,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Material,
    Pair,
    Section,
    Study,
    Table,
)

COLUMNS = {
    "parents": Column("the models that are merged"),
    "benchmark": Column("name of the item set"),
    "contender": Column("parent, mean (of the parents), jury (of the parents), joint (training), or merge"),
    "judge": Column("name of the judge, or what it is where it is no judge of the study"),
    "metric": Column("accuracy, accuracy_first or spearman; of a merge also minus[other]: paired, on the same items"),
    **ESTIMATE,
    **DETECTABLE,
    "models": Column("models that an item asks"),
    "tokens": Column("tokens of prompts and replies per item, both orders; empty where an endpoint counts none"),
    "n": Column("number of items"),
    "errors": Column("number of verdicts that could not be read"),
    "note": Column("what the contender has not learnt, or why a value is missing"),
}
INTRO = (
    "Is a merge worth it? It asks one model per item, like each of its parents and like one model trained on the data "
    "of all of them (joint training); a jury of k parents asks k. Juries are assembled from the parents' verdicts. A "
    "parent that was never trained on pairs (or on grades) says so in its note, and its vote in the jury is worth what "
    "it is: compare the merge with the parent that was. The weighted jury learns that from the other half of the "
    "prompts. The best parent is chosen on the same items. A difference “shows” the "
    "smallest one that these items could have shown. {confidence} intervals, prompts as clusters. docs/panels.md "
    "explains every number."
)
_CONTENDERS = ("parent", "mean", "jury", "joint", "merge")
_MINUS = "minus["


# ---- rows ----


def merged_benchmarks(study: Study) -> list[str]:
    """Return the benchmarks that a merge judges."""
    return [name for name in study.benchmarks if families.parameters(study, name)]


def _pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) of all contenders that are judges."""
    pairs = []
    for benchmark in merged_benchmarks(study):
        for family in families.parameters(study, benchmark):
            names = [*family["parents"], *family["joint"], *family["merges"]]
            pairs += [(name, benchmark) for name in names if name in study.judges and study.answers(name, benchmark)]
    return list(dict.fromkeys(pairs))


def inputs(study: Study) -> Inputs:
    """Return the verdicts of parents, merges and joint training, and their replies, whose tokens are counted."""
    return Inputs.of_pairs(_pairs(study), files=cost_files(cost_places(study, _pairs(study), with_seconds=False)))


def parameters(study: Study) -> dict[str, Any]:
    """Return who is compared with whom, and where tokens are written down."""
    return {
        "pairs": _pairs(study),
        "families": {name: families.parameters(study, name) for name in merged_benchmarks(study)},
        "costs": cost_places(study, _pairs(study), with_seconds=False),
        "statistics": study.settings.statistics.plain(),
        "seed": study.settings.seed,
    }


def rows(
    material: Material,
    pairs: Sequence[Pair],
    families: Mapping[str, Sequence[Mapping[str, Any]]],
    costs: Places,
    statistics: Mapping[str, Any],
    seed: int,
) -> Frame:
    """Return the rows of every benchmark."""
    from judgemerge.evaluate import merge_worth
    from judgemerge.settings.report import Statistics

    settings, lines = Statistics.of(statistics), []
    for benchmark, entries in families.items():
        items = material.items(benchmark)
        verdicts = material.verdicts_of(pair for pair in pairs if pair[1] == benchmark)
        by_judge = {judge: some for (judge, _), some in verdicts.items()}
        tokens = {judge: read_cost(costs[judge][benchmark], benchmark, len(items)).tokens for judge in by_judge}
        of_benchmark = [merge_worth.Family(**entry, tokens=tokens) for entry in entries]
        lines += merge_worth.benchmark_rows(items, by_judge, of_benchmark, settings, seed)
    return merge_worth.table_of(lines)


# ---- page ----


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return a section per benchmark, with a part per set of parents."""
    return [
        (str(benchmark), "".join(_family(str(parents), rows) for parents, rows in lines.groupby("parents", sort=False)))
        for benchmark, lines in table.groupby("benchmark", sort=False)
    ]


def _family(parents: str, lines: Frame) -> str:
    values = lines[~lines.metric.str.startswith(_MINUS)]
    shown = grid(
        ["judge", "what it is", "agreement", "models per item", "tokens per item", "errors"],
        [_line(row) for row in values.itertuples()],
    )
    differences = lines[lines.metric.str.startswith(_MINUS)]
    paired = Crosstab(differences, "judge", "metric").html(
        ["merge"], titles=lambda metric: metric.replace(_MINUS, "minus ").removesuffix("]")
    )
    metric = values.metric.iloc[0] if len(values) else ""
    return (
        part(f"Merges of {parents} ({metric}, n = {lines.n.max()})", shown)
        + (part("Merge minus …, paired", paired) if len(differences) else "")
        + notes(zip(values.judge, values.note, strict=True))
    )


def _line(row: Any) -> list[str]:
    return [
        html.escape(row.judge),
        row.contender,
        value_cell(row),
        "" if math.isnan(row.value) else f"{row.models:.0f}",
        dash("not counted") if math.isnan(row.tokens) else f"{row.tokens:,.0f}",
        str(row.errors),
    ]


# ---- first page ----


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return for each benchmark and set of parents how many merges are ahead of what they could be replaced by."""
    sentences = []
    for (benchmark, parents), lines in table.groupby(["benchmark", "parents"], sort=False):
        differences = lines[lines.metric.str.startswith(_MINUS) & lines.value.notna()]
        beside = [_beside(str(metric), of_metric) for metric, of_metric in differences.groupby("metric", sort=False)]
        if beside:
            n_merges = differences.judge.nunique()
            merges = f"{n_merges} merge{'s' if n_merges > 1 else ''} of {parents}"
            sentences.append(f"{benchmark}, {merges}: {'; '.join(beside)} (n {lines.n.max()}).")
    words = "Clearly: the interval of the paired difference is on one side of 0. A jury asks every parent."
    return [Finding("Is a merge worth it?", [*sentences, words])] if sentences else []


def _beside(metric: str, rows: Frame) -> str:
    ahead, behind = (rows.ci_low > 0).sum(), (rows.ci_high < 0).sum()
    return f"clearly ahead of the {metric.removeprefix(_MINUS).removesuffix(']')}: {ahead}, behind it: {behind}"


# ---- figure ----


def merge_or_jury(table: Frame, kinds: dict[str, str], names: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark and set of parents, one row per contender; hollow where an item asks several models."""
    values = table[~table.metric.str.startswith(_MINUS) & table.value.notna()]
    drawings, colours = {}, dict[str, str]()
    for (benchmark, parents), lines in values.groupby(["benchmark", "parents"], sort=False):
        in_order = lines.assign(place=lines.contender.map(_CONTENDERS.index)).sort_values("place", kind="stable")
        marks = {_name(row): Estimate.of(row, filled=row.models == 1) for row in in_order.itertuples()}
        colours |= {_name(row): _kind(row, kinds) for row in in_order.itertuples()}
        title = f"{benchmark} (n = {lines.n.max()})\nof {parents}"
        drawings[title] = Panel(title, [Series(marks, title)])
    order = sorted(colours, key=lambda name: list(colours.values()).index(colours[name]))
    legend = [mark("an item asks one model"), mark("an item asks several", filled=False)]
    label = "accuracy (or Spearman correlation) with people"
    crowd = HeatMap(f"{label} ± half its interval")
    footnote = _footnote(table) if drawings else "no merge has a verdict that can be scored"
    return judge_figure(drawings, order, colours, label, footnote, legend, crowd)[0]


def _footnote(table: Frame) -> str:
    """Return what parents have not learnt, and why there is no joint training."""
    untaught = table[(table.contender == "parent") & table.value.notna() & (table.note != "")]
    absent = table[(table.contender == "joint") & table.value.isna()]
    parts = [f"{row.judge}: {row.note}" for row in untaught.itertuples()]
    parts += [f"no joint training: {row.note}" for row in absent.itertuples()]
    return "; ".join(dict.fromkeys(parts))


def _name(row: Any) -> str:
    return f"{row.judge} ({row.models:.0f} models)" if row.models > 1 else row.judge


def _kind(row: Any, kinds: Mapping[str, str]) -> str:
    return {"jury": "jury", "mean": "expert", "merge": "merge"}.get(row.contender) or kinds.get(row.judge, "expert")


TABLE = Table(
    title="Merge, jury of the parents, or joint training?",
    caption="Every merge beside its parents, the jury of its parents and a model trained on the data of all of them: "
    "agreement with people, the models and tokens that an item costs, and the paired differences.",
    columns=COLUMNS,
    condition=merged_benchmarks,
    inputs=inputs,
    parameters=parameters,
    rows=rows,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    in_record=True,
    findings=findings,
    figures={
        "merge_or_jury": Figure(
            on_first_page=True,
            label="Merge, jury of the parents, or joint training?",
            caption="Agreement with people of merges, their parents, the juries of their parents and, where there is "
            "one, a model trained on the data of all parents. Hollow marks ask several models per item, so what is to "
            "their left is cheaper and worse, what is to their right is cheaper and better. Lines are 95 % intervals, "
            "prompts resampled as clusters.",
            draw=merge_or_jury,
        )
    },
)
