"""Make models/{downloaded}: a model of the Hugging Face hub at one commit, safetensors only."""

from pathlib import Path

from judgemerge import failures, files, models
from judgemerge.errors import JudgemergeError
from judgemerge.logs import logged


def main(repo: str, revision: str, model: str, manifest: str) -> None:
    """Download what is needed to load the model; a hub that cannot be reached is one sentence."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    fresh = Path(f"{model}.part")  # an interrupted download goes on here
    wanted = ["*.json", "*.safetensors", "*.jinja", "tokenizer.model"]
    try:
        snapshot_download(repo, revision=revision, local_dir=fresh, allow_patterns=wanted)
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, ConnectionError) as error:
        first_line = str(error).strip().splitlines()[0]
        raise JudgemergeError(
            f"models: '{repo}' at {revision[:8]} could not be downloaded ({first_line}); log in with `hf auth login` "
            "if it is gated, or download it elsewhere and give its folder as `path`"
        ) from error
    models.move_into_place(fresh, model, leave_out=(".cache",))
    files.write_json(manifest, models.describe(model, rule="download_model", repo=repo, revision=revision))


if "snakemake" in globals():
    with logged(snakemake.log[0]):
        arguments = {
            "repo": snakemake.params.repo,
            "revision": snakemake.params.revision,
            "model": snakemake.output.model,
            "manifest": snakemake.output.manifest,
        }
        if snakemake.resources.get("judge_only", 0):
            failures.attempt(main, [snakemake.output.manifest], folders=[snakemake.output.model], **arguments)
        else:
            main(**arguments)
