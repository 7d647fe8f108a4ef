"""Make embedding/tasks/{task}.jsonl: the evaluation sets that were brought along (JSON lines, or a reviewed CSV)."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.embed import evaluation_sets

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        outputs = (snakemake.output.rows, snakemake.output.counts)
        for path, keys, rows, counts in zip(snakemake.input, snakemake.params.key_names, *outputs, strict=True):
            usable, numbers = evaluation_sets.read_set(path, keys)
            evaluation_sets.write_rows(rows, usable)
            files.write_json(counts, numbers)
