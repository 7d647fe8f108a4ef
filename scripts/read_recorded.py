"""Make verdicts/{recorded}/{benchmark}.jsonl and .counts.json from the verdict files that others published."""

from judgemerge import failures, files
from judgemerge.items import read_items, write_verdicts
from judgemerge.logs import logged
from judgemerge.recorded import count_recorded, read_recorded


def main(judge: dict, paths: dict[str, str], items: str, drawn: bool, verdicts: str, counts: str) -> None:
    """Write the recorded verdicts on every item, also on those whose text is not public, and what the files hold."""
    options = {**judge.get("options", {}), "drawn": drawn}  # a sample of the items: the files hold more than they
    recorded = list(read_recorded(judge["format"], paths, read_items(items), options))
    write_verdicts(verdicts, (entry.verdict for entry in recorded))
    files.write_json(counts, count_recorded(judge["format"], paths, recorded))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        failures.attempt(
            main,
            snakemake.output,
            judge=snakemake.params.judge,
            paths=dict(zip(snakemake.params.roles, snakemake.input.files, strict=True)),
            items=snakemake.input.item_set,
            drawn=snakemake.params.drawn,
            verdicts=snakemake.output.verdicts,
            counts=snakemake.output.counts,
        )
