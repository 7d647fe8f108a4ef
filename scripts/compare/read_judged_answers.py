"""Make model_comparisons/{comparison}/results/{judge}.jsonl and .json: what a judge said, read, and how it was made."""

from collections import Counter
from pathlib import Path

from judgemerge.compare import answer_judging
from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.prompting import metrics
from judgemerge.prompting.prompts import load_template


def main(
    replies: str, about: str, entry: dict, metric_files: list[str], prompts: str, results: str, record: str
) -> int:
    """Read every reply in its format; a reply that cannot be read has a reason. Return how many rows there are."""
    found = [metrics.load_metric(path) for path in metric_files]
    templates = answer_judging.templates(entry, found, lambda name: load_template(Path(prompts, f"{name}.yaml")))
    settings = {name: template.reply for name, template in templates.items()}
    rows = list(answer_judging.results(files.read_jsonl(replies), settings, entry["models"]))
    files.write_jsonl(results, rows)
    failures: dict[str, Counter] = {}
    for row in rows:
        failures.setdefault(row["metric"], Counter()).update([row["reason"]] if row["reason"] else [])
    made = {key: value for key, value in files.read_json(about).items() if key != "asked_now"}
    counted = {name: dict(sorted(reasons.items())) for name, reasons in failures.items()}
    files.write_json(record, made | {"rows": len(rows), "failures": counted})
    return len(rows)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=snakemake.input.replies,
            about=snakemake.input.record,
            entry=snakemake.params.comparison,
            metric_files=list(snakemake.input.metrics),
            prompts="config/prompts",
            results=snakemake.output.results,
            record=snakemake.output.record,
        )
