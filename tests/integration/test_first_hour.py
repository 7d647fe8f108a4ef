"""The way of docs/first_hour.md in a real browser: from the first page to disagreements, item by item.

JUDGEMERGE_SCREENSHOTS=<folder> keeps pictures of the pages; of the demo where there is a finished one, else of a small
study.
"""

import os
from pathlib import Path

import pytest

pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
import explorer_cases as cases
import label_cases
from browsing import chromium, find, leaves_the_page, requests
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

from judgemerge.report import explorer, first_page
from judgemerge.report.addresses import Linked
from judgemerge.report.first_page import FirstPage, Picture
from judgemerge.report.table import Finding

pytestmark = pytest.mark.slow
SVG = (
    "<svg xmlns='http://www.w3.org/2000/svg' width='700' height='1400'>"
    "<rect width='700' height='1400' fill='#dde'/><text x='20' y='60'>a tall figure of many judges</text></svg>"
)


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def study(tmp_path_factory, repository):
    """Return the folder of a study with many benchmarks, or of the demo where pictures of it are wanted."""
    demo = repository / "results" / "demo"
    if "JUDGEMERGE_SCREENSHOTS" in os.environ and (demo / "index.html").exists():
        return demo
    folder = tmp_path_factory.mktemp("study")
    contents = cases.study(items=[cases.pair(number, truth=("first", "second")[number % 2]) for number in range(40)])
    (folder / "explorer.html").write_text(explorer.fitting(contents, explorer.WHOLE), encoding="utf-8")
    (folder / "figures").mkdir()
    (folder / "figures" / "tall.svg").write_text(SVG, encoding="utf-8")
    lines = [[Linked("pairs", "pairs"), Linked("The big one 0.900", "pairs", "The big one")]]
    lines += [[f"set_{number}", "The big one 0.500"] for number in range(40)]
    findings = [
        Finding(f"Question {number}", [f"Sentence {n} of {number}." for n in range(20)], ["benchmark", "best"], lines)
        for number in range(9)
    ]
    pictures = [Picture(f"Figure {number}", "A caption.", "figures/tall.svg", "agreement") for number in range(3)]
    explored = [("big", "pairs"), ("small", "pairs")]
    page = FirstPage(
        "study",
        "Nine questions on forty benchmarks.",
        findings,
        pictures,
        ["This was not run."] * 9,
        {"Explorer: every item": "explorer.html"},
        {},
        first_page.addresses_of(explored, {"big": "The big one"}),
    )
    (folder / "index.html").write_text(first_page.html_page(page, folder), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def keep(tmp_path_factory):
    """Return a function that keeps a picture of what the browser shows, and checks that there is something."""
    folder = Path(os.environ.get("JUDGEMERGE_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)

    def save(browser, name):
        path = folder / f"{name}.png"
        assert browser.save_screenshot(str(path)) and path.stat().st_size > 10_000

    return save


@pytest.fixture(autouse=True)
def no_errors(browser):
    """Every page is without errors, and without a request that leaves it."""
    yield
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert [address for address in requests(browser) if leaves_the_page(address)] == []


def test_the_answer_is_on_the_first_screen(browser, study, keep):
    browser.get((study / "index.html").as_uri())
    height = browser.execute_script("return window.innerHeight")
    in_sight = [
        *browser.find_elements(By.CSS_SELECTOR, "ul:first-of-type > li"),
        find(browser, "//div[@role='region'][img]"),
    ]
    in_sight.append(find(browser, "//a[@href='explorer.html']"))
    shown = [one for one in in_sight if one.is_displayed()]
    assert len(shown) >= 4 and all(one.rect["y"] + one.rect["height"] <= height for one in shown)
    assert browser.execute_script("return document.body.scrollHeight") < 2 * height  # whatever there is besides
    keep(browser, "first_page")


def test_a_value_leads_to_the_items_behind_it_and_keys_from_one_to_the_next(browser, study, keep):
    browser.get((study / "index.html").as_uri())
    find(browser, "//summary").click()
    value = find(browser, "//details[@open]//td/a[contains(@href, '&judge=')]")
    assert value.is_displayed()
    value.click()
    find(browser, "//p[@id='found']")
    n_all = int(find(browser, "//p[@id='found']").text.split()[0])
    Select(find(browser, "//select[@name='outcome']")).select_by_visible_text("judge wrong")
    find(browser, f"//p[@id='found'][not(starts-with(., '{n_all} of'))]")
    keep(browser, "disagreements")
    find(browser, "//a[@class='item']").click()
    find(browser, "//h3[.='Verdicts of judges']")
    first = browser.current_url
    keep(browser, "explorer")
    read = {first}
    while len(read) < 10:  # ten disagreements
        find(browser, "//body").send_keys("j")
        browser.execute_async_script("requestAnimationFrame(() => requestAnimationFrame(arguments[0]))")
        assert browser.current_url not in read
        read.add(browser.current_url)
    find(browser, "//body").send_keys(Keys.ESCAPE, "u")
    find(browser, "//p[@id='found']")


def test_the_caption_of_a_figure_leads_to_its_table(browser, study):
    browser.get((study / "index.html").as_uri())
    find(browser, "//p/a[contains(@href, 'explorer.html#:')]").click()
    assert find(browser, "//main//h2[.!='']").text


def test_labelling_shows_an_item_and_its_keys(browser, tmp_path, keep):
    """tests/integration/test_labelling.py labels all thirty; here somebody looks at the page."""
    with label_cases.serving(label_cases.open_part(tmp_path, 30).desk) as server:
        browser.get(f"{server.address.url}&who=anna")
        find(browser, "//h2[.='Number 1 of 30']")
        keep(browser, "labelling")
        asked = requests(browser)
        assert [address for address in asked if not address.startswith("http://127.0.0.1:")] == []
        browser.get("about:blank")
