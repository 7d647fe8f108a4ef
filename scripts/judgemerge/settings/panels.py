"""Judges that are assembled from the verdicts of others: juries that vote, cascades that ask the next when unsure."""

from typing import ClassVar, Literal

from judgemerge.settings.section import Section, key, section

MEMBERS = (
    "Judges of this study: models, experts, merges, quantizations, recorded judges, and those that compare grades "
    "(`direct_from_grades`)."
)
DEVELOPMENT = (
    "Item sets that {what} are fitted on, which it then does not judge: development sets of suites, or benchmarks. "
    "No prompt of theirs may be in what it judges. Unset: one half of each benchmark's prompts gives those of the "
    "other half."
)


@section
class Jury(Section):
    """Judges that vote: a judge assembled from their verdicts, without asking any model (docs/panels.md)."""

    kind: ClassVar[str] = "jury"

    members: tuple[str, ...] = key(MEMBERS, uniqueItems=True)
    rule: Literal["majority", "mean", "weighted"] = key(
        "majority: more than half of the members that could be read, else a tie. mean: the side with more votes. "
        "weighted: votes count by the log-odds of being right on development items. Grades are averaged; weighted by "
        "their mean squared error.",
        "majority",
    )
    development: tuple[str, ...] = key(DEVELOPMENT.format(what="the weights of rule `weighted`"), [], uniqueItems=True)
    baselines: bool = key("Allow content-blind baselines (longer, random, majority) among the members.", False)


@section
class Cascade(Section):
    """Judges from cheap to dear: the next is asked where the ones before are unsure, for pairs (docs/panels.md)."""

    kind: ClassVar[str] = "cascade"

    members: tuple[str, ...] = key(f"{MEMBERS} The cheapest first.", uniqueItems=True)
    target: float = key(
        "Agreement with people that is wanted of what it answers.", 0.8, exclusiveMinimum=0, exclusiveMaximum=1
    )
    confidence: float = key(
        "Probability, over development sets, with which the target is kept.",
        0.9,
        exclusiveMinimum=0,
        exclusiveMaximum=1,
    )
    development: tuple[str, ...] = key(DEVELOPMENT.format(what="the thresholds"), [], uniqueItems=True)
    baselines: bool = key("Allow content-blind baselines among the members.", False)


Panel = Jury | Cascade
