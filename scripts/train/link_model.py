"""Make models/{model}: links to a model folder of this machine, and its manifest."""

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.judge import failures
from judgemerge.prompting import chat_templates


def main(path: str, model: str, manifest: str, chat_template: str | None = None) -> None:
    """Link the model's files, write the text of another chat template if there is one, and describe them."""
    models.link_files(path, model)
    if chat_template is not None:
        chat_templates.write(model, chat_template)
    files.write_json(manifest, models.describe(model, rule="link_model", path=path))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        failures.attempt_model(
            main,
            judge_only=bool(snakemake.resources.get("judge_only", 0)),
            path=snakemake.params.path,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            chat_template=snakemake.params.get("chat_template"),
        )
