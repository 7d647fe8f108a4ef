"""What a results table is: its columns, numbers, page, figures and words, in one object.

A module of `judgemerge/report/tables/` that holds a `TABLE` is a table of the report, under the module's name; nothing
else registers it. The Snakefile reads all of them, so whatever is heavy (pandas, Matplotlib) is imported in functions.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing
    from pandas import DataFrame as Frame

    from judgemerge.report.material import Material
    from judgemerge.study.study import Study
else:  # what signatures of tables name is not imported for them
    Axes = Drawing = Frame = Material = Study = Any

SIGNIFICANT = 0.05  # p after Holm's correction, below which a difference is one
Pair = tuple[str, str]  # judge, benchmark
Section = tuple[str, str]  # heading, HTML


class Inputs(NamedTuple):
    """What a table or its page is made from, by names of the study."""

    items: Sequence[str] = ()  # benchmarks
    counts: Sequence[str] = ()  # benchmarks: what was counted while their items were written
    verdicts: Sequence[Pair] = ()  # (judge, benchmark)
    verdict_counts: Sequence[Pair] = ()  # (recorded judge, benchmark): what its files hold
    replies: Sequence[Pair] = ()  # (judge, benchmark)
    tables: Sequence[str] = ()  # other tables
    files: Sequence[str] = ()  # paths

    @classmethod
    def of_pairs(cls, pairs: Sequence[Pair], **more: Sequence) -> "Inputs":
        """Return the verdicts of pairs of judge and benchmark, the items that they are of, and more."""
        return cls(items=list(dict.fromkeys(benchmark for _, benchmark in pairs)), verdicts=pairs, **more)


class Column(NamedTuple):
    """One column of a table; `form` is how the default page writes its numbers (".3f", ".1%")."""

    description: str
    form: str = ""


# Columns that many tables have, each with its words.
INTERVAL = {
    "ci_low": Column("lower end of the confidence interval"),
    "ci_high": Column("upper end of the confidence interval"),
}
DETECTABLE = {"detectable": Column("the smallest difference that would have been shown (power .8)")}
ESTIMATE = {"value": Column("the metric; empty where it is undefined"), **INTERVAL}


class Page(NamedTuple):
    """What a page shows below its title."""

    sections: Sequence[Section]
    intro: str


class Finding(NamedTuple):
    """What a table answers, for the first page: plain sentences, and rows where words would be many.

    The first sentence of what is `in_short` stands on top of the page, and in the terminal after `make demo`. What is
    `Linked` in a line leads to its items. The first page notes the name of the `table`.
    """

    heading: str
    sentences: Sequence[str] = ()
    head: Sequence[str] = ()
    lines: Sequence[Sequence[str]] = ()
    in_short: bool = True
    table: str = ""


@dataclass(frozen=True)
class View:
    """What a page is made with besides its table: the words for judges, in order, and what else was read."""

    intro: str
    judges: Sequence[str]
    confidence: str
    material: Material

    def page(self, sections: Sequence[Section], more: str = "", **words: object) -> Page:
        """Return a page with the table's own introduction, its braces filled in, and what follows it."""
        return Page(sections, self.intro.format(confidence=self.confidence, **words) + more)


NOT_MODELS = ("recorded", "baseline", "jury", "cascade")  # kinds of judges that no model of the study is


def of_kind(kinds: Mapping[str, str], *wanted: str) -> list[str]:
    """Return the judges of these kinds, in the order of the study."""
    return [judge for judge, kind in kinds.items() if kind in wanted]


def models_of(kinds: Mapping[str, str]) -> list[str]:
    """Return the judges that are models of the study, bases among them."""
    return [judge for judge, kind in kinds.items() if kind not in NOT_MODELS]


def has_judges(study: Study) -> list[str]:
    """The study judges something."""
    return study.judges


def judging_pairs(study: Study, *kinds: str) -> list[Pair]:
    """Return (judge, benchmark) for every judge of these kinds, all kinds where none is named."""
    pairs = [(judge, benchmark) for benchmark in study.benchmarks for judge in study.judges_of(benchmark)]
    return [pair for pair in pairs if not kinds or study.kind(pair[0]) in kinds]


def benchmarks_of(protocol: str) -> Callable[[Study], list[str]]:
    """Return the function that gives a study's benchmarks of pairs or of grades."""

    def of_study(study: Study) -> list[str]:
        return [name for name in study.benchmarks if study.protocol(name) == protocol]

    return of_study


judges_pairs, judges_grades = benchmarks_of("pairwise"), benchmarks_of("pointwise")


def in_order(names: Iterable[str], order: Collection[str]) -> list[str]:
    """Return the names, each once, in this order, those that are not in it after the others."""
    names = list(dict.fromkeys(names))
    return [name for name in order if name in names] + [name for name in names if name not in order]


def nothing(study: Study, *part: str) -> Any:
    """Return no names at all."""
    return ()


def no_inputs(study: Study, *part: str) -> Inputs:
    """Nothing is read besides the table itself."""
    return Inputs()


def no_parameters(study: Study, *part: str) -> dict[str, Any]:
    """Nothing else decides the result."""
    return {}


@dataclass(frozen=True)
class Figure:
    """A figure of a table: `draw(table, kinds, panels)` gives a Matplotlib figure.

    Figures that answer what a study asks are `on_first_page`.
    `kinds` is what each judge is, in the order in which judges are shown; `panels` are names that the study gives. Only
    a study that the `condition` gives something for has such a figure.
    """

    label: str
    caption: str
    draw: Callable[[Frame, Mapping[str, str], Sequence[str]], Drawing]
    condition: Callable[[Study], object] | None = None
    panels: Callable[[Study], Sequence[str]] = nothing
    about_judges: bool = True
    on_first_page: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the report; a table with `parts` comes once for each, and its functions take the part as well.

    A study that `condition` gives something for has the table.

    `rows(material, **parameters)` gives the data frame; without it another rule writes the CSV file. `sections(table,
    judges)` gives what the page shows below its introduction, judges in the order of the study; without it each column
    is shown as it is, in a section per benchmark. With `names_failed_judges` the introduction goes on with those that
    agreement.csv has no values of. A page that needs more is made by `page(table, view, **page_parameters)`;
    `has_page=False` is a table without one. `findings(table, kinds)` gives what the first page of the study says of it.
    `in_record` tables are named in run.json by their digest; `also` are endings of further CSV files beside the table.
    """

    title: str
    caption: str
    columns: Mapping[str, Column]
    condition: Callable[[Study], object]
    parts: Callable[[Study], Iterable[str]] | None = None
    rows: Callable[..., Frame] | None = None
    inputs: Callable[..., Inputs] = no_inputs
    parameters: Callable[..., dict[str, Any]] = no_parameters
    intro: str = ""
    sections: Callable[[Frame, Sequence[str]], Sequence[Section]] | None = None
    names_failed_judges: bool = False
    page: Callable[..., Page] | None = None
    page_inputs: Callable[..., Inputs] = no_inputs
    page_parameters: Callable[..., dict[str, Any]] = no_parameters
    has_page: bool = True
    findings: Callable[[Frame, Mapping[str, str]], Sequence[Finding]] | None = None
    figures: Mapping[str, Figure] = field(default_factory=dict)
    in_record: bool = False
    also: Sequence[str] = ()
