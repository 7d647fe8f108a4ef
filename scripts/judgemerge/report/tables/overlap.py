"""overlap.csv: prompts that benchmarks share with training data, by exact text and by runs of 13 words."""

import html
from collections.abc import Mapping, Sequence

from judgemerge.report.markup import TEXT, plain
from judgemerge.report.table import Column, Finding, Frame, Page, Section, Study, Table, View

COLUMNS = {
    "training": Column("name of the other item set"),
    "used_by": Column("what is trained on it, or why it is looked for"),
    "benchmark": Column("name of the benchmark"),
    "kind": Column("exact, folded, normalised or 13gram"),
    "n_training_prompts": Column("number of different prompts of the other set"),
    "n_benchmark_prompts": Column("number of different prompts of the benchmark"),
    "n_overlap": Column("number of its prompts that the other set has as well"),
    "share": Column("their share", ".1%"),
    "n_items": Column("number of items with such a prompt"),
    "too_short": Column("number of prompts too short for a run of 13 words"),
    "examples": Column("ids of a few such items", TEXT),
    "note": Column("why the overlap is no surprise"),
}
WARNING = (
    "Warning: benchmarks share prompts with sets that judges were or may have been trained on. What a judge gets right "
    "there it may remember. "
)
NO_WARNING = "No benchmark shares a prompt with the sets that were looked for. "
INTRO = (
    "Compared are all sets that models of the study are trained on and all that the study names in overlap.also. A "
    "prompt is the first user turn, counted once however many items share it. Exact: letter by letter; folded: case "
    "and white space are ignored; normalised: punctuation as well; 13gram: a run of 13 words in common. A prompt of "
    "fewer than 13 words is too short for that, which does not make it clean."
)


def has_overlap(study: Study) -> bool:
    """The study has sets to compare."""
    return bool(study.overlap_pairs)


def sections(table: Frame, warnings: Sequence[str]) -> list[Section]:
    """Return the warnings, then one section per benchmark."""
    listed = "".join(f"<li>{html.escape(warning)}</li>" for warning in warnings)
    shared = [("Shared prompts", f"<ul class='warning'>{listed}</ul>")] if warnings else []
    return shared + plain(table, COLUMNS)


def page(table: Frame, view: View) -> Page:
    """Return the table, with a warning on top when prompts are shared."""
    from judgemerge.data import overlap

    warnings = overlap.warnings(table.itertuples())
    result = view.page(sections(table, warnings))
    return result._replace(intro=(WARNING if warnings else NO_WARNING) + result.intro)


def findings(table: Frame, kinds: Mapping[str, str]) -> list[Finding]:
    """Return the warnings, or that there are none."""
    from judgemerge.data import overlap

    warnings = overlap.warnings(table.itertuples())
    return [Finding("Contamination", warnings or [NO_WARNING.strip()], in_short=bool(warnings))]


TABLE = Table(
    title="Contamination: overlap with training data",
    caption="Prompts of the benchmarks that also occur in training data, or in another set that the study names: "
    "letter by letter, with case and white space folded, with punctuation ignored as well, and in runs of 13 words. A "
    "judge that was trained on such a prompt has an unfair advantage on it. ``overlap.csv`` has the same rows.",
    columns=COLUMNS,
    condition=has_overlap,
    intro=INTRO,
    page=page,
    findings=findings,
)
