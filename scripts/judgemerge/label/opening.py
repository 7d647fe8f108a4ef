"""A desk from a study and a folder of labels: the draw that is there or a new one, and the votes until now."""

from pathlib import Path
from typing import NamedTuple

from judgemerge.compare.answer_judging import PAIRS
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.labels import Draw
from judgemerge.label.choices import Choice, choices_of
from judgemerge.label.desk import Desk, Question, kept_values
from judgemerge.label.drawing import Items, LabelFiles, draw_units, kept_draw, metric_of, read_shown, write_draw
from judgemerge.label.votes import VoteFile
from judgemerge.study.study import Study

TITLES = {"pairwise": "Which answer is better?", "pointwise": "How good is the answer?"}


class Part(NamedTuple):
    """What is labelled of a study: a benchmark, or a comparison by its pairs or by a metric; and how it is answered."""

    of: str
    metric: str = PAIRS
    scale: str | None = None
    with_ties: bool = True


class Wish(NamedTuple):
    """How units are drawn; what is None is taken as it was, where something has been drawn before."""

    labels: int | None = None
    seed: int | None = None
    by: str | None = None
    equal: bool = False


def open_desk(study: Study, part: Part, paths: LabelFiles, wish: Wish) -> Desk:
    """Return the desk of a part; what has not been drawn yet is drawn, and the record of that is written."""
    items = read_shown(study, part.of, part.metric)
    protocol, judgeable = next((item.protocol, item.judgeable) for item in items.values())
    if not judgeable:
        raise JudgemergeError(f"the texts of '{part.of}' are not public, so nobody can be shown them; label others")
    metric = metric_of(study, part.of, part.metric)
    choices = choices_of(study, part.of, metric, items.values(), part.scale, part.with_ties)
    drawn = drawn_units(study, part, items, paths.draw, wish)
    question = Question(TITLES[protocol], metric.criteria if metric else "")
    votes = vote_file(paths.votes, drawn, items, choices)
    return Desk(drawn, items, question, choices, votes, study.settings.statistics)


def drawn_units(study: Study, part: Part, items: Items, path: Path, wish: Wish) -> Draw:
    """Return the draw that is there, if it is what is wished for, else a new one."""
    if path.exists():
        asked = {"labels": wish.labels, "seed": wish.seed, "by": wish.by}
        return kept_draw(path, items, part.of, metric=part.metric, **asked)
    if wish.labels is None:
        raise JudgemergeError(f"{path} is not there, so nothing has been drawn yet: say how many are to be (LABELS=60)")
    drawn = draw_units(study, part.of, items, wish.labels, wish.seed, wish.by or "", wish.equal, part.metric)
    write_draw(path, drawn)
    return drawn


def vote_file(path: Path, drawn: Draw, items: Items, choices: list[Choice]) -> VoteFile:
    """Return the file of votes on the units of a draw."""
    return VoteFile(path, {one.unit: items[one.unit] for one in drawn.drawn}, kept_values(choices))
