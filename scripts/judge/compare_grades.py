"""Make verdicts/{derived}/{suite}.jsonl: pairs judged by comparing the grades of their responses."""

from judgemerge.core.items import read_items, write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge import failures, pairs_from_grades, sampling
from judgemerge.prompting.parsing import read_replies
from judgemerge.prompting.prompts import load_template


def main(replies: str, prompt: str, items: dict[str, str], verdicts: str) -> None:
    """Parse the grades and compare them pair by pair, further runs where the first are equal; `items` by benchmark."""
    if reason := failures.reason_of(replies):
        failures.mark([verdicts], reason)
        return
    settings = load_template(prompt).reply
    compared = {}
    for benchmark, path in items.items():
        decided = {item.id for item in read_items(path) if item.truth != "tie"}
        grades = sampling.by_run(read_replies(replies, benchmark), settings)
        compared[benchmark] = pairs_from_grades.compare_runs(grades, decided)
    write_verdicts(verdicts, compared)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=snakemake.input.replies[0],
            prompt=snakemake.input.prompt[0],
            items=dict(zip(snakemake.params.benchmarks, snakemake.input.item_sets, strict=True)),
            verdicts=snakemake.output[0],
        )
