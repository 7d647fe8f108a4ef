"""Make model_comparisons/{comparison}/results/{judge}.jsonl and .json: what judges said, read, and how it was made."""

from collections import Counter
from pathlib import Path

from judgemerge.compare import answer_judging
from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.prompting import rubric_metrics
from judgemerge.prompting.parsing import read_replies
from judgemerge.prompting.prompts import load_template


def main(
    replies: str, about: str, entry: dict, metric_files: list[str], prompts: str, results: Path, record: Path
) -> int:
    """Read every reply in its format; a reply that cannot be read has a reason. Return how many rows there are."""
    chosen_metrics = [rubric_metrics.load_metric(path) for path in metric_files]
    templates = answer_judging.templates(
        entry, chosen_metrics, lambda name: load_template(Path(prompts, f"{name}.yaml"))
    )
    settings = {name: template.reply for name, template in templates.items()}
    rows = list(answer_judging.results(read_replies(replies), settings, entry["models"]))
    files.write_jsonl(results, rows)
    failures: dict[str, Counter] = {}
    for row in rows:
        failures.setdefault(row["metric"], Counter()).update([row["reason"]] if row["reason"] else [])
    record_of_replies = {key: value for key, value in files.read_json(about).items() if key != "asked_now"}
    counts = {name: dict(sorted(reasons.items())) for name, reasons in failures.items()}
    files.write_json(record, record_of_replies | {"rows": len(rows), "failures": counts})
    return len(rows)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        folder = Path(snakemake.output[0])
        for replies, about in zip(snakemake.input.replies, snakemake.input.records, strict=True):
            judge = Path(replies).stem
            main(
                replies=replies,
                about=about,
                entry=snakemake.params.comparison,
                metric_files=list(snakemake.input.metrics),
                prompts="config/prompts",
                results=folder / f"{judge}.jsonl",
                record=folder / f"{judge}.json",
            )
