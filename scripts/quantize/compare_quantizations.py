"""Make tables/quantization.csv: size, speed and agreement of every quantization and of the model it is made from."""

from pathlib import Path

import pandas as pd

from judgemerge.core import files
from judgemerge.core.items import VerdictFile, read_items, read_verdicts
from judgemerge.core.logs import logged
from judgemerge.evaluate.quantization import Model, quantization_table
from judgemerge.judge import failures
from judgemerge.quantize.quantizing import Quantized, Unit
from judgemerge.settings.report import Statistics


def main(
    parents: dict[str, str],
    units: list[dict],
    items: list[str],
    verdicts: list[str],
    models: str,
    replies: str,
    statistics: dict,
    table: str,
) -> None:
    """Write the rows of every benchmark.

    `items` are files per unit, `verdicts` per judge of every unit. `parents` is model → the model it is made from
    (itself for one that is not quantized); `models` and `replies` are the folders of the manifests and of the timing
    records.
    """
    settings = Statistics.of(statistics)
    parts = []
    remaining = iter(verdicts)
    for unit, item_file in zip((Unit(**unit) for unit in units), items, strict=True):
        verdict_files = {judge: VerdictFile(next(remaining), unit.benchmark) for judge in unit.judges}
        successful, _ = failures.divide(verdict_files)
        successful = {judge: file for judge, file in successful.items() if parents[judge] in successful}
        described = []
        for judge in successful:
            run = files.read_json(Path(replies, judge, f"{unit.suite}.timing.json"))["run"]
            described.append(describe(judge, parents[judge], files.read_json(Path(models, f"{judge}.json")), run))
        by_judge = {judge: read_verdicts(*file) for judge, file in successful.items()}
        parts.append(quantization_table(read_items(item_file), by_judge, described, settings))
    with files.atomic_writer(table) as file:
        pd.concat(parts).to_csv(file, index=False)


def describe(name: str, parent: str, manifest: dict, run: dict | None) -> Model:
    """Return what the table says of one model besides its verdicts; sizes are those of the weights alone."""
    if quantized := Quantized.of(manifest):
        contents = quantized.contents
        fallbacks = ", ".join(f"{count} × {kind}" for kind, count in contents.fallbacks.items())
        return Model(name, parent, quantized.type, contents.file_bytes, contents.bits_per_weight, fallbacks, run)
    weights = sum(entry["bytes"] for file, entry in manifest["files"].items() if file.endswith(".safetensors"))
    parameters = manifest["parameters"]
    return Model(
        name, parent, "unquantized", weights, round(8 * weights / parameters, 4) if parameters else 0.0, "", run
    )


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        main(
            parents=snakemake.params.parents,
            units=snakemake.params.units,
            items=list(snakemake.input.item_sets),
            verdicts=list(snakemake.input.verdicts),
            models=snakemake.params.models,
            replies=snakemake.params.replies,
            statistics=snakemake.params.statistics,
            table=snakemake.output[0],
        )
