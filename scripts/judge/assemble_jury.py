"""Make verdicts/{panel}/{suite}.jsonl and .panel.json: a jury's or a cascade's verdicts, from those of its members."""

from judgemerge.core import files
from judgemerge.core.items import VerdictFile, read_items
from judgemerge.core.logs import logged
from judgemerge.judge.assembling import Files, suite_rows


def main(
    panel: dict, development: dict[str, list[str]], items: dict[str, str], members: Files, seed: int, outputs: list[str]
) -> None:
    """Write the verdicts on every benchmark of `development`, and what was fitted on what."""
    item_sets = {benchmark: read_items(path) for benchmark, path in items.items()}
    rows, records = suite_rows(panel, development, item_sets, members, seed)
    files.write_jsonl(outputs[0], rows)
    files.write_json(outputs[1], {**panel, "benchmarks": records})


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        suites = snakemake.params.suites
        paths = dict(zip(map(tuple, snakemake.params.units), snakemake.input.verdicts, strict=True))
        main(
            panel=snakemake.params.panel,
            development=snakemake.params.development,
            items=dict(zip(suites, snakemake.input.item_sets, strict=True)),
            members={
                (member, name): VerdictFile(paths[member, suite], name)
                for member in snakemake.params.panel["members"]
                for name, suite in suites.items()
            },
            seed=snakemake.params.seed,
            outputs=list(snakemake.output),
        )
