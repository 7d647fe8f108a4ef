"""The report in a real browser: every figure and table opens with its caption, and nothing is loaded from outside."""

import csv

import pytest

webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
from browsing import chromium, find, leaves_the_page, requests  # noqa: E402
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

FIGURES = {
    "Accuracy by judge and benchmark": "Accuracy against the human label",
    "Position consistency and accuracy": "Position consistency (the same verdict when the two responses change places)",
    "Direct assessment: rank correlation by judge": "rank correlation between a judge's grade and the human grade",
    "Paired differences from the best judge": "How far each judge is from the best judge of the benchmark",
    "Human–human and human–judge agreement": "agreement with the majority of the other annotators",
    "Position bias": "the share won by the answer shown first, minus one half",
    "May the judge replace people?": "Advantage ρ of each judge",
    "Length bias": "those whose better answer is the shorter one",
}
TABLES = {
    "Judge–human agreement": "Every metric of every judge on every benchmark",
    "Paired comparisons of judges": "p after Holm's correction",
    "Human–human and human–judge agreement": "Krippendorff's alpha among annotators and with each judge added",
    "Judge biases: position, length, self-preference": "Influences on verdicts other than quality",
    "May the judge replace people?": "the answer in one sentence, the alternative annotator test behind it",
    "Item sets": "What each item set holds",
}


@pytest.fixture(scope="module")
def report(finished):
    """Return the report of the finished study of baselines."""
    process = finished.run("--report", "results/few/report.html", "--configfile", "few.yaml")
    assert process.returncode == 0, process.stderr
    return finished.folder / "results" / "few" / "report.html"


@pytest.fixture(scope="module")
def browser(report):
    """Return a headless Chromium with a fresh profile that records every request."""
    with chromium() as started:
        yield started


def text(browser):
    return " ".join(browser.find_element(By.TAG_NAME, "body").text.split())


def press_through(browser, report, buttons, wanted):
    """Load the report, press each button once and return what is wanted then (XPaths).

    A press while the page is drawn anew is lost, and a second one may come too late and press something else: what was
    lost is begun again with a page loaded anew, and more time.
    """
    for seconds in (4, 8, 16, 32, 64):
        browser.get(report.as_uri())
        try:
            for button in buttons:
                find(browser, button, seconds).click()
            return find(browser, wanted, seconds)
        except WebDriverException as error:
            lost = error
    raise lost


VIEW, TELL = 1, 2
IMAGE = "//div[contains(@class, 'p-3')]/img"
DESCRIPTION = "//*[normalize-space()='Description' or normalize-space()='DESCRIPTION']"


def open_category(browser, report, category):
    return press_through(browser, report, [f"//a[normalize-space()='{category}']"], "//td")


def open_result(browser, report, category, label, button, wanted):
    """Press one of a result's buttons, VIEW or TELL, and return what it shows."""
    row = f"//tr[td[normalize-space()='{label}']]"
    return press_through(browser, report, [f"//a[normalize-space()='{category}']", f"({row}//a)[{button}]"], wanted)


def test_the_first_page_names_the_study(browser, report):
    browser.get(report.as_uri())
    find(browser, "//a[normalize-space()='Tables']")
    assert "few – Baselines alone" in text(browser)
    assert "How well each judge agrees with human annotators" in text(browser)


@pytest.mark.parametrize(("category", "captions"), [("Figures", FIGURES), ("Tables", TABLES)])
def test_every_result_is_listed(browser, report, category, captions):
    open_category(browser, report, category)
    cells = [cell.text for cell in browser.find_elements(By.TAG_NAME, "td")]
    assert sorted(filter(None, cells)) == sorted(captions)


@pytest.mark.parametrize(("label", "caption"), FIGURES.items(), ids=FIGURES)
def test_a_figure_opens_with_its_caption(browser, report, label, caption):
    image = open_result(browser, report, "Figures", label, VIEW, IMAGE)
    WebDriverWait(browser, 60).until(lambda _: image.get_property("complete"))
    assert image.get_property("naturalWidth") > 100 and image.get_property("naturalHeight") > 100
    open_result(browser, report, "Figures", label, TELL, DESCRIPTION)
    assert caption in text(browser)


@pytest.mark.parametrize(("label", "caption"), TABLES.items(), ids=TABLES)
def test_a_table_opens_with_its_caption(browser, report, label, caption):
    open_result(browser, report, "Tables", label, TELL, DESCRIPTION)
    assert caption in text(browser)
    browser.switch_to.frame(open_result(browser, report, "Tables", label, VIEW, "//iframe"))
    find(browser, "//table//td")
    shown = text(browser)
    browser.switch_to.default_content()
    assert "demo_pairwise" in shown and "demo_pointwise" in shown


def test_the_table_shows_the_numbers_of_the_csv(browser, report):
    with open(report.parent / "tables" / "agreement.csv", encoding="utf-8", newline="") as file:
        cells = {(each["judge"], each["benchmark"], each["metric"]): each for each in csv.DictReader(file)}
    accuracy = cells["longer", "demo_pairwise", "accuracy"]
    browser.switch_to.frame(open_result(browser, report, "Tables", "Judge–human agreement", VIEW, "//iframe"))
    line = find(browser, "//h2[starts-with(., 'demo_pairwise')]/following-sibling::div[1]//tr[td[1]='longer']").text
    browser.switch_to.default_content()
    value, low, high = (float(accuracy[key]) for key in ("value", "ci_low", "ci_high"))
    assert f"{value:.3f} [{low:.3f}, {high:.3f}]" in line


def test_the_explorer_works_inside_of_the_report_and_beside_it(browser, report):
    browser.switch_to.frame(open_result(browser, report, "Explorer", "Explorer", VIEW, "//iframe"))
    find(browser, "//nav/a[.='Items']").click()
    find(browser, "//p[@id='found']")
    find(browser, "//a[@class='item']").click()
    assert "Verdicts of judges" in find(browser, "//main[.//h3[.='Verdicts of judges']]").text
    browser.switch_to.default_content()
    beside = report.with_name("explorer.html")
    browser.get(beside.as_uri() + "#?benchmark=demo_pairwise&judge=longer")
    assert find(browser, "//p[@id='found']").text.startswith("300 of 600 items")
    assert "[Explorer" in report.with_name("README.md").read_text(encoding="utf-8")


def test_no_request_leaves_the_page(browser, report):
    for category, captions in (("Figures", FIGURES), ("Tables", TABLES)):
        for label in captions:
            open_result(browser, report, category, label, VIEW, IMAGE if category == "Figures" else "//iframe")
    browser.get(report.as_uri())
    for entry in ("Workflow", "Statistics", "About"):
        find(browser, f"//a[normalize-space()='{entry}']").click()
    asked = requests(browser)  # of the tests above, too
    assert sum(address == report.as_uri() for address in asked) >= 6
    assert [address for address in asked if leaves_the_page(address)] == []
    severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
    assert severe == []


def test_a_request_that_leaves_would_be_seen(browser, tmp_path):
    page = tmp_path / "page.html"
    page.write_text("<img src='http://127.0.0.1:9/pixel.png'>", encoding="utf-8")
    browser.get(page.as_uri())
    assert [address for address in requests(browser) if leaves_the_page(address)] == ["http://127.0.0.1:9/pixel.png"]
