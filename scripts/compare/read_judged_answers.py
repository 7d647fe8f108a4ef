"""Make model_comparisons/{comparison}/results/{judge}.jsonl and .json: what judges said, read, and how it was made."""

from pathlib import Path

from judgemerge.compare.answer_judging import read_judged
from judgemerge.core.logs import logged
from judgemerge.settings.comparisons import ModelComparison

if "snakemake" in globals():
    inputs, folder = snakemake.input, Path(snakemake.output[0])
    comparison = ModelComparison.of(snakemake.params.comparison)
    with logged(snakemake.log[0]):
        for replies, record in zip(inputs.replies, inputs.records, strict=True):
            results = folder / Path(replies).name
            read_judged(replies, record, comparison, list(inputs.metrics), "config/prompts", results)
