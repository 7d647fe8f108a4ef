"""Make verdicts/{derived}/{benchmark}.jsonl: pairs judged by comparing the grades of their responses."""

from judgemerge import failures, files, sampling, singly
from judgemerge.items import write_verdicts
from judgemerge.logs import logged
from judgemerge.prompts import load_template


def main(replies: str, prompt: str, benchmark: str, verdicts: str) -> None:
    """Parse the grades of one benchmark and compare them pair by pair."""
    if reason := failures.reason_of(replies):
        failures.mark([verdicts], reason)
        return
    settings = load_template(prompt).reply
    rows = (row for row in files.read_jsonl(replies) if row["benchmark"] == benchmark)
    grades = sampling.combine(sampling.by_run(rows, settings))
    write_verdicts(verdicts, singly.compare_grades(grades))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=snakemake.input.replies,
            prompt=snakemake.input.prompt[0],
            benchmark=snakemake.wildcards.benchmark,
            verdicts=snakemake.output[0],
        )
