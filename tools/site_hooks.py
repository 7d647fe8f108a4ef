"""What makes a site of docs/ by MkDocs (mkdocs.yml): pages from beside docs/, and links that lead there.

The pages are written for a checkout, where links are paths between files. Here README.md becomes the first page, and
whatever else a page links to, in docs/ or beside it, comes along as a page or as a file. A link to nothing is a warning
of MkDocs, which ends `make site`.
"""

import posixpath
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
DOCS = "docs"
# Pages that lie beside docs/, with their place in the site.
MOVED = {"README.md": "index.md", "config/README.md": "writing_a_study.md", "CHANGELOG.md": "changelog.md"}
MEASUREMENTS = ("benchmarks/results", "measurements")
VENDORED = ("tools/site_vendor", "assets/vendor")
LINK = re.compile(r"(!?\[[^\]\n]*\])\(([^()\s]+)\)")
FENCE = re.compile(r"(?ms)(^ *```.*?^ *```[^\n]*$)")


def place_of(path: str) -> str:
    """Return where a file of the repository stands in the site."""
    if path in MOVED:
        return MOVED[path]
    for folder, place in ((DOCS, ""), MEASUREMENTS, VENDORED):
        if path.startswith(f"{folder}/"):
            return posixpath.join(place, path.removeprefix(f"{folder}/"))
    return posixpath.join("files", path)


def pages() -> Iterator[str]:
    """Yield the paths of all pages, those in docs/ and those beside it."""
    yield from MOVED
    for folder in (DOCS, MEASUREMENTS[0]):
        yield from (path.relative_to(ROOT).as_posix() for path in sorted((ROOT / folder).rglob("*.md")))


def links(text: str) -> Iterator[str]:
    """Yield the targets of all links between files in a page."""
    for part in FENCE.split(text)[::2]:
        for _, target in LINK.findall(part):
            if is_path(target):
                yield target


def is_path(target: str) -> bool:
    """Tell whether a link leads to a file, not to an address or a heading of the same page."""
    return not re.match(r"[a-z]+:|#|/", target)


def rewritten(text: str, target_of: Callable[[str], str]) -> str:
    """Return a page with the targets of its links between files exchanged, blocks of code as they are."""

    def exchanged(match: re.Match) -> str:
        words, target = match.groups()
        return f"{words}({target_of(target) if is_path(target) else target})"

    parts = FENCE.split(text)
    parts[::2] = [LINK.sub(exchanged, part) for part in parts[::2]]
    return "".join(parts)


def repository_path(page: str, target: str) -> str:
    """Return the path in the repository that a link of a page leads to, without its heading."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(page), target.partition("#")[0]))


def target_in_site(page: str, target: str) -> str:
    """Return a link of a page as it is in the site."""
    heading = "#" + target.partition("#")[2] if "#" in target else ""
    to = place_of(repository_path(page, target))
    return posixpath.relpath(to, posixpath.dirname(place_of(page)) or ".") + heading


def slug(heading: str, separator: str) -> str:
    """Return the anchor of a heading as repository pages make it, on which the links between pages rely."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)


# ---- called by MkDocs ----


def on_files(files: Any, config: Any) -> Any:
    """Add the pages beside docs/, what any page links to, and the scripts that would be fetched from a server."""
    from mkdocs.structure.files import File  # there in .venv-site alone

    linked = {repository_path(page, target) for page in pages() for target in links((ROOT / page).read_text("utf-8"))}
    vendored = (path.relative_to(ROOT).as_posix() for path in (ROOT / VENDORED[0]).iterdir())
    for path in sorted({*pages(), *linked, *vendored}):
        if (ROOT / path).is_file() and not files.get_file_from_path(place_of(path)):
            files.append(File.generated(config, place_of(path), abs_src_path=str(ROOT / path)))
    return files


def on_config(config: Any) -> Any:
    """Add the pages that stand in no section of the table of contents, and name headings as repository pages do."""
    config.mdx_configs["toc"]["slugify"] = slug
    named = {page for section in config.nav for pages_of in section.values() for page in pages_of}
    places = [place_of(path) for path in pages()]
    measured = [place for place in places if place.startswith(f"{MEASUREMENTS[1]}/")]
    others = [place for place in places if place not in {*named, *measured}]
    config.nav += [{"Measurements": measured}, *([{"More": others}] if others else [])]
    return config


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Return a page with links that hold in the site."""
    sources = {place_of(path): path for path in pages()}
    source = sources[page.file.src_uri]
    return rewritten(markdown, lambda target: target_in_site(source, target))
