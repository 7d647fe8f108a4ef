"""The web page in a real browser: verdicts of both orders, scores and feedback; what a model writes is never run."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import contextmanager

import pytest
from endpoint_server import Answer, reply, serving

pytest.importorskip("streamlit", reason="needs streamlit (make venv-page)")
webdriver = pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
from selenium.common.exceptions import WebDriverException  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

pytestmark = pytest.mark.slow
FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
ATTACK = (
    "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    "<iframe srcdoc='<script>parent.hacked = 3</script>'></iframe>"
    "![leak](http://127.0.0.1:9/leak.png) [click](javascript:window.hacked=4) **bold** $\\href{x}{y}$ :red[red]\n"
)


@contextmanager
def running(repository, *arguments):
    """Yield the address of the page, started as a person starts it."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [
        sys.executable,
        str(repository / "scripts" / "commands" / "judge_page.py"),
        "--port",
        str(port),
        *arguments,
    ]
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"HOME": home, "OMP_NUM_THREADS": "1"}
        process = subprocess.Popen(
            command, cwd=repository, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        try:
            for _ in range(240):
                assert process.poll() is None, process.stderr.read()
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/_stcore/health", timeout=2).close()
                    break
                except OSError:
                    time.sleep(0.25)
            yield f"http://127.0.0.1:{port}/"
        finally:
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


@pytest.fixture(scope="module")
def browser():
    """Return a headless Chromium with a fresh profile that records every request."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"performance": "ALL"})
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, "--window-size=1500,1800", f"--user-data-dir={profile}"):
            options.add_argument(flag)
        started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            yield started
        finally:
            started.quit()


def hosts(browser):
    """Return the hosts of all requests since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    asked += [event["params"]["url"] for event in events if event["method"] == "Network.webSocketCreated"]
    return {match[1] for url in asked if (match := re.match(r"(?:https?|wss?)://([^/]+)", url))}


def waiting(browser, seconds=60):
    return WebDriverWait(browser, seconds, ignored_exceptions=[WebDriverException])


def fill(browser, label, text):
    """Type into the field with this label, again where the page was drawn anew meanwhile."""

    def typed(browser):
        field = browser.find_element(By.CSS_SELECTOR, f"textarea[aria-label='{label}']")
        field.send_keys(Keys.CONTROL, "a")
        field.send_keys(Keys.CONTROL, Keys.NULL)
        field.send_keys(text)
        return field.get_property("value") == text

    waiting(browser).until(typed)


def click(browser, xpath):
    """Press what is there, again where the page was drawn anew between finding and pressing."""
    waiting(browser).until(lambda b: b.find_element(By.XPATH, xpath).click() is None)


def press(browser):
    click(browser, "//button[.//p[normalize-space()='Judge']]")


def until_shown(browser, text):
    """Return the plain texts on the page, in their order, once one of them has this one (or matches this pattern)."""
    where = "[data-testid='stCode'] code, [data-testid='stText']"
    pattern = text if isinstance(text, re.Pattern) else re.compile(re.escape(text))

    def there(browser):
        texts = [element.text for element in browser.find_elements(By.CSS_SELECTOR, where)]
        return any(map(pattern.search, texts)) and texts

    return waiting(browser).until(there)


def test_the_verdict_in_both_orders_and_a_hostile_reply(browser, repository):
    def by_place(body, n):
        text = body["messages"][-1]["content"]
        return reply(ATTACK + f"Verdict: {'A' if text.index('GOOD') < text.index('BAD') else 'B'}")

    arguments = ("--name", "m", "--prompt", "plain_pairwise", "plain_pointwise")
    with serving(by_place) as server, running(repository, "--model", server.url, *arguments) as address:
        hosts(browser)
        browser.get(address)
        fill(browser, "Question", "Which?")
        fill(browser, "Answer A", "GOOD")
        press(browser)
        until_shown(browser, "Fill in: Answer B")
        fill(browser, "Answer B", "BAD")
        press(browser)
        texts = until_shown(browser, "In both orders answer A is better")
        assert texts.count("answer A is better") == 2
        feedback = [text for text in texts if "hacked" in text]
        assert len(feedback) == 2 and all(ATTACK.strip() in text for text in feedback)  # every letter, as it is
        time.sleep(1)
        assert browser.execute_script("return window.hacked") is None
        inside = "document.querySelector('[data-testid=stMain]')"
        for tag in ("script", "img", "iframe", "a[href^=javascript]", "strong"):
            assert browser.execute_script(f"return {inside}.querySelectorAll('{tag}').length") == 0, tag
        assert hosts(browser) == {address.split("/")[2]}

        server.answer = lambda body, n: reply("Verdict: A")  # always the one shown first
        press(browser)
        until_shown(browser, "No verdict: it changes with the order of the answers")
        server.answer = lambda body, n: Answer(b"<b>no</b>", 401)
        press(browser)
        until_shown(browser, "Not judged: m at 127.0.0.1: HTTP 401, access is refused")


def test_a_score_with_its_dimensions(browser, repository, tmp_path):
    prompt = tmp_path / "graded.yaml"
    prompt.write_text(
        "protocol: pointwise\nuser: 'Grade {response} to {prompt} by {rubric} and {reference}'\nfields: [rubric]\n"
        "reply: {format: overall_score, minimum: 1, maximum: 10}\n"
        "target: '###Overall Score: {{score}}'\nmax_new_tokens: 99\n"
    )
    text = (
        "@@@Dimension Scores: {'Accuracy': 8, '<img src=x onerror=window.hacked=5>': 6, 'Overall Score': 7}"
        "###Overall Score: {7}&&&Detailed Evaluation Feedback: {Short.}***"
    )
    arguments = ("--name", "m", "--prompt", str(prompt))
    with (
        serving(lambda body, n: reply(text)) as server,
        running(repository, "--model", server.url, *arguments) as address,
    ):
        browser.get(address)
        for label in ("Question", "Answer", "Rubric"):
            fill(browser, label, f"my {label}")
        press(browser)
        until_shown(browser, "No score (no_reference)")
        fill(browser, "Reference", "my Reference")
        press(browser)
        until_shown(browser, "Score: 7")
        until_shown(browser, "Accuracy: 8\n<img src=x onerror=window.hacked=5>: 6\nOverall: 7")
        until_shown(browser, "Short.")
        assert browser.execute_script("return window.hacked") is None
    assert server.bodies[0]["messages"][-1]["content"] == "Grade my Answer to my Question by my Rubric and my Reference"


def test_a_model_folder(browser, repository, tiny_models):
    arguments = ("--model", str(tiny_models["base"]), "--threads", "1", "--prompt", "brief_pointwise")
    with running(repository, *arguments) as address:
        browser.get(address)
        fill(browser, "Question", "How many legs has a cat?")
        fill(browser, "Answer", "Four.")
        press(browser)
        texts = until_shown(browser, "No score (cut)")  # an untrained model does not stop
        assert any(text and "score" not in text for text in texts)


# ---- a list, and a chat: the whole way ----

ROWS = [
    {"id": 1, "question_body": "one?", "answer1_body": "GOOD", "answer2_body": "BAD", "category": "math", "label": "A"},
    {"id": 2, "question_body": "two?", "answer1_body": "BAD", "answer2_body": "GOOD", "category": "coding"},
    {"id": 3, "question_body": "three?", "answer1_body": "GOOD"},
]


def judged_or_said(body, n):
    """Judge pairs by their words in MELD's form, answer everything else as an attack; word by word."""
    text = body["messages"][-1]["content"]
    if "Answer A" in text:
        a, b = (8, 3) if text.index("GOOD") < text.index("BAD") else (3, 8)
        said = (
            f"@@@{{response A: Scores per dimension: ['<b>Depth</b>': {a}, 'Overall Score': {a}]}}"
            f"@@@{{response B: Scores per dimension: ['<b>Depth</b>': {b}, 'Overall Score': {b}]}}"
            f"###Final Result: {{{'A' if a > b else 'B'}}}&&&Detailed Evaluation Feedback: {{{ATTACK}}}***"
        )
    else:
        said = ATTACK
    events = [{"choices": [{"delta": {"content": word}}]} for word in re.findall(r"\s*\S+", said)]
    events.append({"choices": [{"delta": {}, "finish_reason": "stop"}]})
    text = "".join(f"data: {json.dumps(event)}\n\n" for event in events) + "data: [DONE]\n\n"
    return Answer(text.encode(), headers={"Content-Type": "text/event-stream"})


def tab(browser, name):
    click(browser, f"//*[@role='tab'][contains(., '{name}')]")


def press_button(browser, name):
    click(browser, f"//button[not(@disabled)][.//p[starts-with(normalize-space(), '{name}')]]")


def widths(browser, width, scheme):
    """Show the page in a window of some width, dark or light; return what is wider than the window, and the colour."""
    size = {"width": width, "height": 1100, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd(
        "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    )
    browser.refresh()
    waiting(browser).until(lambda b: b.find_element(By.XPATH, "//*[@role='tab']"))
    wide = "document.documentElement.scrollWidth - window.innerWidth"
    colour = "getComputedStyle(document.querySelector('[data-testid=stApp]')).backgroundColor"
    return browser.execute_script(f"return [{wide}, {colour}]")


def test_a_list_and_a_chat_the_whole_way(browser, repository, tmp_path):
    (tmp_path / "list.json").write_text(json.dumps(ROWS, indent=2))
    behaviour = {"behavior": "allow", "downloadPath": str(tmp_path / "downloads")}
    browser.execute_cdp_cmd("Page.setDownloadBehavior", behaviour)
    arguments = ("--name", "m", "--prompt", "meld_brief_pairwise")
    with (
        serving(judged_or_said) as server,
        running(repository, "--model", server.url, *arguments) as address,
    ):
        hosts(browser)
        browser.get(address)
        tab(browser, "A list")
        upload = waiting(browser).until(lambda b: b.find_element(By.CSS_SELECTOR, "input[type=file]"))
        upload.send_keys(str(tmp_path / "list.json"))
        press_button(browser, "Judge 3 records")
        until_shown(browser, "3 of 3 records judged with prompt meld_brief_pairwise")
        for name in ("JSON", "CSV"):
            press_button(browser, f"Download as {name}")
        json_file, csv_file = (tmp_path / "downloads" / f"judged.{kind}" for kind in ("json", "csv"))
        waiting(browser).until(lambda b: json_file.is_file() and csv_file.is_file())
        first, second, third = json.loads(json_file.read_bytes())
        assert first["label"] == "A" and first["judgemerge"]["verdict"] == "first"
        assert second["judgemerge"]["verdict"] == "second" and third["judgemerge"]["key"] == "response_b"
        assert first["judgemerge"]["judged_with"]["prompt"] == "meld_brief_pairwise"
        assert csv_file.read_text().count("is better") == 2

        tab(browser, "Chat")
        field = waiting(browser).until(
            lambda b: b.find_element(By.CSS_SELECTOR, "[data-testid='stChatInput'] textarea")
        )
        field.send_keys("Hello?" + Keys.ENTER)
        until_shown(browser, "[click](javascript:window.hacked=4)")
        texts = until_shown(browser, re.compile(r"\A[\d.]+ s\Z"))
        assert "Hello?" in texts and any(ATTACK.strip() in text for text in texts)
        assert browser.execute_script("return window.hacked") is None
        inside = "document.querySelector('[data-testid=stMain]')"
        for element in ("script", "iframe", "a[href^=javascript]", "strong", "b", "img[src=x]"):
            count = browser.execute_script(f"return {inside}.querySelectorAll('{element}').length")
            assert count == 0, element
        assert hosts(browser) == {address.split("/")[2]}

        light, dark = (widths(browser, 390, scheme) for scheme in ("light", "dark"))
        assert light[0] <= 0 and dark[0] <= 0 and light[1] != dark[1]
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


REFUSED = {
    "no prompt": (("--model", "x", "--prompt", "plain_pairwis"), "did you mean 'plain_pairwise'?"),
    "texts elsewhere": (
        ("--model", "x", "--prompt", "meld_pairwise"),
        "give the folder where a study has fetched them",
    ),
}


@pytest.mark.parametrize(("arguments", "sentence"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_work_is_said_before_the_server_starts(repository, arguments, sentence):
    command = [sys.executable, str(repository / "scripts" / "commands" / "judge_page.py"), *arguments]
    process = subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=60)
    assert process.returncode == 1 and sentence in process.stderr and "Traceback" not in process.stderr


def test_it_listens_on_this_machine_alone(repository):
    import judge_page

    assert judge_page.FLAGS["server.address"] == "127.0.0.1"
    assert judge_page.FLAGS["browser.gatherUsageStats"] == "false"
