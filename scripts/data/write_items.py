"""Make items/{benchmark}.jsonl and .counts.json from the benchmark's raw files."""

from judgemerge.core import files
from judgemerge.core.items import write_items
from judgemerge.core.logs import logged
from judgemerge.data import rubrics
from judgemerge.data.benchmarks import load_items


def main(
    benchmark: str,
    spec: dict,
    paths: dict[str, str],
    limit: int | None,
    seed: int | None,
    items_file: str,
    counts_file: str,
    rubric: dict | None = None,
) -> None:
    """Write the unified items of one benchmark and what was counted."""
    items, counts = load_items(benchmark, spec, paths, limit, seed)
    write_items(items_file, rubrics.with_rubric(items, rubric) if rubric else items)
    files.write_json(counts_file, {"benchmark": benchmark, "protocol": spec["protocol"], **counts})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            benchmark=snakemake.wildcards.benchmark,
            spec=snakemake.params.spec,
            paths=dict(zip(snakemake.params.roles, snakemake.input, strict=True)),
            limit=snakemake.params.limit,
            seed=snakemake.params.seed,
            items_file=snakemake.output.item_set,
            counts_file=snakemake.output.counts,
            rubric=snakemake.params.rubric,
        )
