"""What can be wrong with the prompts that a study names."""

from typing import TYPE_CHECKING

from judgemerge.core.errors import JudgemergeError, require_known

if TYPE_CHECKING:
    from judgemerge.study.study import Study


def check_prompt(study: "Study", prompt: str | None, protocol: str, key: str) -> None:
    """Refuse a prompt that is not there, or not for items of a protocol; `key` names the place in the study file."""
    if prompt is None:
        raise JudgemergeError(f"{study.where}: {key} has no {protocol} prompt; set judging.prompts.{protocol}")
    require_known(prompt, study.catalogues.prompts, f"{study.where}: {key} uses the unknown {protocol} prompt")
    actual = study.template(prompt).protocol
    if actual != protocol:
        raise JudgemergeError(f"{study.where}: {key} uses prompt '{prompt}' for {protocol} items; it is {actual}")
