"""The first page of a study: what came out, the figures that matter, what was not run, and where the rest stands.

Written twice from the same words: README.md for a terminal and a repository page, index.html for the report. What is
said of a table comes from the `findings` of its module. The answer stands on the first screen, however many benchmarks
a study has: what goes beyond it is folded in index.html, and in README.md left to the page of its table.
"""

import base64
import html
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from judgemerge.core import files
from judgemerge.core.frames import read_table, with_labels
from judgemerge.report import addresses, markup
from judgemerge.report.addresses import Linked
from judgemerge.report.table import Finding
from judgemerge.report.tables import TABLES

FIRST, LAST = ("agreement", "comparisons", "humans", "replaceability"), ("published", "overlap", "replies")
IN_SHORT = 5  # sentences on top: what a terminal shows after `make demo`
MOST_SENTENCES, MOST_LINES = 4, 6  # of a finding in README.md
MARKS = re.compile(r"``([^`]+)``|\*([^*\s][^*]*)\*")  # of code and emphasis in captions of the report
# What Markdown would not show as it is: a bracket only before a link's address, a line only outside of a word.
SPECIAL = re.compile(r"([\\`*<>|]|(?<=\])\(|(?<!\w)_|_(?!\w)|^[#+-])")


class Picture(NamedTuple):
    """A figure with its words; `path` is that of its SVG file, from the folder of the study.

    `table` is what it is drawn from, where the explorer has it.
    """

    label: str
    caption: str
    path: str
    table: str = ""


class FirstPage(NamedTuple):
    """What the page says, as plain text.

    `pages` are paths by title, `page_of` by table; `items` are the addresses of the items behind a judge, as it is
    shown, and a benchmark. All paths start at the folder of the study.
    """

    study: str
    description: str
    findings: Sequence[Finding]
    pictures: Sequence[Picture]
    not_run: Sequence[str]
    pages: Mapping[str, str]
    page_of: Mapping[str, str] = {}
    items: Mapping[tuple[str, str], str] = {}

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
    page_of: Mapping[str, str] = {},
    explored: Iterable[Sequence[str]] = (),
) -> None:
    """Write both forms of the first page; `tables` are paths by name, `modules` say which module each table is of.

    `explored` are the pairs of judge and benchmark whose items the explorer has.
    """
    of_labels = {labels.get(judge, judge): kind for judge, kind in kinds.items()}
    findings = []
    for name in in_reading_order(tables, modules):
        declared = TABLES.load(modules[name]).TABLE
        texts = [column for column, about in declared.columns.items() if about.form == markup.TEXT]
        of_table = declared.findings(with_labels(read_table(tables[name], texts), labels), of_labels)
        findings += [finding._replace(table=name) for finding in of_table]
    figures = [Picture(*each)._replace(caption=without_marks(each[1])) for each in pictures]
    items = addresses_of(explored, labels)
    result = FirstPage(study, description, findings, figures, not_run, pages, page_of, items)
    with files.atomic_writer(readme) as file:
        file.write(markdown(result))
    with files.atomic_writer(page) as file:
        file.write(html_page(result, Path(readme).parent))


def addresses_of(explored: Iterable[Sequence[str]], labels: Mapping[str, str]) -> dict[tuple[str, str], str]:
    """Return the addresses of items by the label of a judge, "" for all judges, and a benchmark."""
    pairs = list(map(tuple, explored))
    of_benchmarks = {("", benchmark): addresses.of_items(benchmark) for _, benchmark in pairs}
    of_judges = {(labels.get(judge, judge), name): addresses.of_items(name, judge) for judge, name in pairs}
    return of_benchmarks | of_judges


def without_marks(caption: str) -> str:
    """Return a caption of the report, where words are marked as code or emphasised, as plain text."""
    return MARKS.sub(r"\1\2", caption)


def address(text: str, page: FirstPage) -> str:
    """Return where the words of a cell lead, "" where they lead nowhere."""
    return page.items.get((text.judge, text.benchmark), "") if isinstance(text, Linked) else ""


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
        parts += [f"## {escaped(finding.heading)}", _bullets(finding.sentences[:MOST_SENTENCES])]
        parts += [_markdown_table(finding), _markdown_rest(finding, page)]
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
    """Return the first rows; they have no links, which a terminal would show in full."""
    rows = [finding.head, ["---"] * len(finding.head), *finding.lines[:MOST_LINES]] if finding.lines else []
    return "\n".join(f"| {' | '.join(cell if cell == '---' else escaped(cell) for cell in row)} |" for row in rows)


def _markdown_rest(finding: Finding, page: FirstPage) -> str:
    """Return what a finding has besides what is shown, and where that stands."""
    more = [
        f"{len(texts) - most} more {words}"
        for words, texts, most in (
            ("sentences", finding.sentences, MOST_SENTENCES),
            ("rows", finding.lines, MOST_LINES),
        )
        if len(texts) > most
    ]
    if not more:
        return ""
    on_its_page = f"[the page of this table]({page.page_of[finding.table]})" if finding.table in page.page_of else ""
    places = [on_its_page, "[index.html](index.html)"]
    return f"{' and '.join(more)}: {', '.join(filter(None, places))}."


# ---- index.html ----

LINKS = (
    "Values lead to their items in the explorer, titles to their pages: files beside this one. Inside of report.html "
    "these links lead nowhere; there the entries on the left do."
)


def html_page(page: FirstPage, folder: Path) -> str:
    """Return the page as HTML with its figures inside, so that it is whole wherever it is opened.

    The first screen has what came out in short and one figure; everything else unfolds.
    """
    first, *others = page.pictures or [None]
    explorer = next((title for title, path in page.pages.items() if path == addresses.EXPLORER), "")
    answer = _list(page.in_short()) if page.findings else ""
    answer += f"<p><b>{markup.link(html.escape(explorer), addresses.EXPLORER)}</b></p>" if explorer else ""
    answer += _image(first, folder, "max-height: 23rem; overflow: auto") if first else ""
    sections = [("In short", answer)] if answer else []
    folded = [(_summary(finding), _unfolded(finding, page)) for finding in page.findings]
    folded += [(picture.label, _image(picture, folder)) for picture in others]
    folded += (
        [(f"What was not run, and what it is not ({len(page.not_run)})", _list(page.not_run))] if page.not_run else []
    )
    sections.append(("In full", "".join(markup.details(summary, content) for summary, content in folded)))
    links = [markup.link(html.escape(title), path) for title, path in page.pages.items()]
    sections.append(("Where the rest stands", f"<p>{' · '.join(links)}</p><p>{html.escape(LINKS)}</p>"))
    return markup.page(page.study, page.description, sections)


def _summary(finding: Finding) -> str:
    """Return what is read of a finding that is folded: its heading and how much there is."""
    n = len(finding.lines)
    return f"{finding.heading} ({n} {'row' if n == 1 else 'rows'})" if n else finding.heading


def _unfolded(finding: Finding, page: FirstPage) -> str:
    place = page.page_of.get(finding.table, "")
    more = f"<p>{markup.link('Its page', place)}</p>" if place else ""
    return _list(finding.sentences) + _html_table(finding, page) + more


def _list(sentences: Iterable[str]) -> str:
    return f"<ul>{''.join(f'<li>{html.escape(sentence)}</li>' for sentence in sentences)}</ul>"


def _html_table(finding: Finding, page: FirstPage) -> str:
    if not finding.lines:
        return ""
    lines = [[markup.link(html.escape(cell), address(cell, page)) for cell in line] for line in finding.lines]
    return f"<div class='scroll'>{markup.grid(finding.head, lines)}</div>"


def _image(picture: Picture, folder: Path, box: str = "") -> str:
    """Return a figure with its caption; in a `box` that is too small for it one scrolls, so that it stays readable."""
    data = base64.b64encode((folder / picture.path).read_bytes()).decode()
    words = html.escape(picture.caption, quote=True)
    numbers = markup.link("Its numbers, and their items", addresses.of_table(picture.table)) if picture.table else ""
    image = f"<img src='data:image/svg+xml;base64,{data}' alt='{words}' style='max-width: 100%'>"
    label = html.escape(picture.label, quote=True)
    image = f"<div role='region' tabindex='0' aria-label='{label}' style='{box}'>{image}</div>" if box else image
    return f"{image}<p>{words} {numbers}</p>"
