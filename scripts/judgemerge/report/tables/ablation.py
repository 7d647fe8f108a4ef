"""ablation.csv: variants of a judge, each beside the published value of its row."""

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from judgemerge.evaluate.ablation import MEAN, read_published, variant_judges
from judgemerge.evaluate.ablation import SIDES as PROTOCOLS
from judgemerge.report.drawing import DARK, colour, dot, finish, head, judge_panels, kind_marks, mark, not_shown
from judgemerge.report.markup import Crosstab, details, notes, part, value_cell
from judgemerge.report.material import Material
from judgemerge.report.table import Column, Drawing, Figure, Frame, Inputs, Page, Pair, Section, Study, Table, View

if TYPE_CHECKING:
    from judgemerge.evaluate.estimates import Measurement
    from judgemerge.settings.comparisons import AblationTable

COLUMNS = {
    "table": Column("name of the published table in the study file"),
    "row": Column("row of the published table"),
    "judge": Column("judge of this study that stands for the row; empty where the row is only quoted"),
    "side": Column("direct (grades), pairwise, runs (of grades), or triples (of pairs)"),
    "column": Column("column of the published table, or their mean"),
    "benchmark": Column("item set that stands for the column"),
    "metric": Column(
        "Pearson correlation for grades, accuracy without human ties for pairs; Krippendorff's alpha over runs; the "
        "paper's transitivity, whose premises are the labels"
    ),
    "value": Column("our value"),
    "ci_low": Column("lower end of its confidence interval"),
    "ci_high": Column("upper end of its confidence interval"),
    "n": Column("number of items"),
    "errors": Column("number of unreadable verdicts"),
    "published": Column("the printed value; empty where none was printed"),
    "source": Column("where it was printed"),
    "note": Column("why there is no value, or what a mean is of"),
}
INTRO = (
    "Each cell: our value with its interval and n, then the published value of the row of the same name, which is "
    "quoted and not computed here. Grades: Pearson correlation over the replies that were read. Pairs: share of right "
    "verdicts in both orders on the pairs that people do not call a tie; an error is a miss. The paper judges "
    "one order of pairs."
)
SYNTHETIC = (
    " The models of this run are tiny ones, made on the spot and trained on synthetic tasks. Only the shape of the "
    "table is the paper's: our numbers say that every variant can be made and judged, and nothing about the published "
    "ones."
)


def sections(table: Frame) -> list[Section]:
    """Return one section per published table, with a part per side."""
    return [(str(name).replace("_", " "), _published_table(rows)) for name, rows in table.groupby("table", sort=False)]


def page(table: Frame, view: View, is_synthetic: bool) -> Page:
    """Return one section per published table; `is_synthetic` tells whether the models are tiny ones."""
    return view.page(sections(table), SYNTHETIC if is_synthetic else "")


def _published_table(rows: Frame) -> str:
    parts = "".join(_side(side, of_side) for side, of_side in rows.groupby("side", sort=False))
    sources = "; ".join(source for source in rows.source.unique() if source != "not published")
    return f"{parts}<p>Published: {html.escape(sources)}.</p>"


def _side(side: str, rows: Frame) -> str:
    columns = sorted(rows.column.unique(), key=MEAN.__eq__)
    table = Crosstab(rows, ("row", "judge"), "column", _cell).html(
        ["row (our judge)"], columns=columns, names=lambda key: [f"{key[0]} ({key[1]})" if key[1] else key[0]]
    )
    errors = rows[rows.errors > 0]
    counted = ((f"{row.row}, {row.column}", f"{row.errors} verdicts could not be read") for row in errors.itertuples())
    about = notes(zip(rows.column, rows.note, strict=True))
    summary = details("Errors by row and column", notes(counted)) if len(errors) else ""
    return part(f"{side}: {rows.metric.iloc[0]}", table + about + summary)


def _cell(row) -> str:
    digits = f"{row.published:.4f}" if row.metric != "pearson" else f"{row.published:.3f}"
    published = "" if math.isnan(row.published) else f"<br><small>published {digits}</small>"
    return value_cell(row, with_n=row.column != MEAN) + published


# ---- figure ----

SIDES = {
    "direct": "grades: Pearson correlation",
    "pairwise": "pairs: accuracy without human ties",
    "runs": "grades: alpha over runs",
    "triples": "pairs: transitivity of the labels",
}


def ablation(table: Frame, kinds: dict[str, str], panels: Sequence[str]) -> Drawing:
    """One panel per column of one published table, one row per variant: ours filled, the quoted value hollow."""
    rows = table[table.table.isin(panels) & (table.column != MEAN)]
    several = rows.groupby("row").judge.transform("nunique") > 1
    rows = rows.assign(row=rows.row.where(~several, rows.row + " (" + rows.judge + ")"))
    parts = {key: part.set_index("row") for key, part in rows.groupby(["side", "column"], sort=False)}
    measured = {key: part for key, part in parts.items() if part.value.notna().any() or part.n.max() > 0}
    names = list(rows.row.unique())
    figure, axes, _ = judge_panels({"/".join(key): names for key in measured}, names, width=2.8, share=False)
    for (side, column), of_column in measured.items():
        panel = axes[f"{side}/{column}"]
        for row in of_column.itertuples():  # a row may lack a column, which is then its judge's alone
            position = names.index(row.Index)
            if row.judge:
                dot(panel, position, row, colour(row.judge, kinds))
            if not math.isnan(row.published):
                panel.plot(row.published, position, "D", color=DARK, markerfacecolor="none", markersize=4.5, zorder=5)
        head(panel, benchmark_title(of_column.benchmark.iloc[0], of_column), 2.8)
        panel.set_xlabel(SIDES[side], fontsize=8)
    marks = [*kind_marks(filter(None, rows.judge), kinds), mark("published, quoted", marker="D", filled=False)]
    missing = [column for side, column in parts if (side, column) not in measured]
    return finish(figure, "", marks, not_shown(missing, "the benchmark is not part of this run"))


def benchmark_title(benchmark: str, rows: Frame) -> str:
    """Return the benchmark with its items, and how many verdicts could not be read for the judge with the most."""
    unread = int(rows.errors.max())
    return f"{benchmark} (n = {rows.n.max()}{f', up to {unread} unread' if unread else ''})"


# ---- rows ----


def variant_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for everything that the tables and the sweep show."""
    ablation = study.settings.ablation
    benchmarks = dict.fromkeys(ablation.benchmarks.values() if ablation else ())
    return [
        (judge, benchmark)
        for judge in variant_judges(study.settings)
        for benchmark in benchmarks
        if benchmark in study.benchmarks and judge in study.judges_of(benchmark)
    ]


def side_pairs(study: Study, side: str) -> list[Pair]:
    """Return (judge, benchmark) that a side which is no agreement needs: of judges in tables with such cells."""
    protocol, ablation = PROTOCOLS[side], study.settings.ablation
    tables = [
        table
        for table in published_tables(study).values()
        if any(cell.side == side for cell in read_published(table.published))
    ]
    judges = {judge for table in tables for judges in table.judges().values() for judge in judges}
    benchmarks = set(ablation.benchmarks.values()) if ablation else set()
    pairs = [pair for pair in variant_pairs(study) if pair[0] in judges and pair[1] in benchmarks]
    return [pair for pair in pairs if study.protocol(pair[1]) == protocol]


def run_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) of the grades that were sampled several times, for the tables with alpha over runs."""
    sampling = study.settings.judging.sampling
    if sampling.runs < 2 or not sampling.temperature:
        return []
    return [pair for pair in side_pairs(study, "runs") if study.kind(pair[0]) == "model"]


def measure_pairs(material: Material, pairs: Sequence[Pair], statistics: dict) -> "dict[Pair, Measurement]":
    """Return what `evaluate.ablation_tables.measure` says of every pair whose judge did not fail."""
    from judgemerge.evaluate.ablation_tables import measure
    from judgemerge.settings.report import Statistics

    settings = Statistics.of(statistics)
    items = material.items_of(pairs)
    return {
        (judge, benchmark): measure(items[benchmark], verdicts, judge, settings)
        for (judge, benchmark), verdicts in material.verdicts_of(pairs).items()
    }


def published_tables(study: Study) -> "dict[str, AblationTable]":
    """Return the published tables that the study names."""
    return study.settings.ablation.tables if study.settings.ablation else {}


def inputs(study: Study) -> Inputs:
    """Return items and verdicts of the variants, and the published tables."""
    files = [table.published for table in published_tables(study).values()]
    return Inputs.of_pairs(variant_pairs(study), replies=run_pairs(study), files=files)


def parameters(study: Study) -> dict[str, Any]:
    """Return which judge stands for which row, which benchmark for which column, and how intervals are computed."""
    prompts = {
        (judge, name): f"config/prompts/{study.prompt(judge, study.protocol(name))}.yaml"
        for judge, name in run_pairs(study)
    }
    return {
        "pairs": variant_pairs(study),
        "runs": prompts,
        "triples": side_pairs(study, "triples"),
        "tables": {name: table.plain() for name, table in published_tables(study).items()},
        "benchmarks": study.settings.ablation.benchmarks,
        "statistics": study.settings.statistics.plain(),
    }


def rows(
    material: Material,
    pairs: list[Pair],
    runs: dict[Pair, str],
    triples: list[Pair],
    tables: dict[str, dict],
    benchmarks: dict[str, str],
    statistics: dict,
) -> Frame:
    """Return one row per row and column of each published table."""
    from judgemerge.evaluate.ablation_tables import ablation_table
    from judgemerge.settings.comparisons import AblationTable

    about = {name: AblationTable.of(table) for name, table in tables.items()}
    cells = {name: read_published(table.published) for name, table in about.items()}
    judges = {name: table.judges() for name, table in about.items()}
    consistency = _consistency(material, runs, triples, statistics)
    return ablation_table(judges, cells, benchmarks, measure_pairs(material, pairs, statistics), consistency)


def _consistency(
    material: Material, runs: dict[Pair, str], triples: list[Pair], statistics: dict
) -> "dict[str, dict[Pair, Measurement]]":
    """Return what the sides `runs` and `triples` show, by judge and benchmark."""
    from judgemerge.evaluate.ablation_tables import transitivity_of_labels
    from judgemerge.evaluate.self_consistency import alpha_of_replies
    from judgemerge.prompting.prompts import load_template
    from judgemerge.settings.report import Statistics

    settings, items = Statistics.of(statistics), material.items_of([*runs, *triples])
    alphas = {
        (judge, name): measured
        for (judge, name), prompt in runs.items()
        if not material.reason(judge, name)
        for measured in alpha_of_replies(
            items[name], material.replies(judge, name), load_template(prompt).reply, settings
        )
    }
    verdicts = material.verdicts_of(triples)
    transitive = {
        (judge, name): transitivity_of_labels(items[name], said, judge, settings)
        for (judge, name), said in verdicts.items()
    }
    return {"runs": alphas, "triples": transitive}


def page_parameters(study: Study) -> dict[str, bool]:
    """Return whether the models are tiny ones, made on the spot: their numbers are no reproduction of anybody's."""
    return {"is_synthetic": bool(study.models_by_origin("make"))}


def first_table(study: Study) -> list[str]:
    """Return the published table that the figure shows."""
    return list(published_tables(study))[:1]


CAPTION = (
    "Variants of one judge (experts, merges, trainings) on every benchmark, beside the value that a paper printed for "
    "the row of the same name. The published value is quoted, not computed here. Filled: this study, with its "
    "interval. Hollow: published. Where the models of this study are tiny ones made on the spot, only the machinery "
    "can be compared: the two have nothing but the row's name in common. Accuracy leaves out the pairs that people "
    "call a tie and counts both orders; the paper judges one order."
)
TABLE = Table(
    title="Ablation: variants beside published results",
    caption=CAPTION,
    columns=COLUMNS,
    condition=variant_pairs,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    page=page,
    page_parameters=page_parameters,
    figures={
        "ablation": Figure(
            label="Ablation: variants beside published results", caption=CAPTION, draw=ablation, panels=first_table
        ),
    },
)
