"""Make tables/model_comparison_{comparison}.csv, .html and .disagreements.jsonl: two models as judges see them."""

from collections import Counter

import pandas as pd

from judgemerge.compare import comparison_tables
from judgemerge.compare.answer_judging import PAIRS, by_unit
from judgemerge.core import files
from judgemerge.core.frames import with_labels
from judgemerge.core.items import Item, read_items
from judgemerge.core.logs import logged
from judgemerge.evaluate.estimates import Settings
from judgemerge.prompting import metrics
from judgemerge.prompting.prompts import Unrenderable
from judgemerge.report.pages import model_comparisons as pages
from judgemerge.report.pages import page as html_page


def main(
    name: str,
    entry: dict,
    questions: str,
    answers: list[str],
    results: list[str],
    records: list[str],
    metric_files: list[str],
    published: str | None,
    statistics: dict,
    table: str,
    page: str,
    disagreements: str,
    labels: dict[str, str],
) -> None:
    """Write every number with n, errors and interval, and what a person should read."""
    items = {item.id: item for item in read_items(questions)}
    clusters = {question: item.cluster for question, item in items.items()}
    settings = Settings(statistics["resamples"], statistics["confidence"], statistics["seed"])
    chosen_metrics = [metrics.load_metric(path) for path in metric_files]
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
    texts = {
        "questions": {question: _shown(item) for question, item in items.items()},
        "answers": {
            unit: {
                model: row["text"] or f"({row['reason'] or 'empty'})"
                for model in answers_by_model
                for row in [answers_by_model[model][unit]]
            }
            for unit in answers_by_model[entry["models"][0]]
        },
        "replies": {
            labels.get(judge, judge): _replies(results_of_judge) for judge, results_of_judge in results_by_judge.items()
        },
    }
    about = {
        "metrics": chosen_metrics,
        "batches": {model: _batches(rows_of_judge.values()) for model, rows_of_judge in answers_by_model.items()},
        "method": _method(entry, [files.read_json(path) for path in records]),
    }
    quoted = pd.read_csv(published, sep="\t") if published else None
    first, second = entry["models"]
    confidence = f"{100 * statistics['confidence']:g} %"
    intro = pages.INTRO.format(
        first=first, second=second, n=len(items), questions=entry["questions"], confidence=confidence
    )
    reading = {labels.get(judge, judge): rows for judge, rows in reading.items()}
    sections = pages.sections(with_labels(frame, labels), entry, about, reading, texts, quoted, name)
    with files.atomic_writer(page) as file:
        file.write(html_page(f"Model comparison {name}", intro, sections))


def _shown(item: Item) -> str:
    """Return the question as judges see it, or its turns where the answers between them are not known."""
    try:
        return metrics.transcript(item)
    except Unrenderable:
        return "\n\n".join(item.turns)


def _replies(results: list[dict]) -> dict[tuple, list[tuple[str, str]]]:
    """Return (metric, question, draw) → (what was judged, the reply); one metric's unit has a reply per model."""
    by_unit: dict[tuple, list[tuple[str, str]]] = {}
    for row in results:
        what = f"pair, {row['order']} order" if row["metric"] == PAIRS else f"{row['metric']} of {row['model']}"
        text = row["reply"] if row["reply"] is not None else f"({row['reason']})"
        by_unit.setdefault((row["metric"], row["question"], row["sample"]), []).append((what, text))
    return by_unit


def _batches(rows) -> str:
    sizes = Counter(row["batch"] for row in rows if row["batch"])
    return f"{min(sizes)} to {max(sizes)}" if sizes else "unknown"


def _method(entry: dict, records: list[dict]) -> dict:
    about = {"questions": entry["questions"], "generation": entry["generation"], "inputs": entry["inputs"] or "by name"}
    for record in records:
        who = f"judge {record['judge']}" if "judge" in record else f"answers of {record['model']}"
        about[who] = {key: value for key, value in record.items() if key in ("digest", "settings", "failures", "empty")}
        about[who] |= {key: record[key] for key in ("at_the_limit",) if key in record}
        if "judge" in record:
            about["prompts"] = {kind: prompt["name"] for kind, prompt in record["prompts"].items()}
    return about


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            name=snakemake.wildcards.comparison,
            entry=snakemake.params.comparison,
            questions=snakemake.input.questions,
            answers=list(snakemake.input.answers),
            results=[f"{snakemake.input.results}/{judge}.jsonl" for judge in snakemake.params.comparison["judges"]],
            records=[
                *snakemake.input.records,
                *(f"{snakemake.input.results}/{judge}.json" for judge in snakemake.params.comparison["judges"]),
            ],
            metric_files=list(snakemake.input.metrics),
            published=next(iter(snakemake.input.published), None),
            statistics=snakemake.params.statistics,
            table=snakemake.output.table,
            page=snakemake.output.page,
            disagreements=snakemake.output.disagreements,
            labels=snakemake.params.labels,
        )
