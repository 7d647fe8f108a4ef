"""Make embedding/tasks/{task}.jsonl: an evaluation set that was brought along (JSON lines, or a reviewed CSV)."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import evaluation_sets


def main(path: str, keys: dict[str, str], rows: str, counts: str) -> None:
    """Read the set; rows that cannot be used are left out and counted."""
    made, counted = evaluation_sets.read_set(path, keys)
    files.write_jsonl(rows, made)
    files.write_json(counts, counted)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            path=snakemake.params.path,
            keys=snakemake.params.given_keys,
            rows=snakemake.output.rows,
            counts=snakemake.output.counts,
        )
