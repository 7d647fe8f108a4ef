"""score_consistency.csv: how often a judge's dimension scores, overall score and verdict fit each other."""

import math
from collections.abc import Sequence
from typing import Any

from judgemerge.report.markup import Crosstab, by_benchmark, span
from judgemerge.report.material import Material
from judgemerge.report.table import INTERVAL, Column, Frame, Inputs, Pair, Section, Study, Table, judging_pairs

COLUMNS = {
    "judge": Column("name of the judge"),
    "benchmark": Column("name of the item set"),
    "statement": Column("which two of a reply's scores and verdict fit, or how a verdict is derived from its scores"),
    "value": Column("share of replies for which the statement holds"),
    **INTERVAL,
    "n": Column("number of replies that state enough"),
    "errors": Column("number of the others"),
    "note": Column("why a value is undefined"),
}
INTRO = (
    "Judges that state a score per dimension give their judgment three times: in the dimensions, in the "
    "overall score and in the verdict. Each row is the share of replies in which two of them fit, with "
    "its {confidence} interval, prompts resampled as clusters; mean and weighted (dimensions 1 and 2 "
    "twice) are rounded. The last rows show how often the verdict that follows from the scores agrees "
    "with human labels. n counts replies that state enough, errors the others."
)
REPLY_FORMATS = ("final_result", "overall_score")  # those that state scores per dimension


def scoring_pairs(study: Study) -> list[Pair]:
    """Return (judge, benchmark) for every model whose replies to the benchmark state scores per dimension."""
    pairs = judging_pairs(study, "model")
    return [pair for pair in pairs if study.reply_format(*pair) in REPLY_FORMATS]


def inputs(study: Study) -> Inputs:
    """Return the items, replies and verdicts of those pairs."""
    pairs = scoring_pairs(study)
    return Inputs.of_pairs(pairs, replies=pairs)


def parameters(study: Study) -> dict[str, Any]:
    """Return the pairs, and how intervals are computed."""
    return {"pairs": scoring_pairs(study), "statistics": study.settings.statistics.plain()}


def rows(material: Material, pairs: list[Pair], statistics: dict) -> Frame:
    """Return a row per judge, benchmark and statement."""
    import pandas as pd

    from judgemerge.core.errors import JudgemergeError
    from judgemerge.evaluate.score_consistency import score_consistency_table
    from judgemerge.settings.report import Statistics

    settings = Statistics.of(statistics)
    parts = [
        score_consistency_table(
            material.items(benchmark), judge, material.replies(judge, benchmark), verdicts, settings
        )
        for (judge, benchmark), verdicts in material.verdicts_of(pairs).items()
    ]
    if not parts:
        raise JudgemergeError("no judge whose replies state scores could judge; see above why")
    return pd.concat(parts, ignore_index=True)


def sections(table: Frame, judges: Sequence[str] = ()) -> list[Section]:
    """Return one section per benchmark: statements as rows, judges as columns."""
    return by_benchmark(table, lambda rows: Crosstab(rows, "statement", "judge", _cell).html(["statement"]))


def _cell(row: Any) -> str:
    if math.isnan(row.value):
        return f"– (n = 0, errors {row.errors})"
    return f"{span(row.value, row.ci_low, row.ci_high)} (n = {row.n}, errors {row.errors})"


TABLE = Table(
    title="Score–verdict consistency",
    caption="Whether the scores per dimension, the overall score and the verdict in a judge's reply fit each "
    "other, and how well verdicts that follow from the scores agree with human labels.",
    columns=COLUMNS,
    condition=scoring_pairs,
    rows=rows,
    inputs=inputs,
    parameters=parameters,
    intro=INTRO,
    sections=sections,
)
