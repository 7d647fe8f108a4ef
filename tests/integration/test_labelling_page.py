"""The page of labelling in a real browser: keys, undo, pauses, an absent desk, foreign texts, and who can use it."""

import json
import time

import pytest

pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
from browsing import axe_text, chromium, find, requests
from label_cases import MODELS, item, open_part, serving
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from test_explorer import HOSTILE, LINE, TURNED

pytestmark = pytest.mark.slow
SHOWN = """
return {
  heading: (document.querySelector("h2") ?? document.querySelector("h1"))?.innerText ?? "",
  question: document.querySelector(".before .reading")?.innerText ?? "",
  answers: [...document.querySelectorAll(".answers .reading")].map((box) => box.innerText),
  said: document.querySelector(".said")?.innerText ?? "",
  alert: document.querySelector("[role=alert]")?.innerText ?? "",
  ready: Boolean(document.querySelector("button.say:enabled")) || document.body.innerText.includes("Thank you"),
};
"""


@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture(autouse=True)
def nothing_leaves(request):
    """No page of any test runs into an error, or asks another address than that of its desk."""
    yield
    if "browser" not in request.fixturenames:
        return
    browser = request.getfixturevalue("browser")
    assert [entry["message"] for entry in browser.get_log("browser") if "Content Security" in entry["message"]] == []
    allowed = ("http://127.0.0.1:", "data:", "about:")
    assert [address for address in requests(browser) if not address.startswith(allowed)] == []


def until(browser, wanted, seconds=20):
    """Wait until what the page shows is as wanted, and return it."""
    end = time.monotonic() + seconds
    while not wanted(shown := browser.execute_script(SHOWN)):
        assert time.monotonic() < end, shown
        time.sleep(0.01)
    return shown


def number(n, total):
    return lambda shown: shown["ready"] and shown["heading"] == f"Number {n} of {total}"


def opened(browser, server, who=None):
    """Open the page anew, as somebody where a name is given."""
    browser.get("about:blank")
    browser.get(server.address.url + (f"&who={who}" if who else ""))


def press(browser, *keys):
    for key in keys:
        browser.switch_to.active_element.send_keys(key)


def say(browser, words):
    find(browser, f"//button[@class='say' and contains(., '{words}')]").click()


def test_labelling_takes_nothing_but_a_keyboard(browser, tmp_path):
    part = open_part(tmp_path, 4)
    with serving(part.desk) as server:
        opened(browser, server)
        find(browser, "//input[@name='who']")
        press(browser, Keys.TAB, "p", "u", "1", Keys.ENTER)  # in a text these are letters
        until(browser, number(1, 4))
        assert browser.switch_to.active_element.tag_name == "h2"  # a screen reader says where it is
        time.sleep(0.3)
        press(browser, "1")
        assert until(browser, number(2, 4))["said"] == "Kept: A is better. Now number 2 of 4."
        press(browser, "p")
        until(browser, lambda shown: shown["heading"].startswith("Paused. 1 of 4"))
        assert not browser.find_elements(By.CLASS_NAME, "reading")
        press(browser, "2", "p")
        second = until(browser, number(2, 4))["answers"]
        press(browser, "l")
        third = until(browser, lambda shown: shown["ready"] and shown["answers"] != second)["answers"]
        time.sleep(0.3)
        press(browser, "3")
        until(browser, number(3, 4))
        press(browser, "u")
        assert until(browser, number(2, 4))["answers"] == third
        time.sleep(0.3)
        press(browser, "2")
        until(browser, number(3, 4))
        time.sleep(0.3)
        press(browser, "3")
        assert until(browser, number(4, 4))["answers"] == second  # what was put off comes last
        find(browser, "//button[.='Turn keys off']").click()
        press(browser, "1")
        time.sleep(0.3)
        assert len(part.desk.votes.votes()) == 3
        say(browser, "A is better")
        until(browser, lambda shown: shown["heading"].startswith("Thank you. All 4"))
        press(browser, "u")
        find(browser, "//button[contains(., 'Undo the last one')]").click()
        assert until(browser, number(4, 4))["answers"] == second
    votes = part.desk.votes.votes()
    assert [vote.annotator for vote in votes] == ["pu1"] * 3
    shown_left = ["second" if vote.turned else "first" for vote in votes]
    assert votes[0].vote == shown_left[0] and votes[1].vote not in (shown_left[1], "tie") and votes[2].vote == "tie"
    assert all(0 < vote.seconds < 60 for vote in votes)


def test_nothing_is_lost_while_the_desk_is_away(browser, tmp_path):
    part = open_part(tmp_path, 3)
    with serving(part.desk) as server:
        opened(browser, server, "anna")
        until(browser, number(1, 3))
        address = server.address
    say(browser, "Equally good")
    until(browser, lambda shown: shown["alert"].startswith("Not kept yet: the desk does not answer"))
    assert not part.path.exists()
    with serving(open_part(tmp_path, 3).desk, address) as server:
        until(browser, number(2, 3))
        assert [vote.vote for vote in server.desk.votes.votes()] == ["tie"]
    say(browser, "Equally good")
    until(browser, lambda shown: shown["alert"].startswith("Not kept yet"))
    browser.get("about:blank")  # the window is closed before the desk is back
    with serving(open_part(tmp_path, 3).desk, address) as server:
        browser.get(server.address.url + "&who=Anna")
        until(browser, number(3, 3))
        assert [vote.vote for vote in server.desk.votes.votes()] == ["tie", "tie"]
        browser.refresh()
        until(browser, number(3, 3))
        server.desk.vote("anna", server.desk.state("anna")["left"][0], "left")  # in another window
        say(browser, "B is better")
        until(browser, lambda shown: shown["heading"].startswith("Thank you"))
        assert "another page of yours said something else" in browser.find_element(By.CLASS_NAME, "said").text


def test_an_address_that_is_not_right_says_so(browser, tmp_path):
    part = open_part(tmp_path, 3)
    with serving(part.desk) as server:
        browser.get(f"http://127.0.0.1:{server.address.port}/")
        until(browser, lambda shown: "the key is wrong" in shown["alert"])
        opened(browser, server, "%E2%80%AEevil")
        until(browser, lambda shown: "a name has 1 to 60 letters" in shown["alert"])
        find(browser, "//button[.='Back to the start']").click()
        find(browser, "//input[@name='who']")


def test_foreign_texts_are_shown_and_do_nothing(browser, tmp_path):
    items = [
        item(0, turns=(HOSTILE,), responses=((HOSTILE,), (LINE,)), reference=HOSTILE),
        item(
            1, turns=(TURNED, HOSTILE), responses=(("one", LINE + TURNED), (HOSTILE, "two")), extra={"rubric": HOSTILE}
        ),
    ]
    part = open_part(tmp_path, 2, items=items, question="Which? " + HOSTILE)
    with serving(part.desk) as server:
        opened(browser, server, "%3Cscript%3Ewindow.hostile=1%3C/script%3E")
        texts = []
        for place in (1, 2):
            until(browser, number(place, 2))
            texts += [box.text for box in browser.find_elements(By.CLASS_NAME, "reading")]
            assert not browser.execute_script("return Boolean(window.hostile)")
            assert (
                browser.execute_script("return document.querySelectorAll('img, svg, iframe, main script').length") == 0
            )
            width = browser.execute_script("return document.documentElement.scrollWidth")
            assert width <= browser.execute_script("return window.innerWidth")
            source = browser.page_source
            assert not [word for word in (*MODELS, "cluster-", "telling-", "earlier-annotator") if word in source]
            say(browser, "Equally good")
        assert "U+202EevilU+202C U+2066isolatedU+2069 \ufffd alone" in texts and HOSTILE in texts
        assert any(text.startswith("x" * 1000) for text in texts)
        until(browser, lambda shown: shown["heading"] == "Thank you. All 2 are labelled and kept.")


TWICE = """
const [isKey, done] = arguments, button = document.querySelector("button.say");
const act = (detail) => (isKey ? document.body.dispatchEvent(new KeyboardEvent("keydown", { bubbles: true, key: "1" }))
  : button.dispatchEvent(new MouseEvent("click", { bubbles: true, detail })));
const before = document.querySelector("h2").innerText;
const wait = () => {
  if (document.querySelector("h2").innerText === before || button.disabled) return setTimeout(wait, 1);
  act(2);
  return setTimeout(done, 300);
};
act(1);
wait();
"""


@pytest.mark.parametrize("is_key", [True, False])
def test_what_is_pressed_twice_in_haste_is_one_vote(browser, tmp_path, is_key):
    part = open_part(tmp_path, 3)
    with serving(part.desk) as server:
        opened(browser, server, "anna")
        until(browser, number(1, 3))
        time.sleep(0.3)
        browser.execute_async_script(TWICE, is_key)
        until(browser, number(2, 3))
    assert len(part.desk.votes.votes()) == 1


def test_grades_have_keys_too(browser, tmp_path):
    part = open_part(tmp_path, 3, "pointwise", question="How good is the answer?")
    with serving(part.desk) as server:
        opened(browser, server, "anna")
        until(browser, number(1, 3))
        assert [button.text.strip() for button in browser.find_elements(By.CLASS_NAME, "say")] == [
            "1",
            "2",
            "3",
            "4",
            "5",
        ]
        time.sleep(0.3)
        press(browser, "4")
        assert until(browser, number(2, 3))["said"].startswith("Kept: 4.")
        time.sleep(0.3)
        press(browser, "7", "2")
        until(browser, number(3, 3))
    assert [vote.vote for vote in part.desk.votes.votes()] == [4, 2]


@pytest.fixture(scope="module")
def axe(tmp_path_factory):
    """Return the text of axe-core, or skip where npm cannot fetch it."""
    return axe_text(tmp_path_factory.mktemp("axe"))


def test_everybody_can_use_it(browser, axe, tmp_path):
    reference = [item(number, reference="A reference.") for number in range(6)]
    part = open_part(tmp_path, 6, items=reference)
    for who in ("ben", "carla"):
        for label in part.desk.order(who):
            part.desk.vote(who, label, "left" if label % 2 else "tie")
    views = {}
    with serving(part.desk) as server:
        opened(browser, server)
        find(browser, "//input[@name='who']")
        views["start"] = violations(browser, axe)
        opened(browser, server, "anna")
        until(browser, number(1, 6))
        views["item"] = violations(browser, axe)
        find(browser, "//button[contains(., 'Pause')]").click()
        views["paused"] = violations(browser, axe)
        opened(browser, server, "ben")
        find(browser, "//td[.='kappa']")
        views["end"] = violations(browser, axe)
        browser.set_window_size(400, 900)
        opened(browser, server, "anna")
        until(browser, number(1, 6))
        assert browser.execute_script("return document.documentElement.scrollWidth") <= 400
        browser.set_window_size(1500, 1000)
    assert views == dict.fromkeys(views, [])


def violations(browser, axe):
    """Return what axe-core finds that is serious or critical, in words."""
    browser.execute_script(axe)
    told = browser.execute_async_script("axe.run(document).then(arguments[arguments.length - 1])")
    assert len(told["passes"]) > 10
    serious = [one for one in told["violations"] if one["impact"] in ("serious", "critical")]
    return [f"{one['id']}: {json.dumps([node['html'][:150] for node in one['nodes'][:3]])}" for one in serious]
