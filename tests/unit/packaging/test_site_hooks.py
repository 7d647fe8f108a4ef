"""The documentation as a site: links between files of a checkout become links between pages, and all of them hold."""

import re
from pathlib import Path

import pytest
import yaml

import site_hooks

ROOT = Path(__file__).resolve().parents[3]
PAGES = list(site_hooks.pages())
HEADING = re.compile(r"(?m)^#+ (.+)$")


def headings(path):
    """Return the anchors of a page; a second heading of the same words has a number."""
    text = "".join(site_hooks.FENCE.split((ROOT / path).read_text(encoding="utf-8"))[::2])
    plain = (re.sub(r"\[([^\]]*)\]\([^)]*\)|`", r"\1", heading) for heading in HEADING.findall(text))
    return {site_hooks.slug(heading, "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES)
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(page):
    for target in site_hooks.links((ROOT / page).read_text(encoding="utf-8")):
        to = site_hooks.repository_path(page, target)
        assert (ROOT / to).is_file(), f"{page}: {target}"
        if "#" in target and to.endswith(".md"):
            assert target.partition("#")[2] in headings(to), f"{page}: {target}"


def test_the_table_of_contents_names_pages_that_are_there():
    sections = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
    named = [page for section in sections for pages in section.values() for page in pages]
    assert len(named) == len(set(named))
    assert set(named) <= {site_hooks.place_of(page) for page in PAGES}


@pytest.mark.parametrize(
    ("page", "target", "in_site"),
    [
        ("README.md", "docs/studies/unified.md#small", "studies/unified.md#small"),
        ("README.md", "CITATION.cff", "files/CITATION.cff"),
        ("docs/planning.md", "../benchmarks/results/power.md", "measurements/power.md"),
        ("docs/studies/meld.md", "../configuration.md#embedding", "../configuration.md#embedding"),
        ("benchmarks/results/power.md", "../../docs/planning.md", "../planning.md"),
        ("config/README.md", "../docs/glossary.md", "glossary.md"),
    ],
)
def test_links_become_links_between_pages(page, target, in_site):
    assert site_hooks.target_in_site(page, target) == in_site


def test_code_and_addresses_stay_as_they_are():
    text = "[a](x.md) ![b](y.png) [c](https://example.org/z.md) [d](#here)\n```md\n[a](x.md)\n```\n[e](w.md)\n"
    changed = site_hooks.rewritten(text, lambda target: f"<{target}>")
    assert changed == (
        "[a](<x.md>) ![b](<y.png>) [c](https://example.org/z.md) [d](#here)\n```md\n[a](x.md)\n```\n[e](<w.md>)\n"
    )


def test_anchors_are_those_of_repository_pages():
    assert site_hooks.slug("`models.<name>`, make: Who's who – now?", "-") == "modelsname-make-whos-who--now"


def test_the_script_of_the_site_is_the_one_that_was_fetched():
    import vendor_web

    assert vendor_web.differences(vendor_web.SITE_FOLDER) == []
