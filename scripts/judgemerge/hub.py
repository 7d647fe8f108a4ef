"""Models of the Hugging Face hub: the files of one commit that make up the model, and no others."""

from pathlib import Path

from judgemerge import files, models
from judgemerge.errors import JudgemergeError


def download(repo: str, revision: str, destination: str | Path, where: str) -> None:
    """Download one commit of a model; an interrupted download goes on in `destination`.

    The index of the weights decides which weights are fetched (models.wanted_names). Raises JudgemergeError with one
    sentence, which `where` begins, for a hub that cannot be reached.
    """
    from httpx import TransportError
    from huggingface_hub import hf_hub_download, list_repo_files, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled

    try:
        names = list_repo_files(repo, revision=revision)
        index = None
        if models.INDEX in names:
            index = files.read_json(hf_hub_download(repo, models.INDEX, revision=revision, local_dir=destination))
        wanted = models.wanted_names(names, index, repo)
        snapshot_download(repo, revision=revision, local_dir=destination, allow_patterns=wanted)
    except (HfHubHTTPError, LocalEntryNotFoundError, OfflineModeIsEnabled, TransportError, ConnectionError) as error:
        first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise JudgemergeError(
            f"{where}: '{repo}' at {revision[:8]} could not be downloaded ({first_line}); log in with `hf auth login` "
            "if it is gated, or download it elsewhere and give its folder as `path`"
        ) from error
