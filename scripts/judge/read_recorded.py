"""Make verdicts/{recorded}/{benchmark}.jsonl and .counts.json from the verdict files that others published."""

from judgemerge.core import files
from judgemerge.core.items import read_items, write_verdicts
from judgemerge.core.logs import logged
from judgemerge.judge import failures
from judgemerge.judge.recorded import count_recorded, options_for, read_recorded


def main(
    judge: dict, benchmark: str, paths: dict[str, str], items: str, drawn: bool, verdicts: str, counts: str
) -> None:
    """Write the recorded verdicts on every item, also on those whose text is not public, and what the files hold."""
    options = options_for(judge, benchmark, drawn)
    known = read_items(items)
    recorded = read_recorded(judge["format"], paths, known, options)
    write_verdicts(verdicts, (entry.verdict for entry in recorded))
    files.write_json(counts, count_recorded(judge["format"], paths, recorded, known, options))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        failures.attempt(
            main,
            snakemake.output,
            judge=snakemake.params.judge,
            benchmark=snakemake.wildcards.benchmark,
            paths=dict(zip(snakemake.params.roles, snakemake.input.files, strict=True)),
            items=snakemake.input.item_set,
            drawn=snakemake.params.drawn,
            verdicts=snakemake.output.verdicts,
            counts=snakemake.output.counts,
        )
