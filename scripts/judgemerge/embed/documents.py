"""A folder of documents → chunks. What cannot be read is reported by name and never stops the others."""

import io
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType

from judgemerge.core import files
from judgemerge.core.errors import JudgemergeError
from judgemerge.embed import Chunk, texts
from judgemerge.settings.embedding import Documents, MadeDocuments
from judgemerge.synthetic import made_documents

SUFFIXES = (".txt", ".md", ".html", ".htm", ".docx", ".pdf")
# Tried in turn after UTF-8 with or without a mark; whatever is left is read as Latin-1, which reads anything.
_ENCODINGS = ("utf-8-sig", "gb18030", "cp1252")
# From the coarsest to the finest place to cut; the last one cuts anywhere.
SEPARATORS = ("\n\n", "\n", "。", "！", "？", ". ", "! ", "? ", "；", "; ", " ", "")


@dataclass(frozen=True)
class Problem:
    """A file that was not read (`left_out`), or read with something to be said about it."""

    file: str
    problem: str
    left_out: bool


def write_synthetic(folder: str | Path, recipe: MadeDocuments) -> None:
    """Write a folder of documents of one domain made on the spot: plain text, Markdown and HTML."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, content in made_documents.files_of(recipe.domain, recipe.n_documents, recipe.seed).items():
        with files.atomic_writer(Path(folder) / name) as file:
            file.write(content)


def split_folder(
    folder: str | Path,
    settings: Documents,
    chunks_file: str | Path,
    counts_file: str | Path,
    takes_openings: bool = False,
) -> None:
    """Write the chunks of every file that can be read; the log, the counts and so the report name the others."""
    if not Path(folder).is_dir():
        raise JudgemergeError(
            f"embedding.documents.folder: '{folder}' is no folder; put your documents there, or name another one"
        )
    documents, problems = [], []
    for name, text, problems_of_file in read_folder(folder, settings.max_megabytes):
        problems += problems_of_file
        documents += [(name, text)] if text is not None else []
    for problem in problems:
        print(f"{problem.file}: {problem.problem}", file=sys.stderr)
    openings = {}
    if takes_openings:
        documents, openings = without_openings(documents)
    chunks, n_duplicates = chunks_of(documents, settings.chunk, settings.overlap, settings.language, openings)
    if not chunks:
        raise JudgemergeError(f"{folder}: none of its {len(problems)} files gives any text; the log names the reasons")
    files.write_jsonl(chunks_file, (chunk.row() for chunk in chunks))
    languages = Counter(chunk.language for chunk in chunks)
    counts = {
        "documents": len(documents),
        "left_out": sum(problem.left_out for problem in problems),
        "chunks": len(chunks),
        "duplicates": n_duplicates,
        "languages": dict(sorted(languages.items())),
        "problems": [asdict(problem) for problem in problems],
    }
    files.write_json(counts_file, counts)


def read_folder(folder: str | Path, max_megabytes: float) -> Iterator[tuple[str, str | None, list[Problem]]]:
    """Yield (file name, text or None, problems) for every file of a folder, sorted by name; folders are not entered.

    Hidden files are passed by in silence; every other file that gives no text has a problem that says why.
    """
    for path in sorted(Path(folder).iterdir()):
        if path.is_file() and not path.name.startswith("."):
            yield path.name, *_read(path, max_megabytes)


def _read(path: Path, max_megabytes: float) -> tuple[str | None, list[Problem]]:
    def left_out(why: str) -> tuple[None, list[Problem]]:
        return None, [Problem(path.name, why, True)]

    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        return left_out(f"'{suffix or path.name}' is no kind of document that is read ({', '.join(SUFFIXES)})")
    megabytes = path.stat().st_size / 1e6
    if megabytes > max_megabytes:
        return left_out(f"{megabytes:.1f} MB, more than documents.max_megabytes ({max_megabytes:g})")
    notes: list[Problem] = []
    try:
        content = path.read_bytes()
        if suffix == ".docx":
            text = _docx(content)
        elif suffix == ".pdf":
            text = _pdf(content)
        else:
            text, encoding = decode(content)
            if encoding not in ("utf-8", "utf-16"):
                notes = [Problem(path.name, f"not UTF-8; read as {encoding}", False)]
            text = _html(text) if suffix in (".html", ".htm") else text
    except Exception as error:  # noqa: BLE001 – readers of foreign formats raise anything; one file must not stop the rest
        return left_out(f"cannot be read ({type(error).__name__}: {str(error)[:120] or 'no message'})")
    text = "\n".join(line.rstrip() for line in text.replace("\r\n", "\n").replace("\r", "\n").split("\n")).strip()
    if not text:
        return left_out("holds no text" + (" (a scan? it would need OCR)" if suffix == ".pdf" else ""))
    if "\x00" in text:
        return left_out("holds zero bytes and is no text")
    return text, notes


def decode(content: bytes) -> tuple[str, str]:
    """Return text and encoding: UTF-8 or a marked UTF-16 where it fits, else the first encoding that does."""
    if content[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return content.decode("utf-16"), "utf-16"
    for encoding in _ENCODINGS:
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        # GB18030 reads almost any bytes; it is believed only where Chinese comes out.
        if encoding == "gb18030" and texts.language_of(text) not in ("zh", "ja"):
            continue
        return text, encoding.removesuffix("-sig")
    return content.decode("latin-1"), "latin-1"


def _docx(content: bytes) -> str:
    """Return the paragraphs and tables of a Word file in their order."""
    import docx
    from docx.table import Table

    parts = []
    for block in docx.Document(io.BytesIO(content)).iter_inner_content():
        if isinstance(block, Table):
            rows = [" | ".join(dict.fromkeys(cell.text.strip() for cell in row.cells)) for row in block.rows]
            parts.append("\n".join(rows))
        else:
            parts.append(block.text)
    return "\n\n".join(part for part in parts if part.strip())


def _pdf(content: bytes) -> str:
    from pypdf import PdfReader

    return "\n\n".join(page.extract_text() for page in PdfReader(io.BytesIO(content)).pages)


def _html(text: str) -> str:
    """Return the visible text of a page, a paragraph per block."""
    from bs4 import BeautifulSoup

    soup = BeautifulSoup(text, "html.parser")
    for hidden in soup(["script", "style", "noscript", "template", "head"]):
        hidden.decompose()
    for line in soup(["br"]):
        line.replace_with("\n")
    blocks = ["p", "div", "li", "tr", "h1", "h2", "h3", "h4", "h5", "h6", "pre", "blockquote", "section", "article"]
    for block in soup(blocks):
        block.append("\n\n")
    lines = [" ".join(line.split()) for line in soup.get_text().split("\n")]
    return "\n".join(line for previous, line in zip(["", *lines], lines, strict=False) if line or previous)


def split(text: str, size: int, overlap: int, separators: Sequence[str] = SEPARATORS) -> list[str]:
    """Return pieces of at most `size` characters; neighbours share up to `overlap` characters of whole parts.

    Cut at the coarsest separator that occurs; a part that is still too long is cut at the next finer one. The
    separator between two pieces is dropped unless it ends a sentence.
    """
    coarsest = next(index for index, separator in enumerate(separators) if separator in text or not separator)
    separator = separators[coarsest]
    pieces, fitting = [], []
    for part in _parts(text, separator):
        if len(part) <= size:
            fitting.append(part)
            continue
        pieces += _joined(fitting, size, overlap)
        fitting = []
        pieces += split(part, size, overlap, separators[coarsest + 1 :])
    return pieces + _joined(fitting, size, overlap)


def _parts(text: str, separator: str) -> list[str]:
    """Return the parts of a text with the separator at the end of each, so that joining them gives the text."""
    if not separator:
        return list(text)
    parts = text.split(separator)
    return [part for part in [*(part + separator for part in parts[:-1]), parts[-1]] if part]


def _joined(parts: Sequence[str], size: int, overlap: int) -> list[str]:
    """Return parts joined up to `size`; a new piece starts with the last parts of the one before, up to `overlap`."""
    pieces, current = [], []
    for part in parts:
        if current and sum(map(len, current)) + len(part) > size:
            pieces.append("".join(current))
            while current and (sum(map(len, current)) > overlap or sum(map(len, current)) + len(part) > size):
                current.pop(0)
        current.append(part)
    pieces.append("".join(current))
    return [piece.strip() for piece in pieces if piece.strip()]


def without_openings(documents: Sequence[tuple[str, str]]) -> tuple[list[tuple[str, str]], dict[str, str]]:
    """Return the documents without their first paragraphs, and these by document; one paragraph alone is left out.

    Marks of a Markdown heading are no part of it. Several documents with one opening are told apart by nothing: of
    these the first one stays.
    """
    rests, openings = [], {}
    for name, text in documents:
        opening, _, rest = text.partition("\n\n")
        opening = " ".join(opening.lstrip("#").split())
        if opening and rest.strip() and opening not in openings.values():
            rests.append((name, rest.strip()))
            openings[name] = opening
    return rests, openings


def chunks_of(
    documents: Sequence[tuple[str, str]],
    size: int,
    overlap: int,
    latin: str,
    openings: Mapping[str, str] = MappingProxyType({}),
) -> tuple[list[Chunk], int]:
    """Return the chunks of (name, text) documents and how many exact duplicates were left out; the first one stays.

    `latin` is the language of texts in Latin letters; each document has one language. `openings` are the questions
    that documents begin with.
    """
    seen: dict[str, Chunk] = {}
    n_pieces = 0
    for name, text in documents:
        language = texts.language_of(text, latin)
        for position, piece in enumerate(split(text, size, overlap)):
            n_pieces += 1
            chunk = Chunk(f"{name}/{position}", name, position, piece, language, openings.get(name, ""))
            seen.setdefault(piece, chunk)
    return list(seen.values()), n_pieces - len(seen)
