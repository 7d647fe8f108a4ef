"""What language models are asked about documents, as data: config/embedding_prompts/, or a file of one's own.

A file has a system and a user text for each of three steps, and the styles of rewriting.
"""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from judgemerge.core.catalogues import check_keys, load_yaml, named_file
from judgemerge.core.errors import JudgemergeError, did_you_mean
from judgemerge.core.places import catalogue_folder

FOLDER = catalogue_folder() / "embedding_prompts"
DEFAULT = "english"
# Step → placeholders that its texts together have.
PLACEHOLDERS = {
    "questions": {"chunk", "n_questions"},
    "relevance": {"question", "passage"},
    "rewriting": {"question", "style"},
}
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


def prompts_file(name: str, where: str, folder: str | Path = FOLDER) -> Path:
    """Return the file of a name in config/embedding_prompts/, or a path to a YAML file; `where` opens the error."""
    return named_file(name, where, folder, "file")


def load(path: str | Path) -> dict[str, dict]:
    """Return step → {system, user} (rewriting: and styles) of a file; what a step cannot do without is asked for."""
    raw = load_yaml(path)
    check_keys(raw, dict.fromkeys(PLACEHOLDERS, dict), {}, f"{path}: the file of prompts")
    for step, required in PLACEHOLDERS.items():
        more = {"styles": list} if step == "rewriting" else {}
        check_keys(raw[step], {"user": str, **more}, {"system": str}, f"{path}: {step}")
        placeholders = set(_PLACEHOLDER.findall(raw[step].get("system", "") + raw[step]["user"]))
        for name in sorted(required - placeholders):
            raise JudgemergeError(f"{path}: {step} has no placeholder '{{{name}}}'; add it to system or user")
        for name in sorted(placeholders - required):
            hint = did_you_mean(name, required)
            raise JudgemergeError(f"{path}: {step} has the placeholder '{{{name}}}', which nothing fills{hint}")
    styles = raw["rewriting"]["styles"]
    if not styles or not all(isinstance(style, str) and style.strip() for style in styles):
        raise JudgemergeError(f"{path}: rewriting.styles must be a list of texts; describe at least one style")
    return raw


@cache
def default(step: str) -> dict:
    """Return the English prompt of a step."""
    return load(FOLDER / f"{DEFAULT}.yaml")[step]


def messages(prompt: Mapping, **values: str | int) -> list[dict[str, str]]:
    """Return the messages of a step's prompt with its placeholders filled; other braces stay as they are."""

    def filled(text: str) -> str:
        return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), text)

    roles = [role for role in ("system", "user") if prompt.get(role)]
    return [{"role": role, "content": filled(prompt[role])} for role in roles]
