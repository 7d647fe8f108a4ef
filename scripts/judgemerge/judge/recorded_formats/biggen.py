"""Read grades of BiGGen-Bench (role `grades`), by instance and writer: its results, or what run_response_eval.py wrote.

    options:
      score: gpt4_score   # the field with the grade, or a list of runs, of which the mean counts; `score` unless given
      feedback: gpt4_feedback   # `feedback` unless given, where the file has it

Null and −1 stand for a reply that nobody could read: `unparsed`, and left out of the mean of several runs.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from judgemerge.core.catalogues import check_keys
from judgemerge.core.items import Item, Verdict
from judgemerge.data.benchmarks import biggen
from judgemerge.data.benchmarks._rows import Row
from judgemerge.judge.recorded_formats import ORDERS, Recorded
from judgemerge.judge.recorded_formats._joins import by_key, not_recorded

ROLES = (("grades",), ())
OPTIONS = {"score": str, "feedback": str, "minimum_share": (int, float)}


def check(entry: Mapping, where: str) -> None:
    """Refuse an entry with other options."""
    check_keys(entry.get("options", {}), {}, OPTIONS, f"{where}: options")


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a file in either of the two forms."""
    return biggen.rows_of(path)


def read(paths: dict[str, Path], items: list[Item], options: dict) -> Iterator[Recorded]:
    """Yield the grades of the items, in their order."""
    by_id = by_key(biggen.rows_of(paths["grades"]), biggen.id_of)
    for item in items:
        row = by_id.get(item.id)
        if row is None:
            yield from not_recorded(item, ORDERS[:1])
            continue
        scores = biggen.scores_of(row, options.get("score", "score"))
        feedback = row.value(options.get("feedback", "feedback"))
        reply = feedback if isinstance(feedback, str) else None
        if not scores:
            verdict = Verdict(item.id, "original", "error", reason="unparsed")
        else:
            verdict = Verdict(item.id, "original", "score", score=sum(scores) / len(scores))
        yield Recorded(verdict, reply, row=row.number)
