"""Rubrics as data: a criterion and a description of each score, in config/rubrics/ or in a file of one's own.

An item without a rubric of its own gets the one that its benchmark names (`rubric` in config/benchmarks.yaml), or the
study (`judging.rubric`). Prompts show `{rubric}` (all of it) to a judge that grades, `{criterion}` to one that
compares.
"""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

from judgemerge.core.catalogues import check_keys, load_yaml, named_file
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.data.benchmarks._rubric_prompt import SCORES, rubric_text

FOLDER = Path("config/rubrics")


def rubric_file(name: str, where: str, folder: str | Path = FOLDER) -> Path:
    """Return the file of a rubric: of a name in config/rubrics/, or a path to a YAML file; `where` opens the error."""
    return named_file(name, where, folder, "rubric")


def load_rubric(path: str | Path) -> dict[str, str]:
    """Return {rubric, criterion} of a rubric file: a criterion and scores 1 to 5."""
    raw = load_yaml(path, words=True)
    check_keys(raw, {"criterion": str, "scores": dict}, {}, f"{path}: the rubric")
    if {str(score) for score in raw["scores"]} != {str(score) for score in SCORES}:
        raise JudgemergeError(f"{path}: scores are {', '.join(map(str, raw['scores']))}; describe 1, 2, 3, 4 and 5")
    for score, text in raw["scores"].items():
        if not isinstance(text, str) or not text.strip():
            raise JudgemergeError(f"{path}: score {score} is {text!r}, no text; describe it, in quotes")
    by_score = {str(score): text for score, text in raw["scores"].items()}
    scores = tuple(by_score[str(score)] for score in SCORES)
    return {"rubric": rubric_text(raw["criterion"], scores), "criterion": raw["criterion"]}


def with_rubric(items: Iterable[Item], rubric: dict[str, str]) -> list[Item]:
    """Return the items, those without a criterion of their own with this one."""
    return [
        item if "criterion" in item.extra else dataclasses.replace(item, extra={**item.extra, **rubric})
        for item in items
    ]
