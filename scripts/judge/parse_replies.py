"""Make verdicts/{judge}/{benchmark}.jsonl from what the judge wrote."""

from judgemerge.core import files
from judgemerge.core.items import write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge import failures, sampling
from judgemerge.prompting.prompts import load_template


def main(replies: str, prompt: str, benchmark: str, verdicts: str) -> None:
    """Parse the replies to one benchmark with the reply format of the prompt; of several runs the mean grade counts."""
    if reason := failures.reason_of(replies):
        failures.mark([verdicts], reason)
        return
    settings = load_template(prompt).reply
    rows = (row for row in files.read_jsonl(replies) if row["benchmark"] == benchmark)
    write_verdicts(verdicts, sampling.combine(sampling.by_run(rows, settings)))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=snakemake.input.replies,
            prompt=snakemake.input.prompt,
            benchmark=snakemake.wildcards.benchmark,
            verdicts=snakemake.output[0],
        )
