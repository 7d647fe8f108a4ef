"""Models that are named by their id on the Hugging Face hub, for merges outside a study."""

import re
from pathlib import Path

from judgemerge import models
from judgemerge.errors import JudgemergeError

_ID = re.compile(r"[\w.-]+/[\w.-]+?(?:@([\w.-]+))?")  # owner/name, or owner/name@revision


def local_folder(given: str) -> str:
    """Return the folder of a model: a folder as it is, or that of a hub id in the cache, downloaded if need be.

    An id may end in @ and a branch, tag or commit. One whose first part is a folder here is taken for a path.
    """
    match = _ID.fullmatch(given)
    if Path(given).exists() or match is None or Path(given).parent.is_dir():
        return given
    from httpx import HTTPError
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    name, _, revision = given.partition("@")
    options = {
        "revision": revision or None,
        "allow_patterns": [*models.DESCRIPTION, models.INDEX, models.WHOLE, "model-*.safetensors"],
        "ignore_patterns": ["onnx/*", "openvino/*", "original/*"],  # a * of the hub's filters crosses folders
    }
    try:
        cached = snapshot_download(name, local_files_only=True, **options)
        if any(Path(cached).glob("*.safetensors")):
            return cached
    except (LocalEntryNotFoundError, HFValidationError):
        pass
    try:
        return snapshot_download(name, **options)
    except (HfHubHTTPError, HTTPError, HFValidationError, OSError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise JudgemergeError(
            f"{given}: there is no such folder, and as a model of the Hugging Face hub it could not be had ({reason}); "
            "correct it, or download the model elsewhere and give its folder"
        ) from error
