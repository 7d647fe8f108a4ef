"""Make model_comparisons/{comparison}/questions.jsonl: the questions that both models get, checked for every metric."""

import sys

from judgemerge.compare import answer_judging
from judgemerge.core import files
from judgemerge.core.items import read_items, sample, write_items
from judgemerge.core.logs import logged
from judgemerge.prompting import rubric_metrics


def main(items: str, metric_files: list[str], entry: dict, seed: int, questions: str, record: str) -> int:
    """Draw the questions, refuse what no metric can be asked about, note what is lacking; return how many."""
    every = read_items(items)
    sample_of_items = sample(every, entry["limit"], seed) if "limit" in entry else every
    chosen_metrics = [rubric_metrics.load_metric(path) for path in metric_files]
    lacking = answer_judging.check_questions(sample_of_items, chosen_metrics, entry["inputs"], entry["empty_context"])
    n_written = write_items(questions, sample_of_items)
    about = {"item_set": entry["questions"], "items": len(every), "questions": n_written, "seed": seed}
    files.write_json(record, about | {"ids": [item.id for item in sample_of_items], "lacking": lacking})
    for metric, reasons in lacking.items():
        for reason, n in reasons.items():
            print(f"metric {metric}: {n} of {n_written} questions are not judged ({reason})", file=sys.stderr)
    return n_written


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            items=snakemake.input.item_set,
            metric_files=list(snakemake.input.metrics),
            entry=snakemake.params.comparison,
            seed=snakemake.params.seed,
            questions=snakemake.output.questions,
            record=snakemake.output.record,
        )
