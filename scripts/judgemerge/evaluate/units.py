"""What is scored, averaged and counted as in papers: the parts of each table of scores. Imports nothing heavy.

A part is a file of scores: of a benchmark, of its comparisons, people or biases, the
averages, or what papers count.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from judgemerge.settings.report import EPSILONS, BenchmarkAverage, CategoryAverage

if TYPE_CHECKING:
    from judgemerge.study.study import Study

COMPARED = ("comparisons", "humans", "bias")  # tables of paired comparisons, of annotators, of biases
# Tables whose cells config/expected.tsv may name.
COMPARED_WITH_PAPERS = ("agreement", "replaceability", "calibration", "panels")
AVERAGES, PUBLISHED = "averages", "published"  # parts that are of no single benchmark
MOST_COMPARED = 20  # judges, beyond which only the pairs are compared that somebody asks about: 72 have 2,556
JUDGE_KINDS = ("model", "derived", "baseline", "recorded", "jury", "cascade")


class Scores:
    """The files of scores of one study."""

    def __init__(self, study: "Study"):
        self.study = study

    def parts(self, table: str) -> list[str]:
        """Return the parts of agreement.csv, or of one of the COMPARED tables."""
        if table in COMPARED:
            return [f"{benchmark}.{table}" for benchmark in self.study.benchmarks]
        averages = [AVERAGES] if self.study.averages else []
        return [*self.study.benchmarks, *averages, *([PUBLISHED] if self.published_protocols() else [])]

    def compared_with_papers(self) -> list[str]:
        """Return the tables whose cells config/expected.tsv may name; not every study has probabilities, or panels."""
        absent = [] if self.study.probability_pairs else ["calibration"]
        absent += [] if self.study.panel_pairs else ["panels"]
        return [table for table in COMPARED_WITH_PAPERS if table not in absent]

    def judges_in_suites(self, benchmark: str) -> list[tuple[str, str]]:
        """Return (judge, suite) for every judge of a benchmark, in the order of `judges_of`."""
        return self.study.in_suites((judge, benchmark) for judge in self.study.judges_of(benchmark))

    def asked_pairs(self, benchmark: str) -> list[tuple[str, str]] | None:
        """Return the pairs of judges that are compared whoever is best: each with what it comes from, bases, baselines.

        None where all pairs are compared.
        """
        judges, choice = self.study.judges_of(benchmark), self.study.settings.compared_pairs
        if choice == "all" or (choice == "auto" and len(judges) <= MOST_COMPARED):
            return None
        everybody = {*self.study.models, *(judge for judge in judges if self.study.kind(judge) == "baseline")}
        beside = {judge: {*self._comes_from(judge), *everybody} - {judge} for judge in judges}
        return [(judge, other) for judge in judges for other in judges if other in beside[judge]]

    def _comes_from(self, judge: str) -> Sequence[str]:
        """Return the judges or models that a judge is made from, or assembled from the verdicts of."""
        study = self.study
        if judge in study.panels:
            return study.panels[judge].members
        return [study.judges_from_grades[judge]] if judge in study.judges_from_grades else study.made_from(judge)

    def models_behind(self, benchmark: str) -> dict[str, Sequence[str]]:
        """Return the models that each judge of a benchmark is or was made from, where any is known."""
        models = {judge: self.study.own_models(judge) for judge in self.study.judges_of(benchmark)}
        return {judge: names for judge, names in models.items() if names}

    def grouped_benchmarks(self) -> list[str]:
        """Return the benchmarks whose categories are averaged."""
        averages = self.study.averages.values()
        return list(dict.fromkeys(entry.categories_of for entry in averages if isinstance(entry, CategoryAverage)))

    def averaged_benchmarks(self) -> list[str]:
        """Return the benchmarks that averages are taken over, and those whose categories are."""
        averages = [entry for entry in self.study.averages.values() if isinstance(entry, BenchmarkAverage)]
        members = [name for entry in averages for name in entry.benchmarks]
        return list(dict.fromkeys([*members, *self.grouped_benchmarks()]))

    def published_protocols(self) -> Mapping[str, str]:
        """Return how the papers count, by benchmark that is run and has a paper's protocol."""
        protocols = {name: self.study.published_protocol(name) for name in self.study.benchmarks}
        return {name: protocol for name, protocol in protocols.items() if protocol}

    def published_pairs(self, kinds: Sequence[str] = JUDGE_KINDS) -> list[tuple[str, str]]:
        """Return (judge, benchmark) for every judge of these kinds on the benchmarks of `published_protocols`."""
        return [
            (judge, benchmark)
            for benchmark in self.published_protocols()
            for judge in self.study.judges_of(benchmark)
            if self.study.kind(judge) in kinds
        ]

    def epsilons(self) -> dict[str, float]:
        """Return ε by benchmark and label panel: the study's own, else what follows from who labelled."""
        settings, catalogue = self.study.settings.replaceability, self.study.catalogues.benchmarks
        people = {name: catalogue[name].get("annotators") for name in self.study.benchmarks}
        people |= {name: panel.annotators for name, panel in settings.panels.items()}
        return {name: settings.epsilon.get(name, EPSILONS[who or settings.annotators]) for name, who in people.items()}
