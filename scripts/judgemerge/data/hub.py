"""Models of the Hugging Face hub: the files of one commit that make up the model, and no others; and what is pushed."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError

_ID = re.compile(r"[\w.-]+/[\w.-]+?(?:@([\w./-]+))?")  # owner/name, or owner/name@revision


def download(repo: str, revision: str, destination: str | Path, where: str) -> None:
    """Download one commit of a model; an interrupted download goes on in `destination`.

    The index of the weights decides which weights are fetched (models.wanted_names). Raises JudgemergeError with one
    sentence, which `where` begins, for a hub that cannot be reached.
    """

    def sentence(reason: str) -> str:
        return (
            f"{where}: '{repo}' at {revision[:8]} could not be downloaded ({reason}); log in with `hf auth login` "
            "if it is gated, or download it elsewhere and give its folder as `path`"
        )

    _fetch(repo, revision, {"local_dir": destination}, sentence)


def local_folder(path: str) -> str:
    """Return the folder of a model: a folder as it is, or that of a hub id in the cache, downloaded if need be.

    An id may end in @ and a branch, tag or commit. One whose first part is a folder here is taken for a path.
    """
    match = _ID.fullmatch(path)
    if Path(path).exists() or match is None or Path(path).parent.is_dir():
        return path

    def sentence(reason: str) -> str:
        return (
            f"{path}: there is no such folder, and as a model of the Hugging Face hub it could not be had ({reason}); "
            "correct it, or download the model elsewhere and give its folder"
        )

    name, _, revision = path.partition("@")
    return _cached(name, revision or None) or _fetch(name, revision or None, {}, sentence)


def _cached(repo: str, revision: str | None) -> str | None:
    """Return the folder of a model that the hub's cache holds as a whole, else None."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        folder = snapshot_download(repo, revision=revision, local_files_only=True)
        models.check_folder(folder)
    except (HFValidationError, JudgemergeError, LocalEntryNotFoundError):
        return None
    return folder


def _fetch(repo: str, revision: str | None, place: dict, sentence: Callable[[str], str]) -> str:
    """Return the folder of a model that is downloaded to `place`; `sentence` says why it could not be."""
    from httpx import HTTPError
    from huggingface_hub import hf_hub_download, list_repo_files, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        names = list_repo_files(repo, revision=revision)
        index = None
        if models.INDEX in names:
            index = files.read_json(hf_hub_download(repo, models.INDEX, revision=revision, **place))
        chosen_names = models.wanted_names(names, index, repo)
        return snapshot_download(repo, revision=revision, allow_patterns=chosen_names, **place)
    except (HfHubHTTPError, HTTPError, HFValidationError, OSError) as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise JudgemergeError(sentence(reason)) from error


def push(repo: str, kind: str, contents: Iterable[tuple[str, Path | bytes]], message: str, public: bool = False) -> str:
    """Put files into a repository of the hub, in one commit, and return its address; it is made if it is not there.

    `kind` is model or dataset, `contents` gives the name of every file there, and the file or its content here. A new
    repository is private unless `public`; a public one that is there already takes nothing that was not meant for the
    public. The token is that of HF_TOKEN or of `hf auth login`.
    """
    from httpx import HTTPError
    from huggingface_hub import CommitOperationAdd, HfApi
    from huggingface_hub.errors import HfHubHTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled

    api = HfApi(library_name="judgemerge")
    faults = (HfHubHTTPError, HTTPError, LocalTokenNotFoundError, OfflineModeIsEnabled, OSError, ValueError)
    try:
        if api.repo_exists(repo, repo_type=kind):
            if not public and not api.repo_info(repo, repo_type=kind).private:
                raise JudgemergeError(
                    f"{repo}: is public, so everybody could read what is pushed; say --public, or name another one"
                )
        else:
            api.create_repo(repo, repo_type=kind, private=not public)
        operations = [CommitOperationAdd(path_in_repo=name, path_or_fileobj=content) for name, content in contents]
        api.create_commit(repo, operations, commit_message=message, repo_type=kind)
    except faults as error:
        reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
        raise JudgemergeError(
            f"{repo}: could not be pushed to ({reason}); log in with `hf auth login` or set HF_TOKEN, to a token that "
            "may write there"
        ) from error
    return f"{api.endpoint}/{'datasets/' if kind == 'dataset' else ''}{repo}"
