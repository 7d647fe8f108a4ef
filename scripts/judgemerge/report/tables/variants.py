"""variants.csv: the same judges asked with other prompts, and what that changes, paired."""

import html
from collections.abc import Mapping, Sequence
from typing import Any

from judgemerge.report.drawing import colour, dot, finish, judge_panels, kind_marks
from judgemerge.report.markup import grid, in_form, part, span, undefined_notes, value_cell
from judgemerge.report.material import Material
from judgemerge.report.table import (
    DETECTABLE,
    ESTIMATE,
    SIGNIFICANT,
    Column,
    Drawing,
    Figure,
    Finding,
    Frame,
    Inputs,
    Pair,
    Section,
    Study,
    Table,
)

USUAL, VARIANT, DIFFERENCE = "usual", "variant", "variant_minus_usual"  # as in evaluate/variants.py, which is heavy
COLUMNS = {
    "variant": Column("name of the variant in the study file"),
    "judge": Column("the judge that is asked both ways"),
    "benchmark": Column("name of the item set"),
    "protocol": Column("pairwise or pointwise"),
    "asked": Column("usual (the judge's own prompt), variant (the other one), or variant_minus_usual, the difference"),
    "prompt": Column("name of the prompt, or of both"),
    "metric": Column("agreement with the gold label: accuracy of pairs, correlations of grades"),
    **ESTIMATE,
    "n": Column("number of items"),
    "errors": Column("number of unreadable verdicts; of a difference, those of both"),
    **DETECTABLE,
    "p": Column("of a difference: two-sided, paired cluster bootstrap t"),
    "p_holm": Column("the same after Holm's correction over the judges and benchmarks of the variant in this metric"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "The same weights asked twice about the same items, once with the judge's usual prompt and once with that of the "
    "variant. The difference is variant − usual, paired item by item, with its {confidence} interval (prompts "
    "resampled as clusters), its p, also after Holm's correction over all judges and benchmarks of the variant, and "
    "the smallest difference that these items would have shown (power .8)."
)
_TITLES = {"accuracy": "accuracy", "pearson": "Pearson", "spearman": "Spearman", "kendall": "Kendall's tau"}


def variant_pairs(study: Study) -> list[Pair]:
    """Return (variant judge, benchmark) for everything that a variant and its judge both answer."""
    return [
        (name, benchmark)
        for name, one in study.variants.items()
        for benchmark in study.benchmarks
        if study.answers(name, benchmark) and study.answers(one.model, benchmark)
    ]


def _both(study: Study) -> list[Pair]:
    pairs = variant_pairs(study)
    return list(dict.fromkeys(pair for name, one in pairs for pair in ((study.variants[name].model, one), (name, one))))


def inputs(study: Study) -> Inputs:
    """Return the items, and the verdicts of the judges under both prompts."""
    return Inputs.of_pairs(_both(study))


def parameters(study: Study) -> dict[str, Any]:
    """Return what is compared with what under which prompts, and how intervals are computed."""
    compared: dict[str, list[tuple[str, ...]]] = {}
    for name, benchmark in variant_pairs(study):
        one, protocol = study.variants[name], study.protocol(benchmark)
        prompts = (study.prompt(one.model, protocol), study.prompt(name, protocol))
        compared.setdefault(benchmark, []).append((one.name, one.model, name, *prompts))
    return {"compared": compared, "statistics": study.settings.statistics.plain()}


def rows(material: Material, compared: dict[str, list[tuple[str, ...]]], statistics: dict) -> Frame:
    """Return the rows of every benchmark, those of judges that could not judge left out."""
    import pandas as pd

    from judgemerge.evaluate import variants
    from judgemerge.settings.report import Statistics

    settings, parts = Statistics.of(statistics), []
    for benchmark, listed in compared.items():
        pairs = [variants.Pair(*one) for one in listed]
        names = dict.fromkeys(name for pair in pairs for name in (pair.judge, pair.other))
        verdicts = material.verdicts_of([(name, benchmark) for name in names])
        by_judge = {judge: said for (judge, _), said in verdicts.items()}
        judged = [pair for pair in pairs if {pair.judge, pair.other} <= by_judge.keys()]
        parts.append(variants.variant_rows(material.items(benchmark), by_judge, judged, settings))
    return variants.with_holm(pd.concat(parts, ignore_index=True))


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one section per variant: a part per benchmark, a line per judge and metric."""
    return [
        (str(variant).replace("_", " "), "".join(_benchmark(str(name), part) for name, part in _parts(rows)))
        for variant, rows in table.groupby("variant", sort=False)
    ]


def _parts(rows: Frame) -> list[tuple[object, Frame]]:
    return list(rows.groupby("benchmark", sort=False))


def _benchmark(name: str, rows: Frame) -> str:
    lines = [_line(of_judge) for _, of_judge in rows.groupby(["judge", "metric"], sort=False)]
    usual, other = (rows[rows.asked == asked].prompt.iloc[0] for asked in (USUAL, VARIANT))
    head = [
        "judge",
        "metric",
        f"usual ({usual})",
        f"variant ({other})",
        "difference",
        "p",
        "p after Holm",
        "detectable",
    ]
    table = grid([*map(html.escape, head), "errors"], lines)
    return part(f"{name} (n = {rows.n.max()})", table + undefined_notes(rows, rows.judge + ", " + rows.metric))


def _line(rows: Frame) -> list[str]:
    by_asked = {row.asked: row for row in rows.itertuples()}
    gap = by_asked[DIFFERENCE]
    values = [value_cell(by_asked[asked]) for asked in (USUAL, VARIANT, DIFFERENCE)]
    tests = [in_form(getattr(gap, name), ".3f") for name in ("p", "p_holm", "detectable")]
    errors = f"{by_asked[USUAL].errors}, {by_asked[VARIANT].errors}"
    return [html.escape(gap.judge), _TITLES[gap.metric], *values, *tests, errors]


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return, for every variant, what it changed most, and how many of its differences are significant."""
    sentences = []
    gaps = table[(table.asked == DIFFERENCE) & table.metric.isin(["accuracy", "pearson"])].dropna(subset="value")
    for variant, rows in gaps.groupby("variant", sort=False):
        row = rows.loc[rows.value.abs().idxmax()]
        clear = int((rows.p_holm < SIGNIFICANT).sum())
        changed = f"{_TITLES[row.metric]} {span(row.value, row.ci_low, row.ci_high)}"
        sentences.append(
            f"Under {str(variant).replace('_', ' ')}, {row.judge} on {row.benchmark} changes most: {changed} "
            f"(n {row.n}, {row.errors} errors). Significant after Holm's correction: {clear} of {len(rows)}."
        )
    return [Finding("What other words change", sentences, in_short=False)] if sentences else []


def variants(table: Frame, kinds: dict[str, str], panels: Sequence[str] = ()) -> Drawing:
    """One panel per variant and benchmark: the difference that the variant makes to each judge, with its interval."""
    gaps = table[(table.asked == DIFFERENCE) & table.metric.isin(["accuracy", "pearson"])]
    parts = {f"{variant}\n{name}": rows for (variant, name), rows in gaps.groupby(["variant", "benchmark"], sort=False)}
    order = list(dict.fromkeys(gaps.judge))
    listed = {name: list(dict.fromkeys(rows.judge)) for name, rows in parts.items()}
    figure, axes, names = judge_panels(listed, order, width=2.8)
    for name, rows in parts.items():
        for row in rows.itertuples():
            dot(axes[name], names[name].index(row.judge), row, colour(row.judge, kinds))
        axes[name].axvline(0, color="#999999", linewidth=0.8, zorder=0)
        title = name.replace("_", " ")
        axes[name].set_title(f"{title} (n = {rows.n.max()}), {_TITLES[rows.metric.iloc[0]]}", fontsize=8)
    return finish(figure, "variant − usual", kind_marks(gaps.judge.unique(), kinds))


TABLE = Table(
    title="Variants: the same judges under other prompts",
    caption="What another prompt changes in the agreement of a judge with the gold label, paired on the same items: a "
    "reference answer that is left out, say.",
    columns=COLUMNS,
    condition=variant_pairs,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    sections=sections,
    names_failed_judges=True,
    findings=findings,
    figures={
        "variants": Figure(
            label="Variants: what another prompt changes",
            caption="The difference (variant − usual) in agreement of each judge with the gold label, paired on the "
            "same items, with its interval: accuracy of pairs, Pearson correlation of grades. Left of the line the "
            "variant is worse.",
            draw=variants,
        )
    },
)
