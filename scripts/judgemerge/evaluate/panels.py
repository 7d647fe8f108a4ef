"""Labels of any kind, by people and by judges, from files: for tasks that are neither pairs nor grades of answers.

A file of people is {annotator: {item: label}}, one of judges {judge: {item: label}}, both JSON. A label is a word or a
number. Null is no label of a person, and an unreadable reply of a judge; a judge was asked about the items that it has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.alternative_annotator import Panel

Labels = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Labelling:
    """What one judge said of the items of a panel.

    `labels` is (n_items,), NaN where the reply is unreadable or there was none; `was_asked` is (n_items,).
    """

    judge: str
    labels: np.ndarray
    was_asked: np.ndarray


def read_panel(people: str | Path, judges: str | Path, are_grades: bool) -> tuple[Panel, list[Labelling]]:
    """Return the panel and its judges; items are in the order of their ids, each a prompt of its own."""
    of_people, of_judges = read_labels(people), read_labels(judges)
    items = sorted({item for labels in of_people.values() for item in labels})
    code = _grade if are_grades else _class_codes([of_people, of_judges])
    place = {item: number for number, item in enumerate(items)}
    votes = [
        (place[item], name, _number(label, code, f"{people}: {name}: {item}"))
        for name, labels in of_people.items()
        for item, label in labels.items()
        if label is not None
    ]
    item, person, label = (np.array(side) for side in zip(*votes, strict=True)) if votes else ([], [], [])
    panel = Panel.of_votes(np.asarray(item, dtype=int), person, label, np.arange(len(items)), are_grades)
    return panel, [
        Labelling(name, _column(labels, items, code, judges, name), np.array([item in labels for item in items]))
        for name, labels in of_judges.items()
    ]


def read_labels(path: str | Path) -> Labels:
    """Return {rater: {item: label}} from a file, or raise JudgemergeError where it holds anything else."""
    labels = files.read_json(path)
    if not isinstance(labels, dict) or not labels or not all(isinstance(entry, dict) for entry in labels.values()):
        raise JudgemergeError(f"{path}: is not {{rater: {{item: label}}}}; write one object per rater, item by item")
    for rater, entry in labels.items():
        for item, label in entry.items():
            if isinstance(label, (dict, list)):
                raise JudgemergeError(f"{path}: {rater}: {item}: the label is {label!r}, not a word or a number")
    return labels


def _class_codes(sources: list[Labels]):
    """Return the function from a label to its code; labels are compared as they are written."""
    names = sorted({str(label) for source in sources for label in _every(source) if label is not None})
    codes = {name: float(code) for code, name in enumerate(names)}
    return lambda label: codes[str(label)]


def _every(source: Labels) -> Iterator[Any]:
    return (label for labels in source.values() for label in labels.values())


def _grade(label: Any) -> float:
    return float(label)


def _column(labels: Mapping[str, Any], items: list[str], code, path: str | Path, rater: str) -> np.ndarray:
    column = np.full(len(items), np.nan)
    for place, item in enumerate(items):
        label = labels.get(item)
        if label is not None:
            column[place] = _number(label, code, f"{path}: {rater}: {item}")
    return column


def _number(label: Any, code, where: str) -> float:
    try:
        return code(label)
    except ValueError:
        raise JudgemergeError(f"{where}: the label is {label!r}, not a number; set `labels: classes`") from None
