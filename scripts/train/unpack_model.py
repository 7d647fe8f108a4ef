"""Make models/{model}: a model that a package of a Python registry brings along, as safetensors with its tokenizer."""

from judgemerge.core.logs import logged
from judgemerge.judge import failures
from judgemerge.settings.models import Package
from judgemerge.train import packaged_models

if "snakemake" in globals():
    with logged(snakemake.log[0]):
        failures.attempt_model(
            packaged_models.make,
            judge_only=bool(snakemake.resources.get("judge_only", 0)),
            package=Package.of(snakemake.params.package),
            where=f"models.{snakemake.wildcards.model}.package",
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            chat_template=snakemake.params.get("chat_template"),
        )
