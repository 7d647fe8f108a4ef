"""What the job of a table reads: items, verdicts, replies and counts by names of the study."""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeVar

from judgemerge.core import files
from judgemerge.core.items import Item, Verdict, read_benchmark, read_items, read_verdicts
from judgemerge.judge import failures
from judgemerge.prompting.parsing import Reply, read_replies
from judgemerge.report.table import Inputs, Pair
from judgemerge.study import layout

Fields = TypeVar("Fields", bound=NamedTuple)
PATTERNS = {
    "items": layout.ITEMS,
    "counts": layout.ITEM_COUNTS,
    "verdicts": layout.VERDICTS,
    "verdict_counts": layout.RECORDED_COUNTS,
    "replies": layout.REPLIES,
    "tables": layout.TABLE,
}


def fields_of(kind: type[Fields], row: Mapping[str, Any]) -> Fields:
    """Return those fields of a row of a file that a NamedTuple has; one that the row lacks takes its default."""
    return kind(**{name: row[name] for name in kind._fields if name in row})


class Places:
    """Where the files of one study lie, by benchmark and judge; `suites` is the suite of each benchmark."""

    def __init__(self, study: str, suites: Mapping[str, str]):
        self.study, self.suites = study, suites

    def path(self, kind: str, *names: str) -> str:
        """Return the path of a kind of PATTERNS: of a benchmark, of a judge and a benchmark, or of a table."""
        *judge, benchmark = names
        return PATTERNS[kind].format(
            study=self.study, judge="".join(judge), recorded="".join(judge), benchmark=benchmark, table=benchmark,
            suite=self.suites.get(benchmark, ""),
        )  # fmt: skip

    def paths(self, inputs: Inputs) -> list[str]:
        """Return the files of what a table names, each once."""
        named = [
            self.path(kind, *((name,) if isinstance(name, str) else name))
            for kind in PATTERNS
            for name in getattr(inputs, kind)
        ]
        return list(dict.fromkeys([*named, *inputs.files]))


class Material(Places):
    """The same files, read."""

    def items(self, benchmark: str) -> list[Item]:
        """Return the items of a benchmark."""
        return read_items(self.path("items", benchmark))

    def items_of(self, pairs: Iterable[Pair]) -> dict[str, list[Item]]:
        """Return the items of every benchmark in pairs of judge and benchmark."""
        return {name: self.items(name) for name in dict.fromkeys(benchmark for _, benchmark in pairs)}

    def counts(self, benchmark: str) -> dict:
        """Return what was counted while the items of a benchmark were written."""
        return files.read_json(self.path("counts", benchmark))

    def reason(self, judge: str, benchmark: str, kind: str = "verdicts") -> str | None:
        """Return why a judge has no verdicts on a benchmark, None when it has."""
        return failures.reason_of(self.path(kind, judge, benchmark), None if kind == "replies" else benchmark)

    def verdicts(self, judge: str, benchmark: str) -> list[Verdict]:
        """Return the verdicts of a judge on a benchmark."""
        return list(read_verdicts(self.path("verdicts", judge, benchmark), benchmark))

    def verdicts_of(self, pairs: Iterable[Pair]) -> dict[Pair, list[Verdict]]:
        """Return the verdicts of every pair of judge and benchmark but those where the judge failed."""
        return {pair: self.verdicts(*pair) for pair in pairs if not self.reason(*pair)}

    def replies(self, judge: str, benchmark: str) -> list[Reply]:
        """Return what a judge wrote about one benchmark."""
        return list(read_replies(self.path("replies", judge, benchmark), benchmark))

    def suite_replies(self, judge: str, benchmark: str) -> list[Reply]:
        """Return what a judge wrote about the whole suite that a benchmark stands in."""
        return list(read_replies(self.path("replies", judge, benchmark)))

    def verdict_counts(self, judge: str, benchmark: str) -> dict:
        """Return what the files of a recorded judge hold on a benchmark."""
        return next(read_benchmark(self.path("verdict_counts", judge, benchmark), benchmark))

    def table(self, name: str):
        """Return another table."""
        from judgemerge.core.frames import read_table

        return read_table(self.path("tables", name))

    def failed_judges(self) -> str:
        """Return the sentence about judges that could not judge, from agreement.csv, which has their reasons."""
        agreement = self.table("agreement")
        return failures.missing(zip(agreement.judge, agreement.benchmark, agreement.note, strict=True))
