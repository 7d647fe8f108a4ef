"""A desk from a study and a folder of labels: the draw that is there or a new one, and the votes until now."""

from pathlib import Path
from typing import NamedTuple

from judgemerge.compare.answer_judging import PAIRS
from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate.labels import Draw
from judgemerge.label.choices import choices_of
from judgemerge.label.desk import Desk, Question, kept_values
from judgemerge.label.drawing import Items, LabelFiles, draw_units, kept_draw, metric_of, read_shown
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
    drawn = drawn_units(study, part, items, paths.draw, wish)
    part = as_before(part, paths.draw)
    choices = choices_of(study, part.of, metric, items.values(), part.scale, part.with_ties)
    question = Question(TITLES[protocol], metric.criteria if metric else "")
    shown = {one.unit: items[one.unit] for one in drawn.drawn}
    votes = VoteFile(paths.votes, shown, kept_values(choices))
    return Desk(drawn, question, choices, votes, study.settings.statistics)


def drawn_units(study: Study, part: Part, items: Items, path: Path, wish: Wish) -> Draw:
    """Return the draw that is there, if it is what is wished for, else a new one."""
    if path.exists():
        if wish.equal:
            raise JudgemergeError(
                f"{path} is there, and --equal is for a new draw; leave it out, or name another DIR=…"
            )
        asked = {"labels": wish.labels, "seed": wish.seed, "by": wish.by}
        return kept_draw(path, items, part.of, metric=part.metric, **asked)
    if wish.labels is None:
        raise JudgemergeError(f"{path} is not there, so nothing has been drawn yet: say how many are to be (LABELS=60)")
    drawn = draw_units(study, part.of, items, wish.labels, wish.seed, wish.by or "", wish.equal, part.metric)
    files.write_json(path, drawn.plain())
    return drawn


def as_before(part: Part, path: Path) -> Part:
    """Return the part with the scale and the ties that people were given before, which the record of the draw keeps.

    They are written there when they are first given; others than before would not fit the votes that are there.
    """
    record = files.read_json(path)
    kept = {name: record[name] for name in ("scale", "with_ties") if name in record}
    given = {
        name: getattr(part, name)
        for name in ("scale", "with_ties")
        if getattr(part, name) != Part._field_defaults[name]
    }
    for name in kept.keys() & given.keys():
        if kept[name] != given[name]:
            raise JudgemergeError(
                f"{path} has {name} {kept[name]!r}, and {given[name]!r} is asked for now; leave it out to go on, or "
                "name another folder (DIR=…)"
            )
    if given.keys() - kept.keys():
        files.write_json(path, record | given)
    return part._replace(**(given | kept))
