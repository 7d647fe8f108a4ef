"""From a table's module to files: the CSV table, its page, its figures."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.frames import of_judges, read_table, with_labels, write_table
from judgemerge.report import addresses, drawing, markup
from judgemerge.report.material import Material
from judgemerge.report.table import View
from judgemerge.report.tables import TABLES

IN_EXPLORER = "This table in the explorer: to sort, to filter, and from each row to its items"
LINKS = "Values lead to their items there. Inside of report.html these links lead nowhere; there Explorer is an entry."


def make_table(module: str, study: str, suites: Mapping[str, str], parameters: Mapping[str, Any], path: str) -> None:
    """Write the rows that a table's module computes."""
    declared = TABLES.load(module).TABLE
    frame = declared.rows(Material(study, suites), **parameters)
    if list(frame.columns) != list(declared.columns):
        raise JudgemergeError(
            f"table '{module}': rows() gives the columns {', '.join(frame.columns)}, and `columns` describes "
            f"{', '.join(declared.columns)}; make them the same"
        )
    write_table(path, frame)


def render(
    module: str,
    title: str,
    table: str,
    study: str,
    suites: Mapping[str, str],
    labels: Mapping[str, str],
    confidence: float,
    parameters: Mapping[str, Any],
    path: str,
    explored: Sequence[Sequence[str]] = (),
) -> None:
    """Write a table as a page: what its module shows, then what each column means.

    Values of the judges and benchmarks that are `explored` lead to their items in the explorer beside the tables.
    """
    declared = TABLES.load(module).TABLE
    material = Material(study, suites)
    view = View(declared.intro, list(labels.values()), f"{100 * confidence:g} %", material)
    texts = [column for column, about in declared.columns.items() if about.form == markup.TEXT]
    rows = addresses.with_addresses(read_table(table, texts), set(map(tuple, explored)), "../")
    to_explorer = markup.link(IN_EXPLORER, addresses.of_table(Path(path).stem, "../"))
    lead = f"<p>{to_explorer}. {LINKS}</p>" if explored else ""
    rows = with_labels(rows, labels)
    if declared.page:
        contents = declared.page(rows, view, **parameters)
    else:
        sections = declared.sections(rows, view.judges) if declared.sections else markup.plain(rows, declared.columns)
        contents = view.page(sections, material.failed_judges() if declared.names_failed_judges else "")
    descriptions = {column: about.description for column, about in declared.columns.items()}
    with files.atomic_writer(path) as file:
        file.write(markup.page(title, contents.intro, contents.sections, descriptions, lead))


def draw(
    module: str,
    figure: str,
    table: str,
    kinds: Mapping[str, str],
    panels: Sequence[str],
    svg: str,
    png: str,
    labels: Mapping[str, str] | None = None,
    judges: Sequence[str] | None = None,
) -> None:
    """Draw one figure of a table in both formats, without a time stamp inside.

    `labels` are the words for judges, `judges` those to be shown (all when there are none).
    """
    drawing.use_style()
    rows = of_judges(read_table(table), judges, kinds) if judges else read_table(table)
    words = {judge: " ".join((labels or {}).get(judge, judge).split()) for judge in kinds}
    visible = {words[judge]: kind for judge, kind in kinds.items() if not judges or judge in judges}
    image = TABLES.load(module).TABLE.figures[figure].draw(with_labels(rows, words), visible, panels)
    if len(visible) < len(kinds):
        drawing.add_footnote(image, f"{len(visible)} of {len(kinds)} judges, chosen in display.judges.")
    for path, kind, metadata in ((svg, "svg", {"Date": None}), (png, "png", {})):
        with files.atomic_writer(path, "wb") as file:
            image.savefig(file, format=kind, metadata=metadata, bbox_inches="tight")
