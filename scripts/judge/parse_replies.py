"""Make verdicts/{judge}/{suite}.jsonl from what the judge wrote."""

from judgemerge.core.items import write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge import failures, sampling
from judgemerge.prompting.parsing import Reply, read_replies
from judgemerge.prompting.prompts import load_template


def main(replies: str, prompts: list[str], protocols: dict[str, str], verdicts: str) -> None:
    """Parse the replies to every benchmark in `protocols` with the reply format of the prompt for its protocol.

    Of several runs the mean grade counts.
    """
    if reason := failures.reason_of(replies):
        failures.mark([verdicts], reason)
        return
    formats = {template.protocol: template.reply for template in map(load_template, prompts)}
    rows: dict[str, list[Reply]] = {benchmark: [] for benchmark in protocols}
    for reply in read_replies(replies):
        if reply.benchmark in rows:
            rows[reply.benchmark].append(reply)
    write_verdicts(
        verdicts,
        {name: sampling.combine(sampling.by_run(rows[name], formats[protocols[name]])) for name in protocols},
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            replies=snakemake.input.replies,
            prompts=list(snakemake.input.prompts),
            protocols=snakemake.params.protocols,
            verdicts=snakemake.output[0],
        )
