"""self_consistency.csv: whether judges agree with themselves over runs, triples, and between grading and comparing."""

from collections.abc import Sequence
from typing import Any

from judgemerge.report.markup import Crosstab, by_benchmark, notes, undefined_notes, value_cell
from judgemerge.report.material import Material
from judgemerge.report.table import ESTIMATE, Column, Frame, Inputs, Pair, Section, Study, Table, judging_pairs

COLUMNS = {
    "judge": Column("name of the judge; recorded_scores are those of the benchmark's own judge"),
    "benchmark": Column("name of the item set"),
    "metric": Column("alpha_runs, transitivity, equal_triples, pair_minus_from_grades, redrawn or redraws"),
    **ESTIMATE,
    "n": Column("number of items, triples, pairs or replies"),
    "errors": Column("number of those that could not be read"),
    "note": Column("why a value is undefined, or the two values that a difference is of"),
}
INTRO = (
    "alpha_runs: Krippendorff's alpha (ordinal) over several sampled replies to one grading prompt; recorded_scores "
    "are the scores that the benchmark's own judge gave. transitivity: share of response triples whose pairwise "
    "preferences are transitive, in the original order, triples with an equal verdict excluded; equal_triples: share "
    "of triples with an equal verdict. pair_minus_from_grades: accuracy of pairwise ranking minus accuracy of "
    "comparing two grades of the same judge, human ties excluded. redrawn: share of replies sampled again because they "
    "could not be read; "
    "redraws: number of further samples. Each value with its interval, n and the errors in brackets."
)


def self_comparing_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for models and derived judges, where self-consistency is asked for at all."""
    judging = study.settings.judging
    several = judging.sampling.runs > 1 or judging.retries
    if not (study.judges_from_grades or several or study.settings.ablation):
        return []
    return judging_pairs(study, "model", "derived")


def sampled_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for every model whose replies are sampled."""
    is_sampled = study.settings.judging.sampling.temperature > 0
    pairs = self_comparing_pairs(study)
    return [(judge, name) for judge, name in pairs if is_sampled and study.kind(judge) == "model"]


def inputs(study: Study) -> Inputs:
    """Return the items and verdicts of all pairs, and the replies of those that are sampled."""
    return Inputs.of_pairs(self_comparing_pairs(study), replies=sampled_pairs(study))


def parameters(study: Study) -> dict[str, Any]:
    """Return the pairs, the prompts of the sampled ones, whose grades are compared, and how intervals are computed."""
    prompts = {
        (judge, name): f"config/prompts/{study.prompt(judge, study.protocol(name))}.yaml"
        for judge, name in sampled_pairs(study)
    }
    return {
        "pairs": self_comparing_pairs(study),
        "prompts": prompts,
        "from_grades": study.judges_from_grades,
        "statistics": study.settings.statistics.plain(),
    }


def rows(
    material: Material, pairs: list[Pair], prompts: dict[Pair, str], from_grades: dict[str, str], statistics: dict
) -> Frame:
    """Return the rows of the benchmarks' own judges, then those of every judge on every benchmark."""
    import pandas as pd

    from judgemerge.evaluate.self_consistency import RECORDED, judge_rows, recorded_rows
    from judgemerge.prompting.prompts import load_template
    from judgemerge.settings.report import Statistics

    settings = Statistics.of(statistics)
    items = material.items_of(pairs)
    verdicts = material.verdicts_of(pairs)
    lines = [(RECORDED, name, *line) for name, some in items.items() for line in recorded_rows(some, settings)]
    for judge, benchmark in verdicts:
        replies = material.replies(judge, benchmark) if (judge, benchmark) in prompts else None
        reply = load_template(prompts[judge, benchmark]).reply if replies is not None else None
        measured = judge_rows(items[benchmark], verdicts, judge, from_grades.get(judge), replies, reply, settings)
        lines += [(judge, benchmark, *line) for line in measured]
    return pd.DataFrame(lines, columns=list(COLUMNS))


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one section per benchmark: a row per judge, a column per metric."""
    return by_benchmark(table, _benchmark) or [
        ("Nothing to show", "<p>No benchmark has pairs of several answers, several draws or derived judges.</p>")
    ]


def _benchmark(rows: Frame) -> str:
    gaps = rows[(rows.metric == "pair_minus_from_grades") & rows.value.notna()]
    about = notes((row.judge, f"{row.metric} {row.note}") for row in gaps.itertuples())
    table = Crosstab(rows, "judge", "metric", _cell).html(["judge"])
    return table + about + undefined_notes(rows, rows.judge + ", " + rows.metric)


def _cell(row: Any) -> str:
    if row.metric == "redraws":
        return f"{row.value:.0f}"
    return value_cell(row, with_n=True) + (f" <small>({row.errors})</small>" if row.errors else "")


TABLE = Table(
    title="Self-consistency of judges",
    caption="Whether a judge agrees with itself: Krippendorff's alpha (ordinal) over several sampled grades, "
    "transitive triples of responses, accuracy of pairwise ranking minus accuracy of comparing two grades, and how "
    "many replies were sampled again because they could not be read.",
    columns=COLUMNS,
    condition=self_comparing_pairs,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    sections=sections,
)
