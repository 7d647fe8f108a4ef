"""How results are counted, shown and signed."""

from typing import Annotated, Literal

from judgemerge.settings.section import NAMES, Section, key, limits, section


@section
class Author(Section):
    """A person or an institution that made the results."""

    checks = {"anyOf": [{"required": ["name"]}, {"required": ["family-names"]}]}

    family_names: str | None = key("Family name of a person.", None, name="family-names", minLength=1)
    given_names: str | None = key("Given names of a person.", None, name="given-names", minLength=1)
    orcid: str | None = key("ORCID of a person as an address.", None, pattern=r"^https://orcid\.org/[0-9X-]+$")
    affiliation: str | None = key("Where a person works.", None, minLength=1)
    name: str | None = key("Name of an institution.", None, minLength=1)
    website: str | None = key("Address of an institution.", None, pattern="^https?://")

    @property
    def full_name(self) -> str:
        """The name of the institution, or the names of the person."""
        return self.name or " ".join(filter(None, (self.given_names, self.family_names)))


@section
class About(Section):
    """Authors, licence and source of the results, for `make crate`, `make export` and cards; none is made up."""

    authors: tuple[Author, ...] = key("The people or institutions that made the results, as in a CITATION.cff.", [])
    publisher: str | None = key("Who publishes the results.", None, minLength=1)
    licence: str | None = key(
        "Licence of the results: an SPDX name (CC-BY-4.0) or an address.",
        None,
        pattern=r"^(https?://\S+|[A-Za-z0-9.+-]+)$",
    )
    model_licence: str | None = key(
        "Licence of the models that the study makes, for their cards; theirs follows from that of the models they were "
        "made from: an SPDX name, a name that the Hugging Face hub knows (llama3.1, gemma), or an address.",
        None,
        pattern=r"^(https?://\S+|[A-Za-z0-9.+-]+)$",
    )
    source: str | None = key(
        "Where the study is published, its repository for example: an address.", None, pattern=r"^https?://\S+$"
    )


@section
class BenchmarkAverage(Section):
    """A mean over benchmarks."""

    benchmarks: tuple[str, ...] = key("The benchmarks of one protocol.", minItems=2, uniqueItems=True)

    @property
    def members(self) -> tuple[str, ...]:
        """The benchmarks that it is made from."""
        return self.benchmarks


@section
class CategoryAverage(Section):
    """A mean over the categories of one benchmark."""

    categories_of: str = key("The benchmark whose categories are averaged.")
    categories: (
        Annotated[tuple[str, ...], limits(uniqueItems=True)] | dict[str, Annotated[tuple[str, ...], limits(minItems=1)]]
    ) = key("The categories; all unless given. As a mapping, new category → categories it is the mean of.", [])

    @property
    def members(self) -> tuple[str, ...]:
        """The benchmark that it is made from."""
        return (self.categories_of,)


@section
class Display(Section):
    """How figures and pages show the judges; CSV tables keep all judges and their names."""

    judges: tuple[str, ...] = key(
        "The judges that figures show; all unless given. Pages and tables show all.", [], uniqueItems=True
    )
    labels: dict[str, Annotated[str, limits(minLength=1)]] = key(
        "Judge → its label in figures and pages. Without an entry: the label of recorded.yaml, else the name.",
        {},
    )


@section
class Overlap(Section):
    """The search for prompts of the benchmarks in other item sets, mainly training data."""

    also: tuple[str, ...] = key(
        "Further item sets to compare, besides those that models of the study are trained on: possible "
        "training sets of recorded judges, or another benchmark.",
        [],
        uniqueItems=True,
    )


@section
class Statistics(Section):
    """How agreement is computed."""

    resamples: int = key("Bootstrap resamples of prompts.", 10000, minimum=100)
    confidence: float = key("Coverage of every interval.", 0.95, exclusiveMinimum=0, exclusiveMaximum=1)
    seed: int = key("Seed of the bootstrap.", 7, minimum=0)
    group_by: Literal["cluster", "category"] = key(
        "Groups within which summary-level correlations are computed: answers to one prompt (cluster), or of "
        "one category.",
        "cluster",
    )


Annotators = Literal["experts", "skilled", "crowd"]
Labels = Literal["classes", "grades"]
# What a person's label is worth more than a judge's, by who labels (Calderon et al. 2025, arXiv:2501.10970, section 3).
EPSILONS = {"experts": 0.2, "skilled": 0.15, "crowd": 0.1}


@section
class LabelPanel(Section):
    """Labels of any kind, of people and of judges, in two JSON files, for tasks that are neither pairs nor grades."""

    people: str = key("The labels of people, {annotator: {item: label}}: a key of config/sources.yaml, or a path.")
    judges: str = key("The labels of judges, {judge: {item: label}}: a key of config/sources.yaml, or a path.")
    labels: Labels = key(
        "classes are equal or not; grades are numbers that may be near each other (root mean squared difference)."
    )
    annotators: Annotators | None = key("Who labelled; `replaceability.annotators` unless given.", None)


@section
class Replaceability(Section):
    """Whether judges may replace the people who labelled (docs/replaceability.md)."""

    annotators: Annotators = key(
        "Who labelled a benchmark whose entry in config/benchmarks.yaml does not say. Sets ε, what a person's label is "
        "worth more than a judge's: experts 0.2, skilled 0.15, crowd 0.1, which is the hardest for a judge.",
        "crowd",
    )
    epsilon: dict[str, Annotated[float, limits(minimum=0, exclusiveMaximum=1)]] = key(
        "Benchmark or panel → ε, in place of what follows from who labelled.", {}
    )
    panels: dict[str, LabelPanel] = key(
        "Label files by name; each is a benchmark of tables/replaceability.csv and of no other table.", {}, **NAMES
    )


Average = BenchmarkAverage | CategoryAverage
