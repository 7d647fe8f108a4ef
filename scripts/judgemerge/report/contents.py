"""What the report of one study holds: its tables, pages and figures, and the files that each is made from."""

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from judgemerge.core.digests import script_digest
from judgemerge.data.sources import Source
from judgemerge.report import addresses, explorer
from judgemerge.report.material import Places
from judgemerge.report.table import Figure, Inputs, Pair, Table, judging_pairs
from judgemerge.report.tables import TABLES, published
from judgemerge.study.layout import (
    CARDS,
    ENCODER_MANIFEST,
    EXPLORER,
    EXPLORER_IN_REPORT,
    EXPORT_CHECK,
    FIGURE,
    FIGURE_PNG,
    FIRST_PAGE,
    MANIFEST,
    PAGE,
    PUBLISHED_CHECK,
    README,
    SOURCE,
    TABLE,
    Layout,
    Wildcards,
    of,
)

if TYPE_CHECKING:
    from judgemerge.study.study import Study


MOST_FIRST_FIGURES = 3
EXPLORER_TITLE = "Explorer: every table, every item with its votes and verdicts"


class Entry(NamedTuple):
    """One table of a study: the module that makes it, and the part that it is of, if the table has parts."""

    module: str
    table: Table
    part: tuple[str, ...] = ()

    def words(self, text: str) -> str:
        """Return a title or caption with the part in its place."""
        return text.replace("{part}", *self.part) if self.part else text


class Drawing(NamedTuple):
    """One figure of a study, and the name of the table that it is drawn from."""

    table: str
    name: str
    figure: Figure


def kinds_of(study: "Study") -> dict[str, str]:
    """Return what each judge is, in the order in which figures show them: base, experts, merges, others."""
    kinds = {judge: study.kind(judge) for judge in study.judges}
    bases = {study.settings.base, *map(study.base_of, study.experts)}
    kinds |= {judge: "base" for judge in kinds if judge in bases}
    kinds |= {judge: "expert" for judge in kinds if judge in study.experts}
    kinds |= {judge: "merge" for judge in kinds if judge in study.merges}
    kinds |= {judge: "quantization" for judge in kinds if judge in study.quantizations}
    return kinds | {best: study.searches[search].kind for best, search in study.searched.items() if best in kinds}


class Contents:
    """The tables and figures of one study, by name."""

    def __init__(self, study: "Study"):
        self.study, self.layout = study, Layout(study.name)
        self.tables: dict[str, Entry] = {}
        self.figures: dict[str, Drawing] = {}
        for module in TABLES.names:
            table = TABLES.load(module).TABLE
            if table.condition(study):
                self._add(module, table)

    def _add(self, module: str, table: Table) -> None:
        for part in [()] if table.parts is None else [(part,) for part in table.parts(self.study)]:
            name = "_".join((module, *part))
            self.tables[name] = Entry(module, table, part)
            for figure_name, figure in table.figures.items():
                if figure.condition is None or figure.condition(self.study):
                    self.figures["_".join((figure_name, *part))] = Drawing(name, figure_name, figure)

    @functools.cached_property
    def kinds(self) -> dict[str, str]:
        """What each judge is."""
        return kinds_of(self.study)

    @functools.cached_property
    def places(self) -> Places:
        """Where the files of the study lie."""
        return Places(self.study.name, {name: self.study.suite_of(name) for name in self.study.judged_sets})

    # ---- what the rules make ----

    @property
    def tabulated(self) -> list[str]:
        """The tables whose rows their module computes."""
        return [name for name, entry in self.tables.items() if entry.table.rows]

    @property
    def pages(self) -> list[str]:
        """The tables with a page."""
        return [name for name, entry in self.tables.items() if entry.table.has_page]

    def files(self) -> list[str]:
        """Return what is asked for of a study besides the record of its run: tables, figures, checks and cards."""
        csv = [f"{name}{ending}" for name, entry in self.tables.items() for ending in ("", *entry.table.also)]
        return [
            *self.layout.each(TABLE, csv),
            *self.layout.each(PAGE, self.pages),
            *self.layout.each(FIGURE, self.figures),
            *self.layout.each(FIGURE_PNG, self.figures),
            *map(self.layout.path, (README, FIRST_PAGE)),
            *(map(self.layout.path, (EXPLORER, EXPLORER_IN_REPORT)) if self.has_explorer else ()),
            *([self.layout.path(PUBLISHED_CHECK)] if published.has_expected(self.study) else []),
            *self.layout.each(EXPORT_CHECK, self.study.lora_experts),
            *([self.layout.path(CARDS)] if self.study.merges else []),
        ]

    @property
    def telling(self) -> list[str]:
        """The tables that the first page says something of."""
        return [name for name, entry in self.tables.items() if entry.table.findings]

    @property
    def first_figures(self) -> list[str]:
        """The figures on the first page, those of one skill only where no figure has both."""
        names = [name for name, drawing in self.figures.items() if drawing.figure.on_first_page]
        shown = [name for name in names if not ("merges" in names and name in ("accuracy", "grading"))]
        return shown[:MOST_FIRST_FIGURES]

    def recorded(self) -> list[str]:
        """Return the tables that the record of the run names."""
        entries = [(name, entry.table) for name, entry in self.tables.items() if entry.table.in_record]
        return self.layout.each(TABLE, [f"{name}{ending}" for name, table in entries for ending in ("", *table.also)])

    # ---- what the record of the run is made from ----

    def fallible_pairs(self) -> list[Pair]:
        """Return (judge, benchmark) wherever verdicts may be missing because their judge failed; baselines' cannot."""
        return [pair for pair in judging_pairs(self.study) if self.study.kind(pair[0]) != "baseline"]

    def manifests(self) -> list[str]:
        """Return the manifests of every model that a judge or a merge of the study uses."""
        judges = [judge for judge in self.study.judges if self.study.kind(judge) == "model"]
        encoders = self.study.embedding.final_models if self.study.embedding else []
        names = dict.fromkeys([*judges, *self.study.comparisons.models_and_judges()])
        return [*self.layout.each(MANIFEST, names), *self.layout.each(ENCODER_MANIFEST, encoders)]

    def sources(self) -> dict[str, dict[str, str | None]]:
        """Return what identifies every raw file that is read; one of unknown checksum has its `file`."""
        study, catalogue = self.study, self.study.catalogues.sources
        catalogued = {key: self._identity(catalogue[key]) for key in study.source_keys}
        return catalogued | {path: {"url": path, "sha256": None, "licence": "not stated"} for path in study.local_files}

    def _identity(self, source: Source) -> dict[str, str | None]:
        identity = {"url": source.url, "sha256": source.sha256, "licence": source.licence}
        if not source.sha256:
            identity["file"] = self.layout.path(SOURCE, source.key)
        if source.key in self.study.stand_ins:
            identity |= {"url": "made up for a rehearsal", "licence": "none"}
        return identity

    # ---- what they make them from ----

    def table_inputs(self, name: str) -> list[str]:
        """Return the files that a table is computed from."""
        entry = self.tables[name]
        return self.places.paths(entry.table.inputs(self.study, *entry.part))

    def table_parameters(self, name: str) -> dict[str, Any]:
        """Return what `making.make_table` is told of a table."""
        module, table, part = self.tables[name]
        return {
            "module": module,
            "study": self.study.name,
            "suites": self.suites(name),
            "parameters": table.parameters(self.study, *part),
        }

    def page_inputs(self, name: str) -> list[str]:
        """Return the files that a page shows besides its table."""
        _, table, part = self.tables[name]
        agreement = self.layout.each(TABLE, ["agreement"] if table.names_failed_judges else [])
        return [*agreement, *self.places.paths(table.page_inputs(self.study, *part))]

    def page_parameters(self, name: str) -> dict[str, Any]:
        """Return what `making.render` is told of a page besides its table."""
        module, table, part = self.tables[name]
        return {
            "module": module,
            "title": self.title(name),
            "study": self.study.name,
            "suites": self.suites(name),
            "labels": self.study.labels,
            "confidence": self.study.settings.statistics.confidence,
            "parameters": table.page_parameters(self.study, *part),
            "explored": judging_pairs(self.study),
        }

    def module(self, name: str) -> str:
        """Return the module that makes a table."""
        return self.tables[name].module

    def suites(self, name: str) -> Mapping[str, str]:
        """Return the suites of the benchmarks that a table or its page names."""
        entry = self.tables[name]
        named = set()
        for inputs in (entry.table.inputs, entry.table.page_inputs):
            of_table = inputs(self.study, *entry.part)
            named |= {benchmark for _, benchmark in (*of_table.verdicts, *of_table.replies, *of_table.verdict_counts)}
        return {benchmark: suite for benchmark, suite in self.places.suites.items() if benchmark in named}

    def first_page_parameters(self) -> dict[str, Any]:
        """Return what `first_page.write` is told besides the files of its tables."""
        study, folder = self.study, self.layout.path(README).removesuffix("README.md")
        left_out = study.left_out_suites
        not_run = [f"Suites {', '.join(left_out)}: neither a mirror nor downloads are set."] if left_out else []
        if study.settings.rehearsal:
            not_run += [f"Not rehearsed: {sentence}." for sentence in study.settings.rehearsal.not_rehearsed]
        return {
            "study": study.name,
            "description": study.settings.description,
            "modules": {name: self.module(name) for name in self.telling},
            "kinds": self.kinds,
            "labels": study.labels,
            "pictures": [
                (
                    self.figure_labels(name)["figure"],
                    self.figure_caption(name),
                    self.layout.path(FIGURE, name).removeprefix(folder),
                    self.figures[name].table if self.has_explorer else "",
                )
                for name in self.first_figures
            ],
            "page_of": {
                name: self.layout.path(PAGE, name).removeprefix(folder) for name in self.telling if name in self.pages
            },
            "explored": judging_pairs(study),
            "not_run": not_run,
            "pages": {
                **({EXPLORER_TITLE: self.layout.path(EXPLORER).removeprefix(folder)} if self.has_explorer else {}),
                **{self.title(name): self.layout.path(PAGE, name).removeprefix(folder) for name in self.pages},
            },
        }

    @property
    def has_explorer(self) -> bool:
        """Whether there is something to explore: verdicts on items."""
        return bool(judging_pairs(self.study))

    @functools.cached_property
    def written_pairs(self) -> list[Pair]:
        """(judge, benchmark) wherever replies are kept: what models wrote, and the grades that are compared."""
        return judging_pairs(self.study, "model", "derived")

    def explorer_inputs(self) -> list[str]:
        """Return the files that the explorer is made from: items, verdicts, replies and every table."""
        benchmarks = list(dict.fromkeys(benchmark for _, benchmark in judging_pairs(self.study)))
        read = self.places.paths(Inputs(items=benchmarks, verdicts=judging_pairs(self.study), tables=list(self.tables)))
        replies = [explorer.reply_file(self.places, *pair) for pair in self.written_pairs]
        return list(dict.fromkeys([*read, *replies]))

    def explorer_parameters(self) -> dict[str, Any]:
        """Return what `explorer.write` is told besides the two files that it writes."""
        study = self.study
        pairs = judging_pairs(study)
        judges = dict.fromkeys(judge for judge, _ in pairs)
        return {
            "study": study.name,
            "description": study.settings.description,
            "suites": {benchmark: self.places.suites[benchmark] for _, benchmark in pairs},
            "protocols": {benchmark: study.protocol(benchmark) for _, benchmark in pairs},
            "judges": [(judge, study.labels[judge], self.kinds[judge]) for judge in judges],
            "pairs": pairs,
            "writers": self.written_pairs,
            "tables": {
                name: (
                    self.layout.path(TABLE, name),
                    self.title(name),
                    {column: (about.description, about.form) for column, about in entry.table.columns.items()},
                )
                for name, entry in self.tables.items()
            },
        }

    def figure_table(self, name: str) -> str:
        """Return the file that a figure is drawn from."""
        return self.layout.path(TABLE, self.figures[name].table)

    def figure_parameters(self, name: str) -> dict[str, Any]:
        """Return what `making.draw` is told of a figure besides its table."""
        table, figure_name, figure = self.figures[name]
        judges = {"kinds": self.kinds, "labels": self.study.labels, "judges": list(self.study.settings.display.judges)}
        return {
            "module": self.module(table),
            "figure": figure_name,
            "panels": list(figure.panels(self.study)),
            **(judges if figure.about_judges else {"kinds": {}}),
        }

    # ---- words and code ----

    def title(self, name: str) -> str:
        """Return the title of a table."""
        return self.tables[name].words(self.tables[name].table.title)

    def caption(self, name: str) -> str:
        """Return the caption of a table."""
        return self.tables[name].table.caption

    def table_labels(self, name: str) -> dict[str, str]:
        """Return how the report lists a table."""
        return {"table": self.title(name)}

    def figure_labels(self, name: str) -> dict[str, str]:
        """Return how the report lists a figure."""
        drawing = self.figures[name]
        return {"figure": self.tables[drawing.table].words(drawing.figure.label)}

    def figure_caption(self, name: str) -> str:
        """Return the caption of a figure."""
        return self.figures[name].figure.caption

    def figure_caption_in_report(self, name: str) -> str:
        """Return the caption of a figure with a link to its table in the explorer, which lies beside the report."""
        caption = self.figure_caption(name)
        if not self.has_explorer:
            return caption
        return (
            f"{caption}\n\n`The numbers behind it, and their items <{addresses.of_table(self.figures[name].table)}>`__"
        )

    def first_page_digest(self, script: str) -> list[str]:
        """Return the digest of the script of the first page with each module that it calls."""
        modules = dict.fromkeys(map(self.module, self.telling))
        return [script_digest(script, tables=module) for module in modules]

    def digest(self, script: str, wildcard: str) -> Callable[[Wildcards], str]:
        """Return a function of a job's wildcards: the digest of a script and of the module of its table or figure."""
        tables = {
            "table": {name: name for name in self.tables},
            "figure": {name: drawing.table for name, drawing in self.figures.items()},
        }[wildcard]
        return of(lambda name: script_digest(script, tables=self.module(tables[name])), wildcard)
