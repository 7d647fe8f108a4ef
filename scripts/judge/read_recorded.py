"""Make verdicts/{recorded}/{suite}.jsonl and .counts.jsonl from the verdict files that others published."""

from judgemerge.core import files
from judgemerge.core.logs import logged
from judgemerge.judge import failures
from judgemerge.judge.recorded import suite_rows


def main(benchmarks: dict[str, dict], items: dict[str, str], verdicts: str, counts: str) -> None:
    """Write the recorded verdicts on every item, also on those whose text is not public, and what the files hold.

    A benchmark is {judge, drawn, paths}; where its files cannot be read, both outputs say why in place of its rows.
    """
    rows, counted = suite_rows(benchmarks, items)
    files.write_jsonl(verdicts, rows)
    files.write_jsonl(counts, counted)


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        paths: dict[str, dict[str, str]] = {}
        for (benchmark, role), path in zip(snakemake.params.roles, snakemake.input.files, strict=True):
            paths.setdefault(benchmark, {})[role] = path
        failures.attempt(
            main,
            snakemake.output,
            benchmarks={name: {**entry, "paths": paths[name]} for name, entry in snakemake.params.benchmarks.items()},
            items=dict(zip(snakemake.params.benchmarks, snakemake.input.item_sets, strict=True)),
            verdicts=snakemake.output.verdicts,
            counts=snakemake.output.counts,
        )
