"""The explorer in a real browser: tables, filters, addresses, keys, foreign texts, speed, and who can use it."""

import json
import random
import time
from types import SimpleNamespace

import pytest

pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
import explorer_cases as cases
from browsing import axe_text, chromium, find, leaves_the_page, requests
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select, WebDriverWait

from judgemerge.report import explorer

pytestmark = pytest.mark.slow
HOSTILE = (
    "<script>window.hostile=1</script><img src='http://127.0.0.1:9/x.png' onerror='window.hostile=1'>"
    "<svg onload=window.hostile=1></svg></script></style></textarea><!-- <![CDATA[ ${window.hostile=1} {{7*7}} ]]>"
    "<a href='javascript:window.hostile=1'>here</a>"
)
TURNED = "\u202eevil\u202c \u2066isolated\u2069 \ud83d alone"
LINE = "x" * 100_000


@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    """Return the page of a small study."""
    return written(tmp_path_factory.mktemp("explorer"), cases.study())


@pytest.fixture(autouse=True)
def no_errors(request):
    """Every page of every test is without errors, and without a request that leaves it."""
    yield
    if "browser" not in request.fixturenames:
        return
    browser = request.getfixturevalue("browser")
    assert [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []
    assert [address for address in requests(browser) if leaves_the_page(address)] == []


def written(folder, contents, limit=explorer.WHOLE):
    """Write a page and return its path."""
    path = folder / "explorer.html"
    path.write_text(explorer.fitting(contents, limit), encoding="utf-8")
    return path


def opened(browser, page, address=""):
    """Open the page at an address anew, and wait until it is drawn."""
    browser.get("about:blank")
    browser.get(page.as_uri() + address)
    find(browser, "//nav")


def until(browser, wanted, seconds=10):
    """Wait until a function of no arguments gives something true, and return it."""
    return WebDriverWait(browser, seconds, poll_frequency=0.02, ignored_exceptions=[WebDriverException]).until(
        lambda _: wanted()
    )


def column(browser, number):
    """Return the texts of a column of the table that is shown."""
    return browser.execute_script(
        "return [...document.querySelectorAll('main tbody tr')].map((row) => row.children[arguments[0]].innerText)",
        number,
    )


def count(browser):
    return find(browser, "//p[@id='found']").text


def heading(browser):
    return find(browser, "//h2").text


def press(browser, *keys):
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


# ---- tables ----


def test_judges_stand_side_by_side_with_the_best_marked(browser, page):
    opened(browser, page)
    cells = column(browser, 2)
    assert [cell.split("[")[0].strip() for cell in cells] == ["best0.900", "0.500", "=0.800", "0.123"]
    assert column(browser, 3) == ["1–2", "2–4", "1–3", "3–4"]
    find(browser, "//a[starts-with(., '0.500')]").click()
    until(browser, lambda: count(browser) == "4 of 6 items")
    assert Select(find(browser, "//select[@name='judge']")).first_selected_option.text == "small"


def test_a_table_sorts_and_filters(browser, page):
    opened(browser, page, "#:agreement")
    find(browser, "//th//button[starts-with(., 'value')]").click()
    assert column(browser, 4) == ["0.900", "0.800", "0.500", "0.123", ""]
    find(browser, "//th//button[starts-with(., 'value')]").click()
    assert column(browser, 4) == ["0.123", "0.500", "0.800", "0.900", ""]
    assert find(browser, "//th[starts-with(., 'value')]").get_attribute("aria-sort") == "ascending"
    find(browser, "//input[@aria-label='Filter by value']").send_keys("> .7")
    assert column(browser, 0) == ["gpt", "big"]
    find(browser, "//input[@aria-label='Filter by judge']").send_keys("gp")
    assert column(browser, 0) == ["gpt"]
    assert find(browser, "//span[@role='status']").text == "1 of 5 rows"
    find(browser, "//a[.='items']").click()
    until(browser, lambda: count(browser) == "4 of 6 items")


def test_the_tables_of_judges_are_there_without_javascript(page):
    with chromium(**{"profile.managed_default_content_settings.javascript": 2}) as plain:
        plain.get(page.as_uri())
        text = plain.find_element(By.TAG_NAME, "body").text
    assert "0.900 [0.800, 1.000] best rank 1–2" in text and "pairs" in text and "The big one" in text


# ---- items ----


@pytest.mark.parametrize(
    ("filters", "items"),
    [
        ({"outcome": "people_split"}, ["pair 1"]),
        ({"benchmark": "pairs", "outcome": "judges_split"}, ["pair 1", "pair 2", "pair 3"]),
        ({"judge": "big", "outcome": "flip"}, ["pair 1"]),
        ({"judge": "big", "outcome": "wrong"}, ["pair 1", "grade 1"]),
        ({"judge": "small", "outcome": "wrong_always"}, ["pair 1", "pair 2"]),
        ({"judge": "small", "outcome": "unreadable"}, ["pair 3"]),
        ({"judge": "big", "outcome": "right"}, ["pair 0", "pair 2", "pair 3", "grade 0"]),
        ({"benchmark": "pairs", "category": "tools"}, ["pair 1", "pair 3"]),
        ({"benchmark": "pairs", "gap_from": "10"}, ["pair 2"]),
        ({"text": "GREET"}, ["grade 0", "grade 1"]),
        ({"outcome": "constructor"}, []),
        ({"judge": "nobody"}, []),
    ],
)
def test_items_are_filtered(browser, page, filters, items):
    opened(browser, page, "#?" + "&".join(f"{name}={value}" for name, value in filters.items()))
    assert count(browser) == f"{len(items)} of 6 items"
    assert column(browser, 0) == items


def test_what_is_chosen_stands_in_the_address(browser, page):
    opened(browser, page, "#?")
    Select(find(browser, "//select[@name='benchmark']")).select_by_visible_text("pairs")
    Select(find(browser, "//select[@name='outcome']")).select_by_visible_text("orders flip")
    until(browser, lambda: count(browser) == "1 of 6 items")
    find(browser, "//input[@name='text']").send_keys("colour")
    assert until(browser, lambda: browser.current_url.rpartition("#")[2]) == "?benchmark=pairs&outcome=flip&text=colour"
    browser.back()
    until(browser, lambda: count(browser) == "4 of 6 items")


def test_an_item_shows_all_there_is(browser, page):
    opened(browser, page, "#pairs/pair%201/big")
    find(browser, "//h3[.='What the judges wrote']")
    text = find(browser, "//main").text
    for words in ("Name a colour.", "red", "a spoon", "annotator 0: first", "annotator 1: second", "GPT recorded"):
        assert words in text
    row = find(browser, "//tr[@aria-current='true']").text
    assert "The big one" in row and "wrong in one order, flips" in row and "Verdict second / Verdict first" in row
    assert "I think so. Verdict: pair 1, original" in text and "I think so. Verdict: pair 1, swapped" in text
    opened(browser, page, "#grades/grade%201")
    find(browser, "//h3[.='What the judges wrote']")
    text = find(browser, "//main").text
    assert "Good morning" in text and "Label: 5" in text and "verdicts alone" in text


def test_a_judge_may_say_how_sure_it_is(browser, tmp_path):
    contents = cases.study()
    pairs, grades = contents.benchmarks
    sure = [
        SimpleNamespace(**vars(verdict) | {"confidence": p, "probabilities": {"first": p, "second": 1 - p}})
        for verdict, p in zip(pairs.verdicts["big"], (0.9, 0.8, 0.6, 0.5, 0.95, 0.95, 0.7, 0.7), strict=True)
    ]
    pairs = pairs._replace(verdicts=dict(pairs.verdicts) | {"big": sure})
    page = written(tmp_path, contents._replace(benchmarks=[pairs, grades]))
    opened(browser, page, "#?judge=big")
    find(browser, "//input[@name='confidence_from']").send_keys(".84")
    until(browser, lambda: count(browser) == "2 of 6 items")
    assert column(browser, 0) == ["pair 0", "pair 2"]
    assert [cell.split()[-1] for cell in column(browser, 9)] == ["0.850", "0.950"]
    find(browser, "//a[@class='item']").click()
    find(browser, "//p[.='Probability: first 0.900, second 0.100']")


def test_an_address_without_an_item_says_so(browser, page):
    opened(browser, page, "#pairs/nowhere")
    assert "This page has no such item" in find(browser, "//p[@role='alert']").text
    opened(browser, page, "#%E0%A4%A/x")
    assert "This page has no such item" in find(browser, "//p[@role='alert']").text


def test_keys_step_through_what_the_filter_has_left(browser, page):
    opened(browser, page, "#?judge=small&outcome=wrong")
    press(browser, "j", "j", "k", "j", Keys.ENTER)
    until(browser, lambda: heading(browser) == "pairs, item pair 2")
    press(browser, "k")
    until(browser, lambda: heading(browser) == "pairs, item pair 1")
    assert find(browser, "//button[starts-with(., '←')]").get_attribute("disabled")
    press(browser, Keys.ARROW_RIGHT)
    until(browser, lambda: heading(browser) == "pairs, item pair 2")
    assert browser.current_url.endswith("#pairs/pair%202/small")
    assert browser.switch_to.active_element.tag_name == "h2"  # a screen reader says where it is
    press(browser, "u")
    until(browser, lambda: count(browser).startswith("2 of 6"))
    assert find(browser, "//tr[@aria-current='true']").text.startswith("pair 2")
    find(browser, "//input[@name='text']").send_keys("j")  # a letter in a text is no key
    assert until(browser, lambda: count(browser)) == "0 of 6 items"
    find(browser, "//button[.='Turn keys off']").click()
    find(browser, "//button[.='Show all']").click()
    until(browser, lambda: count(browser).startswith("6 of 6"))
    press(browser, "j")
    assert browser.switch_to.active_element.tag_name != "a"


# ---- foreign texts ----


def test_hostile_texts_are_shown_and_do_nothing(browser, tmp_path):
    items = [
        cases.pair(0, prompt=HOSTILE, first=HOSTILE, second=LINE, category=HOSTILE, models=(HOSTILE, TURNED)),
        cases.pair(1, prompt=TURNED, reference=HOSTILE, first=LINE + TURNED, extra={HOSTILE: TURNED}),
    ]
    table = cases.table("strange", ["judge", HOSTILE], [[HOSTILE, TURNED], [LINE, 1.5]], HOSTILE)
    contents = cases.study(items, HOSTILE + TURNED, [table], HOSTILE)
    page = written(tmp_path, contents._replace(judges=[one._replace(label=HOSTILE) for one in contents.judges]))
    for address in (
        "",
        "#?",
        "#?benchmark=pairs&judge=big",
        "#:strange",
        "#pairs/pair%200/big",
        "#pairs/pair%201",
        f"#{HOSTILE}",
    ):
        opened(browser, page, address)
        find(browser, "//main/*")
        time.sleep(0.1)
        assert not browser.execute_script("return Boolean(window.hostile)")
        assert (
            browser.execute_script("return document.querySelectorAll('img, svg, iframe, script:not([type])').length")
            == 1
        )
        width = browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= browser.execute_script("return window.innerWidth"), address
    opened(browser, page, "#pairs/pair%201")
    boxes = until(browser, lambda: [box.text for box in browser.find_elements(By.CLASS_NAME, "reading")])
    assert boxes[0] == "U+202EevilU+202C U+2066isolatedU+2069 \ufffd alone"
    assert boxes[1].startswith("x" * 1000) and HOSTILE in boxes[3]


@pytest.mark.parametrize(("block", "words"), [("block-0", "cannot be read"), ("index", "cannot be opened")])
def test_a_page_that_is_tampered_with_says_what_it_cannot_read(browser, page, tmp_path, block, words):
    text = page.read_text(encoding="utf-8")
    start = text.index(">", text.index(f'id="{block}"')) + 1
    broken = tmp_path / "broken.html"
    broken.write_text(text[:start] + "AAAA" + text[start + 4 :], encoding="utf-8")
    browser.get("about:blank")
    browser.get(broken.as_uri() + "#pairs/pair%200")
    assert words in find(browser, "//p[@role='alert']").text


def test_a_script_that_is_not_ours_does_not_run(browser, page, tmp_path):
    added = tmp_path / "added.html"
    words = "<script>window.hostile=1</script><img src='http://127.0.0.1:9/x.png'>"
    added.write_text(page.read_text(encoding="utf-8").replace("</body>", words + "</body>"), encoding="utf-8")
    opened(browser, added)
    assert not browser.execute_script("return Boolean(window.hostile)")
    refused = [entry["message"] for entry in browser.get_log("browser")]
    assert sum("Content Security Policy" in message for message in refused) == 2
    requests(browser)


# ---- size, speed, use ----


STEPS = (
    "#?benchmark=pairs&judge=big&outcome=flip",
    "#?benchmark=pairs&outcome=judges_split",
    "#?benchmark=pairs&category=tools&gap_from=100",
    "#?text=4999",
    "#?",
)
CHANGE = """
const [address, done] = arguments, found = () => document.querySelector("#found").textContent;
const before = found(), start = performance.now();
location.hash = address;
const seconds = () => (performance.now() - start) / 1000;
const look = () => (found() === before && seconds() < 5 ? setTimeout(look, 1)
  : requestAnimationFrame(() => setTimeout(() => done(seconds()))));
look();
"""


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """Return the page of 5,000 pairs with replies of about 700 characters in both orders of two judges."""
    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghijklmnopqrstuvwxyz", k=rng.randint(2, 9))) for _ in range(3000)]

    def text(n_words):
        return " ".join(rng.choices(words, k=n_words))

    items = [cases.pair(n, f"{n} {text(30)}", text(rng.randint(5, 120)), text(80)) for n in range(5000)]
    contents = cases.study(items)
    (pairs, grades) = contents.benchmarks
    written_by = {
        judge: [reply._replace(reply=text(110)) for reply in replies] for judge, replies in pairs.replies.items()
    }
    benchmarks = [pairs._replace(replies=written_by), grades]
    return written(tmp_path_factory.mktemp("large"), contents._replace(benchmarks=benchmarks))


def test_five_thousand_items_are_filtered_in_less_than_a_second(browser, large):
    assert large.stat().st_size < 20_000_000
    opened(browser, large, "#?benchmark=grades")
    rounds = [[browser.execute_async_script(CHANGE, step) for step in STEPS] for _ in range(2)]
    seconds = max(map(min, zip(*rounds, strict=True)))  # other tests run beside this one
    print(f"{large.stat().st_size / 1e6:.1f} MB, filtered in {seconds:.2f} s at most")
    assert count(browser) == "5002 of 5002 items"
    assert seconds < 1
    start = time.perf_counter()
    opened(browser, large, "#pairs/pair%204999/big")
    find(browser, "//h3[.='What the judges wrote']")
    print(f"opened at an item in {time.perf_counter() - start:.2f} s")


@pytest.fixture(scope="session")
def axe(tmp_path_factory):
    """Return the text of axe-core, or skip where npm cannot fetch it."""
    return axe_text(tmp_path_factory.mktemp("axe"))


@pytest.mark.parametrize(
    "address", ["", "#:comparisons", "#?", "#?benchmark=pairs&judge=small&outcome=wrong", "#pairs/pair%201/big"]
)
def test_everybody_can_use_it(browser, page, axe, address):
    opened(browser, page, address)
    if address.startswith("#pairs"):
        find(browser, "//h3[.='What the judges wrote']")
    browser.execute_script(axe)
    found = browser.execute_async_script("axe.run(document).then(arguments[arguments.length - 1])")
    words = [
        f"{one['id']} ({one['impact']}): {json.dumps([node['html'][:150] for node in one['nodes'][:3]])}"
        for one in found["violations"]
    ]
    print("\n".join(words))
    assert [one for one in found["violations"] if one["impact"] in ("serious", "critical")] == []
    assert len(found["passes"]) > 15
