"""The documentation, built as a site: no warning, search without a server, and nothing asked for from outside."""

import re
import subprocess
from pathlib import Path

import pytest

pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
from browsing import chromium, find, leaves_the_page, requests
from selenium.webdriver.common.by import By

pytestmark = pytest.mark.slow
# What a browser fetches by itself, not what a reader may follow.
FETCHED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*\bsrc=[\"']?([^\"' >]+)|<link\b[^>]*\bhref=[\"']?([^\"' >]+)"
)


@pytest.fixture(scope="module")
def site(repository, tmp_path_factory):
    """Return the folder of the site."""
    program = repository / ".venv-site" / "bin" / "mkdocs"
    if not program.exists():
        pytest.skip("needs the environment of the site (make venv-site)")
    folder = tmp_path_factory.mktemp("site")
    command = [program, "build", "--strict", "--quiet", "--site-dir", folder]
    done = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_page_is_there_and_fetches_nothing_from_outside(site):
    pages = sorted(site.rglob("*.html"))
    names = {page.relative_to(site).as_posix() for page in pages}
    assert {
        "index.html",
        "glossary.html",
        "configuration.html",
        "studies/replay.html",
        "measurements/power.html",
    } <= names
    for page in pages:
        for targets in FETCHED.findall(page.read_text(encoding="utf-8")):
            assert not re.match(r"(https?:)?//", "".join(targets)), page
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text(encoding="utf-8")), style


def test_the_search_finds_a_page_without_a_server(site):
    with chromium() as browser:
        browser.get((site / "index.html").as_uri())
        assert "from one study file" in find(browser, "//article").text.lower()
        field = browser.find_element(By.CSS_SELECTOR, "input[name=query]")
        browser.execute_script("arguments[0].focus()", field)
        field.send_keys("alternative annotator")
        items = "//li[contains(@class, 'md-search-result__item')]//a"
        find(browser, items)
        addresses = [link.get_attribute("href") for link in browser.find_elements(By.XPATH, items)]
        assert "replaceability.html" in {Path(re.split("[?#]", address)[0]).name for address in addresses}
        assert [address for address in requests(browser) if leaves_the_page(address)] == []
        assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
