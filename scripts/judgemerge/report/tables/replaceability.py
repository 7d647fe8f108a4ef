"""replaceability.csv: whether a judge may replace the people who labelled a benchmark, in a sentence and in numbers."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.evaluate.units import Scores
from judgemerge.report.drawing import Estimate, HeatMap, Panel, Series, judge_figure, mark
from judgemerge.report.markup import Crosstab, by_benchmark, details, grid, notes, part, undefined_notes, value_cell
from judgemerge.report.table import (
    ESTIMATE,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Material,
    Section,
    Study,
    Table,
    has_judges,
    in_order,
    judging_pairs,
)
from judgemerge.study.layout import Layout

COLUMNS = {
    "judge": Column("name of the judge"),
    "benchmark": Column("name of the item set, or of a panel of label files"),
    "metric": Column(
        "answer (1 yes, 0 no), winning_rate ω, advantage ρ, margin, a kappa, verdict_z, or agreement with gold labels; "
        "in brackets the ε, or the person, that it is restricted to"
    ),
    **ESTIMATE,
    "epsilon": Column("ε: what a person's label is worth more than a judge's"),
    "p": Column("p-value of a margin below ε"),
    "p_adjusted": Column("the same after Benjamini and Yekutieli's procedure over the people"),
    "n": Column("number of items; of a winning rate, of people"),
    "errors": Column("number of unreadable verdicts among the items"),
    "rules": Column("house, or published: the test as in Calderon et al. 2025, which counts items as independent"),
    "note": Column("the answer in one sentence, why there is none, or why a value is undefined"),
}
INTRO = (
    "May a judge replace the people who labelled? The alternative annotator test takes one person out of the panel and "
    "asks who is nearer to the labels of the others, that person or the judge. The judge beats a person when it is not "
    "nearer less often by ε or more (ε is what a person's label is worth more); it may replace people when it beats "
    "half of them. ρ is how often it is at least as near, averaged over the people; it ranks judges. {confidence} "
    "intervals, prompts as clusters. docs/replaceability.md explains every number."
)
ANSWERS, REFUSED = "The answers", "no answer"
_MAIN = {
    "winning_rate": "winning rate ω",
    "advantage": "advantage ρ",
    "kappa_people": "kappa among people",
    "kappa_judge": "kappa of the judge",
    "kappa_gap": "difference",
    "verdict_z": "z",
}
_GOLD = {
    "gold_agreement": "agreement with the gold label",
    "gold_kappa": "kappa",
    "kappa_deflation": "agreement − kappa, points",
}


# ---- rows ----


def inputs(study: Study) -> Inputs:
    """Return the verdicts of all judges, and the files of panels."""
    files = [file for panel in _panels(study).values() for file in (panel["people"], panel["judges"])]
    return Inputs.of_pairs(judging_pairs(study), files=files)


def parameters(study: Study) -> dict[str, Any]:
    """Return the pairs of judge and benchmark, the panels, and ε of each benchmark and panel."""
    return {
        "pairs": judging_pairs(study),
        "panels": _panels(study),
        "epsilons": Scores(study).epsilons(),
        "statistics": study.settings.statistics.plain(),
    }


def _panels(study: Study) -> dict[str, dict[str, Any]]:
    """Return what `panels.read_panel` takes, by panel."""
    panels, layout = {}, Layout(study.name)
    for name, panel in study.settings.replaceability.panels.items():
        people, judges = layout.raw_files((panel.people, panel.judges), study.catalogues.sources)
        panels[name] = {"people": people, "judges": judges, "are_grades": panel.labels == "grades"}
    return panels


def rows(
    material: Material,
    pairs: Sequence[tuple[str, str]],
    panels: Mapping[str, Mapping[str, Any]],
    epsilons: Mapping[str, float],
    statistics: Mapping[str, Any],
) -> Frame:
    """Return the rows of every benchmark, then of every panel."""
    from judgemerge.evaluate import replaceability
    from judgemerge.evaluate.panels import read_panel
    from judgemerge.settings.report import Statistics

    settings = Statistics.of(statistics)
    lines = []
    for benchmark in dict.fromkeys(benchmark for _, benchmark in pairs):
        verdicts = material.verdicts_of(pair for pair in pairs if pair[1] == benchmark)
        by_judge = {judge: verdicts[judge, benchmark] for judge, _ in verdicts}
        items = material.items(benchmark)
        lines += replaceability.benchmark_rows(items, by_judge, epsilons[benchmark], settings)
    for name, files in panels.items():
        panel, judges = read_panel(**files)
        lines += replaceability.panel_rows(name, panel, judges, epsilons[name], settings)
    return replaceability.table_of(lines)


# ---- page ----


def sections(table: Frame, judges: Sequence[str]) -> list[Section]:
    """Return the answers in words, then a section per benchmark with a panel of people."""
    answers = table[table.metric == "answer"]
    can_be_tested = answers.benchmark[answers.value.notna()].unique()
    order = in_order(table.judge, judges)
    tested = answers[answers.benchmark.isin(can_be_tested)]
    parts = [(ANSWERS, _answers(tested, order) + _refused(answers[~answers.benchmark.isin(can_be_tested)]))]
    shown = table.benchmark.isin(can_be_tested) | (table.metric == "kappa_people") & table.value.notna()
    with_people = table.benchmark.isin(table.benchmark[shown])
    parts += by_benchmark(table[with_people], lambda lines: _benchmark(lines, in_order(lines.judge, judges)))
    gold = table[~with_people & table.metric.isin(_GOLD)]
    return parts + ([("Other benchmarks: what raw agreement hides", _gold_only(gold, order))] if len(gold) else [])


def _answers(answers: Frame, order: Sequence[str]) -> str:
    if not len(answers):
        return "<p>No benchmark has a panel of people that is large enough.</p>"
    lines = [
        [html.escape(text) for text in (row.benchmark, row.judge, f"{row.epsilon:g}", row.note)]
        for _, of_benchmark in answers.groupby("benchmark", sort=False)
        for row in sorted(of_benchmark.itertuples(), key=lambda row: order.index(row.judge))
    ]
    return grid(["benchmark", "judge", "ε", "may it replace the people?"], lines)


def _refused(answers: Frame) -> str:
    """Return why there is no answer, each reason once with its benchmarks."""
    return notes(zip(answers.benchmark, answers.note, strict=True))


def _benchmark(lines: Frame, order: Sequence[str]) -> str:
    house, published = lines[lines.rules == "house"], lines[lines.rules == "published"]
    return (
        _main(house, _MAIN, order)
        + (part("What raw agreement hides", _main(house, _GOLD, order)) if house.metric.isin(_GOLD).any() else "")
        + _by_epsilon(house, published, order)
        + _people(house, published, order)
    )


def _main(lines: Frame, headings: Mapping[str, str], order: Sequence[str]) -> str:
    lines = lines[lines.metric.isin(headings)]
    sizes = lines[lines.metric != "winning_rate"].groupby("judge")[["n", "errors"]].max()
    table = Crosstab(lines, "judge", "metric", _cell).html(
        ["judge", "items", "errors"],
        [judge for judge in order if judge in sizes.index],
        [metric for metric in headings if metric in set(lines.metric)],
        lambda judge: [judge, *sizes.loc[judge]],
        headings.__getitem__,
    )
    return table + undefined_notes(lines, lines.judge)


def _cell(row: Any) -> str:
    if row.metric == "kappa_deflation" and row.value == row.value:
        return f"{row.value:.1f} <small>[{row.ci_low:.1f}, {row.ci_high:.1f}]</small>"
    return value_cell(row)


def _by_epsilon(house: Frame, published: Frame, order: Sequence[str]) -> str:
    """Return the winning rate at other ε, the paper's test in brackets, folded away."""
    lines = house[house.metric.str.startswith("winning_rate[")]
    if not len(lines):
        return ""
    paper = {(row.judge, row.metric): row.value for row in published.itertuples()}

    def cell(row: Any) -> str:
        return f"{row.value:.2f} <small>({paper[row.judge, row.metric]:.2f})</small>"

    table = Crosstab(lines, "judge", "epsilon", cell)
    shown = table.html(["judge"], [judge for judge in order if judge in table.lines], titles=lambda e: f"ε = {e:g}")
    return details("Winning rate by ε; in brackets with the paper's t test, which counts items as independent", shown)


def _people(house: Frame, published: Frame, order: Sequence[str]) -> str:
    """Return each judge against each person, folded away."""
    margins = house[house.metric.str.startswith("margin[")]
    if not len(margins):
        return ""
    by_cell = {(row.judge, row.metric): row for row in house.itertuples()}
    paper = {(row.judge, row.metric): row for row in published.itertuples()}
    lines = []
    for judge in order:
        for row in margins[margins.judge == judge].itertuples():
            person = row.metric.removeprefix("margin[").removesuffix("]")
            cells = [value_cell(by_cell[judge, f"advantage[{person}]"]), value_cell(row)]
            numbers = (row.p, row.p_adjusted, paper[judge, row.metric].p, paper[judge, row.metric].p_adjusted)
            names = [html.escape(text) for text in (judge, person)]
            lines.append([*names, str(row.n), *cells, *(f"{number:.4f}" for number in numbers)])
    head = ["judge", "person", "items", "judge at least as near", "person nearer, net"]
    head += ["p", "adjusted", "p, paper's", "adjusted, paper's"]
    return details(f"Judge against each person: {margins.metric.nunique()} people", grid(head, lines))


def _gold_only(lines: Frame, order: Sequence[str]) -> str:
    benchmarks = lines.groupby("benchmark", sort=False)
    return "".join(part(str(name), _main(of_benchmark, _GOLD, order)) for name, of_benchmark in benchmarks)


# ---- first page ----


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return on each benchmark with a test which judges may replace the people, or what is said of the nearest one."""
    answers = table[(table.metric == "answer") & table.value.notna()]
    nearness = table[(table.metric == "advantage") & (table.rules == "house")].set_index(["benchmark", "judge"]).value
    sentences = []
    for benchmark, of_benchmark in answers.groupby("benchmark", sort=False):
        passing = list(of_benchmark.judge[of_benchmark.value == 1])
        if passing:
            reply = f"Yes: {', '.join(passing)}, of {len(of_benchmark)} judges"
        else:
            nearest = max(of_benchmark.itertuples(), key=lambda row: nearness.get((row.benchmark, row.judge), -1.0))
            why = nearest.note.removeprefix("no: ")
            reply = f"None of {len(of_benchmark)}; the nearest is {nearest.judge} ({why})"
        sentences.append(f"May a judge replace the people of {benchmark}? {reply}.")
    return [Finding("May a judge replace the people?", sentences)] if sentences else []


# ---- figure ----


def advantage(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per benchmark with a test, one row per judge: ρ, filled where the judge may replace the people."""
    lines = table[table.rules == "house"]
    answers = {(row.benchmark, row.judge): row.value == 1 for row in lines[lines.metric == "answer"].itertuples()}
    chosen = lines[lines.metric == "advantage"]
    drawings = {
        str(name): Panel(
            f"{name} (n = {of_benchmark.n.max()})",
            [
                Series(
                    {
                        row.judge: Estimate.of(row, answers[name, row.judge], "✓" if answers[name, row.judge] else "")
                        for row in of_benchmark.itertuples()
                    },
                    str(name),
                )
            ],
        )
        for name, of_benchmark in chosen.groupby("benchmark", sort=False)
    }
    marks = [mark("may replace the people"), mark("may not", filled=False)]
    label = "advantage ρ: how often the judge is at least as near to the other people as one of them"
    crowd = HeatMap("advantage ρ ± half its interval; ✓ may replace the people")
    footnote = "" if drawings else "no benchmark has three people who labelled 30 items or more together"
    kinds = {**kinds, **{judge: "recorded" for judge in chosen.judge if judge not in kinds}}  # those of label files
    return judge_figure(drawings, dict.fromkeys(chosen.judge), kinds, label, footnote, marks, crowd)[0]


TABLE = Table(
    title="May the judge replace people?",
    caption="For each judge the answer in one sentence, the alternative annotator test behind it (winning rate, "
    "advantage, p-values per person, several ε), the kappas of the judge with people beside those of people with each "
    "other, and how far raw agreement falls when chance is taken out.",
    columns=COLUMNS,
    condition=has_judges,
    inputs=inputs,
    parameters=parameters,
    rows=rows,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    in_record=True,
    findings=findings,
    figures={
        "replaceability": Figure(
            label="May the judge replace people?",
            caption="Advantage ρ of each judge: how often it is at least as near to the labels of the other people as "
            "the person whose place it takes. Filled where the alternative annotator test lets it replace the people.",
            draw=advantage,
        ),
    },
)
