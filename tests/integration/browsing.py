"""A headless Chromium for tests of pages, and what it has asked for."""

import contextlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

AXE = "axe-core@4.14.1"  # MPL-2.0: fetched for tests and not kept
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1500,1000",
)


@contextlib.contextmanager
def chromium(*flags, **preferences):
    """Yield a browser with a fresh profile that records every request and every message."""
    binary, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (binary and driver):
        pytest.skip("needs chromium and chromedriver (Debian: apt-get install chromium chromium-driver)")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    options.add_experimental_option("prefs", preferences)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        for flag in (*FLAGS, *flags, f"--user-data-dir={profile}"):
            options.add_argument(flag)
        started = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
        try:
            started.get("about:blank")
            started.get_log("performance")  # what the browser's own start page asked for
            yield started
        finally:
            started.quit()


def requests(browser):
    """Return the addresses of all requests since the last call."""
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    sockets = [event["params"]["url"] for event in events if event["method"] == "Network.webSocketCreated"]
    return [each["request"]["url"] for each in asked] + sockets


def leaves_the_page(address):
    """Return whether a request goes anywhere but to the page itself."""
    return not address.startswith(("file:", "data:", "blob:"))


def find(browser, path, seconds=60):
    """Return the first element at an XPath, as soon as there is one."""
    return WebDriverWait(browser, seconds).until(lambda page: page.find_elements(By.XPATH, path))[0]


def screenshot(browser, name):
    """Save a picture of the page where JUDGEMERGE_SCREENSHOTS names a folder; that of the documents is made so."""
    folder = os.environ.get("JUDGEMERGE_SCREENSHOTS")
    if folder:
        assert browser.save_screenshot(os.path.join(folder, f"{name}.png"))


def axe_text(folder):
    """Return the text of axe-core, or skip where npm cannot fetch it."""
    try:
        command = ["npm", "pack", AXE, "--silent", "--pack-destination", str(folder)]
        subprocess.run(command, check=True, capture_output=True, timeout=60, cwd=folder, env=os.environ)
    except (OSError, subprocess.SubprocessError) as error:
        pytest.skip(f"needs axe-core, which npm cannot fetch here: {error}")
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()
