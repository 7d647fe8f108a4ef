"""explorer.html: every table of a study and every item that was judged, in one file that needs no server.

What the page does is JavaScript in `web/`; what goes into it is decided here. The file holds an index of all items, by
which the page filters, and the texts in blocks of compressed JSON, which the page opens when an item is looked at. A
second, smaller copy stands in the report: browsers show nothing of more than two megabytes inside another page.
"""

import base64
import csv
import gzip
import hashlib
import html
import json
import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from string import Template
from typing import Any, NamedTuple

from judgemerge.core import files
from judgemerge.core.items import CLASSES, LONE_SURROGATE, Item, Verdict, is_finite_number
from judgemerge.judge.pairs_from_grades import SUFFIX
from judgemerge.prompting.parsing import Reply, read_replies
from judgemerge.report import markup
from judgemerge.report.material import Material
from judgemerge.report.standings import Cell, Standing, standings_of

WEB = Path(__file__).with_name("web")
SCRIPTS, STYLE, PAGE = ("data.js", "widgets.js", "explorer.js"), "explorer.css", "explorer.html"
WHOLE, INSIDE_REPORT = 19_000_000, 1_500_000  # bytes of the file; as base64 the second stays below 2 MB
TABLES_SHARE = 0.4  # of a file, at most
BLOCK = 400_000  # characters of JSON that are opened at once
LONGEST_TEXTS = (None, 4000, 1000)  # characters of a text: the first that fits is taken, then items are drawn
ORDERS = ("original", "swapped")
CODES = {"first": "1", "second": "2", "tie": "=", "error": "!", "score": "g", None: "-"}
# What a verdict may be, as bits of one number per judge and item.
FLAGS = {"right": 1, "wrong": 2, "wrong_always": 4, "flip": 8, "unreadable": 16}
NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
FAR = 1  # two grades that are so far apart, or farther, are different


class Judge(NamedTuple):
    """A judge as the page names it; `kind` as in figures: base, expert, merge, recorded, baseline …"""

    name: str
    label: str
    kind: str


class Judged(NamedTuple):
    """A benchmark with what every judge said of it."""

    name: str
    protocol: str
    items: Sequence[Item]
    verdicts: Mapping[str, Sequence[Verdict]]
    replies: Mapping[str, Sequence[Reply]]
    failed: Mapping[str, str]  # judge → why it has no verdicts


class CsvTable(NamedTuple):
    """A table of the study as its file has it, with what its module says of it."""

    name: str
    title: str
    columns: Mapping[str, Sequence[str]]  # column → what it means, form of its numbers
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]


class Contents(NamedTuple):
    """All that a page may hold."""

    study: str
    description: str
    judges: Sequence[Judge]
    benchmarks: Sequence[Judged]
    tables: Sequence[CsvTable]
    standings: Mapping[str, Standing]


def write(page: str, page_in_report: str, **of_study: Any) -> None:
    """Write the page, and the copy of it that the report shows; `of_study` is what `read` is told."""
    contents = read(**of_study)
    text = fitting(contents, WHOLE)
    smaller = text if len(text.encode()) <= INSIDE_REPORT else fitting(contents, INSIDE_REPORT, Path(page).name)
    for path, written in ((page, text), (page_in_report, smaller)):
        with files.atomic_writer(path) as file:
            file.write(written)


def read(
    study: str,
    description: str,
    suites: Mapping[str, str],
    protocols: Mapping[str, str],
    judges: Sequence[Sequence[str]],
    pairs: Sequence[Sequence[str]],
    writers: Sequence[Sequence[str]],
    tables: Mapping[str, tuple[str, str, Mapping[str, Sequence[str]]]],
) -> Contents:
    """Return what the files of a study hold.

    `judges` are (name, label, kind), `pairs` (judge, benchmark) of all verdicts, `writers` those with replies, `tables`
    name → (path, title, columns).
    """
    material = Material(study, suites)
    pairs, writers = list(map(tuple, pairs)), set(map(tuple, writers))
    benchmarks = [
        _judged(material, name, protocol, [judge for judge, other in pairs if other == name], writers)
        for name, protocol in protocols.items()
    ]
    csv_tables = [CsvTable(name, title, columns, *read_csv(path)) for name, (path, title, columns) in tables.items()]
    by_name = {table.name: table for table in csv_tables}
    standings = standings_of(*(records(by_name[name]) if name in by_name else [] for name in _STANDINGS_FROM))
    return Contents(study, description, [Judge(*judge) for judge in judges], benchmarks, csv_tables, standings)


_STANDINGS_FROM = ("agreement", "comparisons")


def _judged(
    material: Material, benchmark: str, protocol: str, judges: Iterable[str], writers: set[tuple[str, str]]
) -> Judged:
    verdicts, replies, failed = {}, {}, {}
    for judge in judges:
        if reason := material.reason(judge, benchmark):
            failed[judge] = reason
            continue
        verdicts[judge] = material.verdicts(judge, benchmark)
        if (judge, benchmark) in writers:
            replies[judge] = list(read_replies(reply_file(material, judge, benchmark), benchmark))
    return Judged(benchmark, protocol, material.items(benchmark), verdicts, replies, failed)


def reply_file(places: Any, judge: str, benchmark: str) -> str:
    """Return where the replies behind a judge's verdicts lie; of grades that are compared, with who gave them."""
    if not judge.endswith(SUFFIX):
        return places.path("replies", judge, benchmark)
    path = Path(places.path("replies", judge.removesuffix(SUFFIX), benchmark))
    return str(path.with_name(f"{path.stem}{SUFFIX}{path.suffix}"))


# ---- tables ----


def read_csv(path: str | Path) -> tuple[list[str], list[list[Any]]]:
    """Return the head and the rows of a table; a number is a number, an empty cell None."""
    with open(path, encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file)) or [[]]
    return head, [[plain_cell(cell) for cell in row] for row in rows]


def plain_cell(text: str) -> str | int | float | None:
    """Return the number that a cell of a CSV file holds, None of an empty one, else the text."""
    if not text:
        return None
    if not NUMBER.fullmatch(text):
        return text
    number = float(text) if {".", "e", "E"} & set(text) else int(text)
    return number if is_finite_number(number) else text


def records(table: CsvTable) -> list[dict[str, Any]]:
    """Return the rows of a table by column."""
    return [dict(zip(table.head, row, strict=True)) for row in table.rows]


# ---- items: what is filtered by ----


def index_of(judged: Judged, baselines: Iterable[str]) -> dict[str, Any]:
    """Return what the page knows of every item of a benchmark before it opens its texts; lists run with the items."""
    baselines, verdicts = set(baselines), by_item(judged.verdicts)
    categories = list(dict.fromkeys(item.category or "" for item in judged.items))
    places = {category: place for place, category in enumerate(categories)}
    voices = [judge for judge in judged.verdicts if judge not in baselines]
    return {
        "name": judged.name,
        "protocol": judged.protocol,
        "ids": [item.id for item in judged.items],
        "starts": [start_of(item) for item in judged.items],
        "categories": categories,
        "category": [places[item.category or ""] for item in judged.items],
        "gap": [length_gap(item) for item in judged.items],
        "truth": [item.truth for item in judged.items],
        "people_split": [int(differ(vote.vote for vote in item.votes)) for item in judged.items],
        "judges_split": [
            int(differ(answer(one) for judge in voices for one in verdicts[judge].get(item.id, [])[:1]))
            for item in judged.items
        ],
        "judges": {
            judge: _of_judge([verdicts[judge].get(item.id, []) for item in judged.items], judged.items)
            for judge in judged.verdicts
        },
        "failed": dict(judged.failed),
    }


def _of_judge(verdicts: Sequence[Sequence[Verdict]], items: Sequence[Item]) -> dict[str, Any]:
    """Return the verdicts of one judge on all items: codes of both orders, or grades; flags; confidence if any."""
    outcomes = [{verdict.order: verdict.outcome for verdict in some} for some in verdicts]
    columns = {
        "codes": "".join(CODES[of.get(order)] for of in outcomes for order in ORDERS),
        "scores": [next((verdict.score for verdict in some), None) for some in verdicts],
        "confidence": [confidence(some) for some in verdicts],
    }
    needless = [name for name in ("scores", "confidence") if all(value is None for value in columns[name])]
    flags = [flags_of(some, item.truth) for some, item in zip(verdicts, items, strict=True)]
    return {name: column for name, column in columns.items() if name not in needless} | {"flags": flags}


def by_item(verdicts: Mapping[str, Iterable[Verdict]]) -> dict[str, dict[str, list[Verdict]]]:
    """Return the verdicts of each judge by item, that of the original order first."""
    sorted_out: dict[str, dict[str, list[Verdict]]] = {}
    for judge, some in verdicts.items():
        of_judge = sorted_out.setdefault(judge, {})
        for verdict in some:
            of_judge.setdefault(verdict.item, []).append(verdict)
        for both in of_judge.values():
            both.sort(key=lambda verdict: ORDERS.index(verdict.order))
    return sorted_out


def answer(verdict: Verdict) -> str | float | None:
    """Return the class or the grade of a verdict; None of an error."""
    if verdict.outcome == "error":
        return None
    return verdict.outcome if verdict.outcome in CLASSES else verdict.score


def flags_of(verdicts: Sequence[Verdict], truth: str | float | None) -> int:
    """Return what the verdicts of a judge on one item are, as bits of FLAGS."""
    answers = [given for given in map(answer, verdicts) if given is not None]
    wrong = [given for given in answers if truth is not None and differ([given, truth])]
    flags = {
        "right": bool(answers) and truth is not None and not wrong and len(answers) == len(verdicts),
        "wrong": bool(wrong),
        "wrong_always": bool(wrong) and len(wrong) == len(verdicts),
        "flip": differ(answers),
        "unreadable": any(verdict.outcome == "error" for verdict in verdicts),
    }
    return sum(bit for name, bit in FLAGS.items() if flags[name])


def differ(answers: Iterable[str | float | None]) -> bool:
    """Return whether there are two answers that differ: other classes, or grades at least FAR apart."""
    there = [given for given in answers if given is not None]
    grades = [given for given in there if not isinstance(given, str)]
    if len(grades) == len(there):
        return bool(grades) and max(grades) - min(grades) >= FAR
    return len(set(map(str, there))) > 1


def confidence(verdicts: Iterable[Verdict]) -> float | None:
    """Return how likely the judge finds its own verdict, the mean of both orders; None where it does not say."""
    stated = [value for value in (getattr(verdict, "confidence", None) for verdict in verdicts) if value is not None]
    return round(sum(stated) / len(stated), 3) if stated else None


def length_gap(item: Item) -> int | None:
    """Return by how many characters the first response is longer than the second; of a grade, how long it is."""
    if not item.judgeable:
        return None
    lengths = [sum(map(len, response)) for response in item.responses]
    return lengths[0] - lengths[1] if len(lengths) == 2 else lengths[0]


def start_of(item: Item, longest: int = 90) -> str:
    """Return the first words of a prompt, in one line."""
    text = " ".join(" ".join(item.turns)[: 10 * longest].split())
    return text if len(text) <= longest else text[: longest - 1] + "…"


# ---- items: what is read ----


def texts_of(judged: Judged, longest: int | None = None) -> Iterator[dict[str, Any]]:
    """Yield all there is about each item; of a text that is longer than `longest` the middle is left out."""
    verdicts = by_item(judged.verdicts)
    replies = {judge: _replies_by_item(judge, some) for judge, some in judged.replies.items()}
    for item in judged.items:
        yield {
            "id": item.id,
            "turns": [shortened(turn, longest) for turn in item.turns],
            "responses": [[shortened(turn, longest) for turn in response] for response in item.responses],
            "models": item.models,
            "reference": shortened(item.reference, longest),
            "category": item.category,
            "truth": item.truth,
            "votes": [[vote.annotator, vote.vote] for vote in item.votes],
            "origin": item.origin,
            "extra": shortened(json.dumps(item.extra, default=str), longest) if item.extra else None,
            "judges": {
                judge: {
                    "verdicts": [_verdict_row(verdict) for verdict in some[item.id]],
                    "replies": [
                        _reply_row(reply, part, longest) for reply, part in replies.get(judge, {}).get(item.id, [])
                    ],
                }
                for judge, some in verdicts.items()
                if item.id in some
            },
        }


def _replies_by_item(judge: str, replies: Iterable[Reply]) -> dict[str, list[tuple[Reply, str]]]:
    """Return the replies by item, each with the side of the pair that was graded, where one side was."""
    sorted_out: dict[str, list[tuple[Reply, str]]] = {}
    for reply in replies:
        pair, _, side = reply.item.rpartition("/") if judge.endswith(SUFFIX) else (reply.item, "", "")
        sorted_out.setdefault(pair, []).append((reply, side))
    return sorted_out


def _verdict_row(verdict: Verdict) -> dict[str, Any]:
    fields = ("order", "outcome", "score", "reason", "raw", "cut", "published", "probabilities")
    row = {field: getattr(verdict, field, None) for field in fields}
    return {field: value for field, value in row.items() if value is not None}


def _reply_row(reply: Reply, side: str, longest: int | None) -> dict[str, Any]:
    row = {
        "order": reply.order,
        "side": side or None,
        "run": reply.run,
        "reply": shortened(reply.reply, longest),
        "reason": reply.reason,
        "tokens": reply.reply_tokens,
        "end": reply.finish_reason,
    }
    return {field: value for field, value in row.items() if value is not None}


def shortened(text: str | None, longest: int | None) -> str | None:
    """Return the text; one that is too long without its middle, which says so."""
    if text is None or longest is None or len(text) <= longest:
        return text
    half = longest // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half:,} characters are left out here …]\n{text[-half:]}"


# ---- the file ----


def fitting(contents: Contents, limit: int, whole: str = "") -> str:
    """Return the page in at most so many bytes: long texts lose their middle first, then items are left out.

    `whole` names the file that has all of them, if this is not it.
    """
    tables, left_out = fitting_tables(contents.tables, int(TABLES_SHARE * limit))
    contents = contents._replace(tables=tables)
    n_items = max((len(judged.items) for judged in contents.benchmarks), default=0)
    for n, longest in _attempts(n_items):
        words = _shortcomings(contents, n, longest, left_out, whole)
        page = document(drawn(contents, n), words, longest, limit)
        if page is not None and len(page.encode()) <= limit:
            return page
    return document(drawn(contents, n), words, longest)


def _attempts(n_items: int) -> Iterator[tuple[int, int | None]]:
    """Yield how many items of each benchmark are kept, and how long their texts may be, from most to least."""
    for longest in LONGEST_TEXTS:
        yield n_items, longest
    while n_items > 1:
        n_items //= 2
        yield n_items, LONGEST_TEXTS[-1]


def _shortcomings(contents: Contents, n: int, longest: int | None, tables: Sequence[str], whole: str) -> list[str]:
    """Return in sentences what a page lacks of its study."""
    n_items = sum(len(judged.items) for judged in contents.benchmarks)
    n_kept = sum(min(n, len(judged.items)) for judged in contents.benchmarks)
    sentences = []
    if n_kept < n_items:
        sentences.append(f"{n_kept:,} of {n_items:,} items, at most {n:,} of each benchmark, drawn at random")
    if longest:
        sentences.append(f"texts of more than {longest:,} characters without their middle")
    if tables:
        sentences.append(f"without the tables {', '.join(tables)}, which lie in the folder tables/")
    if not sentences:
        return []
    return [f"This page holds {'; '.join(sentences)}.", *([f"More is in {whole}, beside the report."] if whole else [])]


def drawn(contents: Contents, n: int) -> Contents:
    """Return the same with at most so many items of each benchmark, drawn at random, in their order."""
    benchmarks = []
    for judged in contents.benchmarks:
        places = range(len(judged.items))
        if n < len(places):
            places = sorted(random.Random(judged.name).sample(places, n))
        benchmarks.append(judged._replace(items=[judged.items[place] for place in places]))
    return contents._replace(benchmarks=benchmarks)


def fitting_tables(tables: Sequence[CsvTable], limit: int) -> tuple[list[CsvTable], list[str]]:
    """Return the tables that fit, and the names of those that do not: the largest are left out."""
    sizes = {table.name: len(packed(table.rows)) for table in tables}
    kept = sorted(sizes, key=sizes.get)
    while kept and sum(sizes[name] for name in kept) > limit:
        kept.pop()
    return [table for table in tables if table.name in kept], [name for name in sizes if name not in kept]


def packed(value: Any) -> str:
    """Return a value as JSON, compressed, in letters; half of a surrogate pair stays the escape that it is in JSON."""
    data = json.dumps(value, separators=(",", ":"), default=str).encode()
    return base64.b64encode(gzip.compress(data, 6, mtime=0)).decode()


def in_blocks(rows: Iterable[Any], size: int = BLOCK) -> Iterator[list[Any]]:
    """Yield the rows in lists whose JSON has about so many characters."""
    block, length = [], 0
    for row in rows:
        block.append(row)
        length += len(json.dumps(row, default=str))
        if length >= size:
            yield block
            block, length = [], 0
    if block:
        yield block


def document(
    contents: Contents, shortcomings: Sequence[str], longest: int | None = None, limit: float = math.inf
) -> str | None:
    """Return the whole page, None as soon as the texts of its items are more than `limit` bytes."""
    baselines = [judge.name for judge in contents.judges if judge.kind == "baseline"]
    blocks: list[str] = []
    benchmarks, n_bytes = [], 0
    for judged in contents.benchmarks:
        index = index_of(judged, baselines) | {"blocks": [], "sizes": []}
        for block in in_blocks(texts_of(judged, longest)):
            index["blocks"].append(len(blocks))
            index["sizes"].append(len(block))
            blocks.append(packed(block))
            n_bytes += len(blocks[-1])
            if n_bytes > limit:
                return None
        benchmarks.append(index)
    tables = []
    for table in contents.tables:
        about = {"name": table.name, "title": table.title, "columns": table.columns, "head": table.head}
        tables.append(about | {"block": len(blocks), "n": len(table.rows)})
        blocks.append(packed(table.rows))
    index = {
        "study": contents.study,
        "flags": FLAGS,
        "judges": [judge._asdict() for judge in contents.judges],
        "benchmarks": benchmarks,
        "tables": tables,
        "standings": {name: _plain_standing(standing) for name, standing in contents.standings.items()},
    }
    scripts = [script_text(WEB / name) for name in SCRIPTS]
    script = "\n".join([*map(library_text, libraries()), *scripts])
    style = (WEB / STYLE).read_text("utf-8")
    return Template((WEB / PAGE).read_text("utf-8")).substitute(
        policy=policy(script, style),
        title=escaped(f"{contents.study}: explorer"),
        study=escaped(contents.study),
        description=escaped(contents.description),
        shortcomings=escaped(" ".join(shortcomings)),
        style=style,
        standings=static_tables(contents),
        index=_block("index", packed(index)),
        blocks="\n".join(_block(f"block-{number}", text) for number, text in enumerate(blocks)),
        script=script,
    )


def _plain_standing(standing: Standing) -> dict[str, Any]:
    judges = {
        judge: {metric: cell._asdict() for metric, cell in cells.items()} for judge, cells in standing.judges.items()
    }
    return {"metrics": standing.metrics, "judges": judges}


def _block(name: str, text: str) -> str:
    return f'<script type="application/gzip" id="{name}">{text}</script>'


def policy(script: str, style: str) -> str:
    """Return the rules that a browser keeps: this script, this style, and nothing from anywhere."""

    def digest(text: str) -> str:
        return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

    return (
        f"default-src 'none'; script-src 'sha256-{digest(script)}'; style-src 'sha256-{digest(style)}'; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    )


def libraries() -> list[dict[str, Any]]:
    """Return the libraries that tools/vendor_web.py has fetched, in the order in which they are needed."""
    return files.read_json(WEB / "vendor" / "manifest.json")


def library_text(library: Mapping[str, Any]) -> str:
    """Return the scripts of a library below its licence."""
    folder = WEB / "vendor"
    notice = (folder / library["notice"]).read_text("utf-8").strip().replace("*/", "* /")
    head = f"/*! {library['name']} {library['version']}, {library['licence']}\n{notice}\n*/"
    return "\n".join([head, *(script_text(folder / name) for name in library["scripts"])])


def script_text(path: Path) -> str:
    """Return a script without the address of its source map, which a browser would ask for."""
    lines = path.read_text("utf-8").splitlines()
    return "\n".join(line for line in lines if not line.startswith("//# sourceMappingURL"))


def digest() -> str:
    """Return the digest of everything that the page is made of besides Python."""
    paths = sorted(path for path in WEB.rglob("*") if path.is_file())
    return files.sha256_text(*(f"{path.relative_to(WEB)} {files.sha256_file(path)}" for path in paths))[:16]


# ---- without JavaScript ----


def escaped(text: str) -> str:
    """Return a text as HTML that shows it; half of a surrogate pair, which no file can hold, is shown as U+FFFD."""
    return html.escape(LONE_SURROGATE.sub("\ufffd", text), quote=True)


def static_tables(contents: Contents) -> str:
    """Return the standings of the judges as plain tables, which are there without JavaScript, too."""
    labels = {judge.name: judge.label for judge in contents.judges}
    return "".join(
        f"<h2>{escaped(name)}</h2><div class='scroll' tabindex='0' role='region' "
        f"aria-label='{escaped(name)}'>{_static_table(standing, labels)}</div>"
        for name, standing in contents.standings.items()
    )


def _static_table(standing: Standing, labels: Mapping[str, str]) -> str:
    def cell(given: Cell | None) -> str:
        if given is None or given.value is None:
            return "–"
        nan = float("nan")
        interval = [nan if end is None else end for end in (given.low, given.high)]
        mark = {"best": " <b>best</b>", "level": " <b>=</b>", "": ""}[given.mark]
        ranks = f" <small>rank {given.ranks[0]}–{given.ranks[1]}</small>" if given.ranks else ""
        return f"{escaped(markup.span(given.value, *interval))}{mark}{ranks}"

    lines = [
        [escaped(labels.get(judge, judge)), *(cell(cells.get(metric)) for metric in standing.metrics)]
        for judge, cells in standing.judges.items()
    ]
    return markup.grid(["judge", *standing.metrics], lines)
