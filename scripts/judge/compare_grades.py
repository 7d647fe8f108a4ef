"""Make verdicts/{derived}/{benchmark}.jsonl: pairs judged by comparing the grades of their responses."""

from judgemerge.core import files
from judgemerge.core.items import read_items, write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge import failures, sampling, singly
from judgemerge.prompting.prompts import load_template


def main(replies: str, prompt: str, items: str, benchmark: str, verdicts: str) -> None:
    """Parse the grades of one benchmark and compare them pair by pair, further runs where the first ones are equal."""
    if reason := failures.reason_of(replies):
        failures.mark([verdicts], reason)
        return
    settings = load_template(prompt).reply
    rows = (row for row in files.read_jsonl(replies) if row["benchmark"] == benchmark)
    decided = {item.id for item in read_items(items) if item.truth != "tie"}
    write_verdicts(verdicts, singly.compare_runs(sampling.by_run(rows, settings), decided))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=snakemake.input.replies,
            prompt=snakemake.input.prompt[0],
            items=snakemake.input.item_set,
            benchmark=snakemake.wildcards.benchmark,
            verdicts=snakemake.output[0],
        )
