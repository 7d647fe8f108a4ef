"""docs/labelling.md, executed from top to bottom: two people label thirty items in a browser, which corrects a judge.

On the way the page is loaded again, a vote is undone, the server is killed while somebody votes, and the window closed.
"""

import os
import re
import shutil
import signal
import subprocess
import sys

import fork_server
import pytest

pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
from browsing import chromium, find, screenshot
from selenium.webdriver.common.keys import Keys
from test_extending import Reader, blocks
from test_labelling_page import SHOWN, number, press, until
from workflow_runs import copy_workflow

from judgemerge.core import files

pytestmark = pytest.mark.slow
# Choose, and return what is shown as soon as something else is.
STEP = """
const [place, done] = arguments, look = () => { SHOWN }, before = look().heading;
document.querySelectorAll("button.say")[place].click();
const wait = () => { const now = look(); now.ready && now.heading !== before ? done(now) : setTimeout(wait, 2); };
wait();
""".replace("SHOWN", SHOWN)
LEFT, RIGHT, TIE = range(3)


def last_number(text):
    return int(re.findall(r"\d+", text)[-1])


def anna(shown):
    """Say which sum is right."""
    one, other = map(int, re.findall(r"\d+", shown["question"]))
    right = [last_number(answer) == one + other for answer in shown["answers"]]
    return TIE if right[0] == right[1] else LEFT if right[0] else RIGHT


def ben(shown):
    """Say the same; of two right ones the shorter is better, if the first number of the sum is a multiple of three."""
    one, other = map(int, re.findall(r"\d+", shown["question"]))
    is_right = all(last_number(answer) == one + other for answer in shown["answers"])
    lengths = list(map(len, shown["answers"]))
    if anna(shown) == TIE and is_right and one % 3 == 0 and lengths[0] != lengths[1]:
        return LEFT if lengths[0] < lengths[1] else RIGHT
    return anna(shown)


class Labeller(Reader):
    """A reader who labels in a browser, and does so twice: as Anna, whom much befalls, and as Ben."""

    def __init__(self, folder, browser):
        super().__init__(folder)
        self.browser = browser
        self.server = None
        self.said = ""

    def run(self, text):
        for line in text.splitlines():
            tool, target, *words = line.split()
            given = dict(word.split("=", 1) for word in words if re.match("[A-Z]+=", word))
            if tool != "make":
                super().run(line)
            elif target == "label":
                self.label(given)
            else:
                assert target == "labels"
                self.said = self.told("show_labels.py", "--study", given["STUDY"], "--of", given["OF"])

    def told(self, script, *arguments):
        command = [fork_server.python(), f"scripts/commands/{script}", *arguments]
        process = subprocess.run(command, cwd=self.folder, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        return process.stdout

    def start(self, given, *more):
        """Start the server as `make label` does, and return the address that it prints."""
        command = [sys.executable, "scripts/commands/label.py", "--study", given["STUDY"], "--of", given["OF"], *more]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.server = subprocess.Popen(command, cwd=self.folder, **pipes)
        line = self.server.stdout.readline()
        assert "The page is http://127.0.0.1:" in line, self.server.communicate()
        return line.rpartition(" ")[2].strip()

    def label(self, given):
        address = self.start(given, "--labels", given["LABELS"])
        self.as_anna(address, given)
        find(self.browser, "//button[.='Somebody else']").click()
        find(self.browser, "//input[@name='who']").send_keys("Ben", Keys.ENTER)
        until(self.browser, number(1, 30))
        self.choose(ben, 30)
        rows = self.browser.find_elements("xpath", "//tbody/tr")
        self.shown = [row.text for row in rows]
        self.server.send_signal(signal.SIGTERM)
        output, error = self.server.communicate(timeout=20)
        assert self.server.returncode == 0 and "Anna: 30 of 30\nBen: 30 of 30\n" in output and not error

    def as_anna(self, address, given):
        browser, votes = self.browser, self.folder / "labels" / "sums.votes.jsonl"
        browser.get(address)
        find(browser, "//input[@name='who']").send_keys("Anna", Keys.ENTER)
        until(browser, number(1, 30))
        self.choose(anna, 5)
        browser.refresh()
        until(browser, number(6, 30))
        browser.set_window_size(1100, 560)
        screenshot(browser, "labelling")
        browser.set_window_size(1500, 1000)
        self.choose(lambda shown: (anna(shown) + 1) % 3, 1)  # a slip
        press(browser, "u")
        shown = until(browser, number(6, 30))
        assert len(list(files.read_jsonl(votes))) == 5
        self.choose(anna, 6)
        shown = until(browser, number(12, 30))
        os.kill(self.server.pid, signal.SIGKILL)
        self.server.communicate()
        find(browser, f"(//button[@class='say'])[{anna(shown) + 1}]").click()
        until(browser, lambda now: now["alert"].startswith("Not kept yet"))
        assert len(list(files.read_jsonl(votes))) == 11
        assert self.start(given) == address
        until(browser, number(13, 30))
        assert len(list(files.read_jsonl(votes))) == 12
        here = browser.current_window_handle
        browser.switch_to.new_window("window")
        there = browser.current_window_handle
        browser.switch_to.window(here)
        browser.close()
        browser.switch_to.window(there)
        browser.get(address)
        find(browser, "//button[contains(., 'Go on as Anna')]").click()
        until(browser, number(13, 30))
        self.choose(anna, 18)

    def choose(self, choice, n):
        """Label so many items as somebody chooses."""
        shown = self.browser.execute_script(SHOWN)
        for _ in range(n):
            shown = self.browser.execute_async_script(STEP, choice(shown))


def test_thirty_items_are_labelled_to_a_corrected_number(repository, tmp_path):
    shutil.copytree(repository / "docs" / "examples", tmp_path / "docs" / "examples")
    entries = [block for block in blocks(repository / "docs" / "corrected.md") if block[1] == "yaml"][:3]
    page = [block for block in blocks(repository / "docs" / "labelling.md") if block[0] == "A worked example"]
    with chromium() as browser:
        reader = Labeller(copy_workflow(repository, tmp_path), browser)
        for _, language, _, value, text in [*entries, *page]:
            if language == "console":
                reader.run(text)
            elif language == "csv":
                reader.compare_table(value, text)
            elif value.startswith("what it "):
                assert text.strip() in reader.said
            else:
                reader.write(value, text)
    told = re.findall(r"Anna and Ben: (.*), n 30", reader.said)
    assert len(told) == len(reader.shown) == 2
    for words, row in zip(told, reader.shown, strict=True):
        metric, value, low, high = re.fullmatch(r"(.*) (\S+) \[(\S+), (\S+)\]", words).groups()
        assert row.split() == ["Anna", "and", "Ben", *metric.split(), value, low, "to", high, "30"]
