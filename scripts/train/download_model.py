"""Make models/{model}: a model of the Hugging Face hub at one commit, safetensors only."""

from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.logs import logged
from judgemerge.data import hub
from judgemerge.judge import failures
from judgemerge.prompting import chat_templates


def main(repo: str, revision: str, model: str, manifest: str, chat_template: str | None = None) -> None:
    """Download what is needed to load the model; a hub that cannot be reached is one sentence."""
    fresh = Path(f"{model}.part")  # an interrupted download goes on here
    hub.download(repo, revision, fresh, "models")
    models.check_folder(fresh)
    if chat_template is not None:  # the text of another one than the model's own
        chat_templates.write(fresh, chat_template)
    models.move_into_place(fresh, model, leave_out=(".cache",))
    files.write_json(manifest, models.describe(model, rule="download_model", repo=repo, revision=revision))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        failures.attempt_model(
            main,
            judge_only=bool(snakemake.resources.get("judge_only", 0)),
            repo=snakemake.params.repo,
            revision=snakemake.params.revision,
            model=snakemake.output.model,
            manifest=snakemake.output.manifest,
            chat_template=snakemake.params.get("chat_template"),
        )
