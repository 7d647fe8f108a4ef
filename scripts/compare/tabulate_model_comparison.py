"""Make tables/model_comparison_{comparison}.csv and .disagreements.jsonl: two models as judges see them."""

import pandas as pd

from judgemerge.compare.model_comparisons import by_unit
from judgemerge.core import files
from judgemerge.core.items import read_items
from judgemerge.core.logs import logged
from judgemerge.evaluate import model_comparisons as tables
from judgemerge.evaluate.estimates import Settings
from judgemerge.prompting import metrics


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
    settings = Settings(statistics["resamples"], statistics["confidence"], statistics["seed"])
    found = [metrics.load_metric(path) for path in metric_files]
    known = {model: by_unit(files.read_jsonl(path)) for model, path in zip(entry["models"], answers, strict=True)}
    said = {judge: list(files.read_jsonl(path)) for judge, path in zip(entry["judges"], results, strict=True)}
    names = [metric.name for metric in found]
    rows = [
        row
        for judge, judged in said.items()
        for row in tables.judge_rows(judge, judged, names, entry["models"], clusters, settings)
    ]
    rows += tables.cost_rows(known, clusters, settings)
    written = pd.DataFrame(rows, columns=list(tables.COLUMNS))
    with files.atomic_writer(table) as file:
        written.to_csv(file, index=False)
    reading = {judge: tables.disagreements(judged, names, entry["models"]) for judge, judged in said.items()}
    files.write_jsonl(disagreements, ({"judge": judge, **row} for judge, own in reading.items() for row in own))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            entry=snakemake.params.comparison,
            questions=snakemake.input.questions,
            answers=list(snakemake.input.answers),
            results=list(snakemake.input.results),
            metric_files=list(snakemake.input.metrics),
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
            disagreements=snakemake.output.disagreements,
        )
