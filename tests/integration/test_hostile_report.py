"""Replies and data that hold HTML, Markdown and scripts: nothing of it runs in the report; it is shown as text."""

import json

import pytest
import yaml
from endpoint_server import reply, serving
from workflow_runs import BASELINES, copy_workflow, runner

pytest.importorskip("selenium.webdriver", reason="needs selenium (group `test` of pyproject.toml)")
from test_report import VIEW, browser, find, leaves_the_page, open_category, open_result, requests  # noqa: E402, F401

pytestmark = pytest.mark.slow
HOSTILE = (
    "<script>window.hostile=1</script><img src='http://127.0.0.1:9/x.png' onerror='window.hostile=1'>"
    "<svg onload=window.hostile=1></svg><iframe srcdoc='<script>parent.hostile=1</script>'></iframe>"
    "</td></table></textarea></title></style><b onmouseover=window.hostile=1>bold</b>"
    "[link](javascript:window.hostile=1) ![image](http://127.0.0.1:9/y.png) {{7*7}} ${window.hostile=1} \"'`--> ]]>\n"
)
FIELDS = {
    "prompt": "question",
    "responses": ["a", "b"],
    "votes": ["anna", "ben"],
    "category": "topic",
    "models": ["m", "n"],
}


@pytest.fixture(scope="module")
def report(repository, tmp_path_factory):
    """Return the report of a study whose prompts, answers, categories, authors and replies are hostile."""
    folder = copy_workflow(repository, tmp_path_factory.mktemp("hostile"))
    rows = [
        {
            "question": f"{HOSTILE} {n}",
            "a": HOSTILE,
            "b": f"{HOSTILE} longer",
            "anna": "a",
            "ben": "ab"[n % 2],
            "topic": HOSTILE,
        }
        | {"m": HOSTILE, "n": "<script>window.hostile=1</script>"}
        for n in range(8)
    ]
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    entry = {
        "loader": "jsonl",
        "protocol": "pairwise",
        "description": HOSTILE,
        "truth": HOSTILE,
        "category": HOSTILE,
        "sources": {"rows": "rows.jsonl"},
        "options": {"fields": FIELDS, "labels": {"a": "first", "b": "second"}},
    }
    with open(folder / "config" / "benchmarks.yaml", "a", encoding="utf-8") as file:
        file.write("\n" + yaml.safe_dump({"hostile": entry}))
    answers = ["Verdict: A", "Verdict: B", HOSTILE, ""]
    with serving(lambda body, number: reply(HOSTILE + answers[number % 4])) as server:
        study = {
            **BASELINES,
            "study": "hostile",
            "description": HOSTILE,
            "models": {"far": {"endpoint": {"url": server.url, "model": "<img src=x onerror=window.hostile=1>"}}},
            "suites": {"own": {"benchmarks": ["hostile"]}},
            "judges": ["far", "longer", "random"],
            "judging": {"prompts": {"pairwise": "brief_pairwise"}},
            "display": {"labels": {"longer": HOSTILE}},
        }
        (folder / "hostile.yaml").write_text(yaml.safe_dump(study), encoding="utf-8")
        run = runner(folder)
        process = run("--configfile", "hostile.yaml")
    assert process.returncode == 0, process.stderr[-3000:]
    process = run("--report", "results/hostile/report.html", "--configfile", "hostile.yaml")
    assert process.returncode == 0, process.stderr[-3000:]
    return folder / "results" / "hostile" / "report.html"


def test_hostile_texts_are_shown_and_nothing_of_them_runs(report, browser):  # noqa: F811
    def is_clean():
        assert not browser.execute_script("return Boolean(window.hostile)")

    browser.get(report.as_uri())
    find(browser, "//a[normalize-space()='Tables']")
    is_clean()
    open_category(browser, report, "Tables")
    labels = [cell.text for cell in browser.find_elements("tag name", "td") if cell.text]
    assert len(labels) >= 5
    for label in labels:
        frame = open_result(browser, report, "Tables", label, VIEW, "//iframe")
        is_clean()
        browser.switch_to.frame(frame)
        find(browser, "//table//td")
        is_clean()
        assert not browser.find_elements(
            "xpath", "//body//script | //img | //svg[@onload] | //iframe | //*[@onmouseover]"
        )
        browser.switch_to.default_content()
    pages = [path.read_text(encoding="utf-8") for path in (report.parent / "tables").glob("*.html")]
    assert any("&lt;script&gt;" in page for page in pages)
    for page in (report.parent / "tables").glob("*.html"):
        browser.get(page.as_uri())
        is_clean()
    assert [address for address in requests(browser) if leaves_the_page(address)] == []
