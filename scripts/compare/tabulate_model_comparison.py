"""Make tables/model_comparison_{comparison}.csv and .disagreements.jsonl: two models as judges see them."""

import pandas as pd

from judgemerge.compare import comparison_tables
from judgemerge.compare.answer_judging import by_unit
from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.evaluate.estimates import Settings
from judgemerge.prompting import rubric_metrics


def main(
    entry: dict,
    questions: str,
    answers: list[str],
    results: list[str],
    metric_files: list[str],
    statistics: dict,
    table: str,
    disagreements: str,
) -> None:
    """Write every number with n, errors and interval, and what a person should read."""
    items = {item.id: item for item in read_items(questions)}
    clusters = {question: item.cluster for question, item in items.items()}
    settings = Settings.of_statistics(statistics)
    chosen_metrics = [rubric_metrics.load_metric(path) for path in metric_files]
    answers_by_model = {
        model: by_unit(files.read_jsonl(path)) for model, path in zip(entry["models"], answers, strict=True)
    }
    results_by_judge = {
        judge: list(files.read_jsonl(path)) for judge, path in zip(entry["judges"], results, strict=True)
    }
    names = [metric.name for metric in chosen_metrics]
    rows = [
        row
        for judge, results_of_judge in results_by_judge.items()
        for row in comparison_tables.judge_rows(judge, results_of_judge, names, entry["models"], clusters, settings)
    ]
    rows += comparison_tables.cost_rows(answers_by_model, clusters, settings)
    frame = pd.DataFrame(rows, columns=list(comparison_tables.COLUMNS))
    with files.atomic_writer(table) as file:
        frame.to_csv(file, index=False)
    reading = {
        judge: comparison_tables.disagreements(results_of_judge, names, entry["models"])
        for judge, results_of_judge in results_by_judge.items()
    }
    files.write_jsonl(
        disagreements, ({"judge": judge, **row} for judge, rows_of_judge in reading.items() for row in rows_of_judge)
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            entry=snakemake.params.comparison,
            questions=snakemake.input.questions,
            answers=list(snakemake.input.answers),
            results=[f"{snakemake.input.results}/{judge}.jsonl" for judge in snakemake.params.comparison["judges"]],
            metric_files=list(snakemake.input.metrics),
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
            disagreements=snakemake.output.disagreements,
        )
