"""The first page of a study: what came out, the figures that matter, what was not run, and where the rest stands.

Written twice from the same words: README.md for a terminal and a repository page, index.html for the report. What is
said of a table comes from the `findings` of its module.
"""

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.frames import read_table, with_labels
from judgemerge.report import markup
from judgemerge.report.table import Finding
from judgemerge.report.tables import TABLES

FIRST, LAST = ("agreement", "comparisons", "humans", "replaceability"), ("published", "overlap", "replies")
IN_SHORT = 5  # sentences on top: what a terminal shows after `make demo`
# What Markdown would not show as it is: a bracket only before a link's address, a line only outside of a word.
SPECIAL = re.compile(r"([\\`*<>|]|(?<=\])\(|(?<!\w)_|_(?!\w)|^[#+-])")


class Picture(NamedTuple):
    """A figure with its words; `path` is that of its SVG file, from the folder of the study."""

    label: str
    caption: str
    path: str


class FirstPage(NamedTuple):
    """What the page says, as plain text."""

    study: str
    description: str
    findings: Sequence[Finding]
    pictures: Sequence[Picture]
    not_run: Sequence[str]
    pages: Mapping[str, str]  # title → path from the folder of the study

    def in_short(self) -> list[str]:
        """Return the first sentence of each of the first findings that have one."""
        return [finding.sentences[0] for finding in self.findings if finding.sentences and finding.in_short][:IN_SHORT]


def write(
    study: str,
    description: str,
    tables: Mapping[str, str],
    modules: Mapping[str, str],
    kinds: Mapping[str, str],
    labels: Mapping[str, str],
    pictures: Iterable[Sequence[str]],
    not_run: Sequence[str],
    pages: Mapping[str, str],
    readme: str,
    page: str,
) -> None:
    """Write both forms of the first page; `tables` are paths by name, `modules` say which module each table is of."""
    of_labels = {labels.get(judge, judge): kind for judge, kind in kinds.items()}
    findings = []
    for name in in_reading_order(tables, modules):
        declared = TABLES.load(modules[name]).TABLE
        texts = [column for column, about in declared.columns.items() if about.form == markup.TEXT]
        findings += declared.findings(with_labels(read_table(tables[name], texts), labels), of_labels)
    result = FirstPage(study, description, findings, [Picture(*each) for each in pictures], not_run, pages)
    with files.atomic_writer(readme) as file:
        file.write(markdown(result))
    with files.atomic_writer(page) as file:
        file.write(html_page(result, Path(readme).parent))


def in_reading_order(tables: Iterable[str], modules: Mapping[str, str]) -> list[str]:
    """Return the names of tables: agreement first, what is looked up last, all others between them as they come."""

    def place(name: str) -> tuple[int, int]:
        module = modules[name]
        if module in FIRST:
            return 0, FIRST.index(module)
        return (2, LAST.index(module)) if module in LAST else (1, 0)

    return sorted(tables, key=place)


# ---- README.md ----


def markdown(page: FirstPage) -> str:
    """Return the page as Markdown; figures and pages are linked from the folder of the study."""
    parts = [f"# {escaped(page.study)}", escaped(page.description), _bullets(page.in_short())]
    parts += [
        f"![{escaped(picture.label)}]({picture.path})\n\n*{escaped(picture.caption)}*" for picture in page.pictures
    ]
    for finding in page.findings:
        parts += [f"## {escaped(finding.heading)}", _bullets(finding.sentences), _markdown_table(finding)]
    if page.not_run:
        parts += ["## What was not run, and what it is not", _bullets(page.not_run)]
    parts += [
        "## Where the rest stands",
        "\n".join(f"- [{escaped(title)}]({path})" for title, path in page.pages.items()),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def escaped(text: str) -> str:
    """Return text so that Markdown shows it as it is, in one line."""
    return SPECIAL.sub(r"\\\1", " ".join(text.split()))


def _bullets(sentences: Iterable[str]) -> str:
    return "\n".join(f"- {escaped(sentence)}" for sentence in sentences)


def _markdown_table(finding: Finding) -> str:
    rows = [finding.head, ["---"] * len(finding.head), *finding.lines] if finding.lines else []
    return "\n".join(f"| {' | '.join(cell if cell == '---' else escaped(cell) for cell in row)} |" for row in rows)


# ---- index.html ----


def html_page(page: FirstPage, folder: Path) -> str:
    """Return the page as HTML with its figures inside, so that it is whole wherever it is opened."""
    sections = [("In short", _list(page.in_short()))] if page.findings else []
    sections += [(picture.label, _image(picture, folder)) for picture in page.pictures]
    sections += [(finding.heading, _list(finding.sentences) + _html_table(finding)) for finding in page.findings]
    sections += [("What was not run, and what it is not", _list(page.not_run))] if page.not_run else []
    sections += [("Where the rest stands", _list(f"{title}: {path}" for title, path in page.pages.items()))]
    return markup.page(page.study, page.description, sections)


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _html_table(finding: Finding) -> str:
    if not finding.lines:
        return ""
    return markup.grid(finding.head, [[html.escape(cell) for cell in line] for line in finding.lines])


def _image(picture: Picture, folder: Path) -> str:
    data = base64.b64encode((folder / picture.path).read_bytes()).decode()
    words = html.escape(picture.caption, quote=True)
    return f"<img src='data:image/svg+xml;base64,{data}' alt='{words}' style='max-width: 100%'><p>{words}</p>"
