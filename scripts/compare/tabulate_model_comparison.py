"""Make tables/model_comparison_{comparison}.csv and .disagreements.jsonl: two models as judges see them."""

from pathlib import Path

import pandas as pd

from judgemerge.compare import comparison_tables
from judgemerge.compare.answer_judging import read_results
from judgemerge.compare.answering import read_answers
from judgemerge.core import files
from judgemerge.core.frames import write_table
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.settings.comparisons import ModelComparison
from judgemerge.settings.report import Statistics


def main(
    comparison: ModelComparison,
    questions: str,
    answers: list[str],
    results: str,
    metrics: list[str],
    settings: Statistics,
    table: str,
    disagreements: str,
) -> None:
    """Write every number with n, errors and interval, and what a person should read."""
    models = comparison.models
    intervals = comparison_tables.Intervals({item.id: item.cluster for item in read_items(questions)}, settings)
    by_judge = {judge: read_results(f"{results}/{judge}.jsonl") for judge in comparison.judges}
    answers_by_model = {model: read_answers(path) for model, path in zip(models, answers, strict=True)}
    rows, cases = [], []
    for judge, results_of_judge in by_judge.items():
        rows += comparison_tables.judge_rows(judge, results_of_judge, metrics, models, intervals)
        worth_reading = comparison_tables.disagreements(results_of_judge, metrics, models)
        cases += [{"judge": judge, **case._asdict()} for case in worth_reading]
    rows += comparison_tables.cost_rows(answers_by_model, intervals)
    write_table(table, pd.DataFrame(rows, columns=list(comparison_tables.Row._fields)))
    files.write_jsonl(disagreements, cases)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            comparison=ModelComparison.of(snakemake.params.comparison),
            questions=snakemake.input.questions,
            answers=list(snakemake.input.answers),
            results=snakemake.input.results,
            metrics=[Path(path).stem for path in snakemake.input.metrics],
            settings=Statistics.of(snakemake.params.statistics),
            table=snakemake.output.table,
            disagreements=snakemake.output.disagreements,
        )
