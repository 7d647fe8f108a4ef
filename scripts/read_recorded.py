"""Make verdicts/{recorded}/{benchmark}.jsonl from the verdict files that others published."""

from judgemerge.items import read_items, write_verdicts
from judgemerge.logs import logged
from judgemerge.recorded import read_recorded


def main(judge: dict, paths: dict[str, str], items: str, verdicts: str) -> None:
    """Write the recorded verdicts on every item, also on those whose text is not public."""
    recorded = read_recorded(judge["format"], paths, read_items(items), judge.get("options", {}))
    write_verdicts(verdicts, (entry.verdict for entry in recorded))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            judge=snakemake.params.judge,
            paths=dict(zip(snakemake.params.roles, snakemake.input.files, strict=True)),
            items=snakemake.input.item_set,
            verdicts=snakemake.output[0],
        )
