"""docs/planning.md, executed: the worked example, and what the command prints before anything has run."""

import csv
import doctest
import json
import re
import shutil
from pathlib import Path

import pytest

import plan_study
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import write_items, write_verdicts
from judgemerge.evaluate.outlook import USUAL
from judgemerge.synthetic.demo_tasks import make_items

ROOT = Path(__file__).parents[3]
PAGE = ROOT / "docs" / "planning.md"
STUDY = str(ROOT / "config" / "config.yaml")


@pytest.fixture
def elsewhere(tmp_path, monkeypatch):
    """Go to a folder in which nothing has run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_worked_example_gives_what_the_page_says():
    text = re.sub(r"(?s)```(?:console|text)\n.*?```", "", PAGE.read_text(encoding="utf-8")).replace("```", "")
    example = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    assert len(example.examples) > 15
    assert doctest.DocTestRunner().run(example).failed == 0


def test_the_command_prints_what_the_page_shows(elsewhere):
    (shown,) = re.findall(r"(?s)```text\n(.*?)```", PAGE.read_text(encoding="utf-8"))
    assert plan_study.main(STUDY, difference=0.03, power=0.8) == shown.rstrip()


def test_verdicts_take_the_place_of_what_is_usual_and_the_plan_is_written(elsewhere):
    judged(elsewhere, "demo")
    told = plan_study.main(STUDY, write="plan.csv")
    assert "demo_pairwise: 40 items" in told and "2 judges of this study" in told
    with open("plan.csv", encoding="utf-8") as file:
        rows = {(row["benchmark"], row["question"]): row for row in csv.DictReader(file)}
    assert rows["demo_pairwise", "two judges"]["basis"] == "1 pair of judges of this study"
    assert rows["demo_pointwise", "two judges"]["basis"] == USUAL
    assert rows["demo_pairwise", "alternative annotator test"]["unit"] == "labels each of 3 people"
    plan_study.main(STUDY, write="plan.json")
    assert [row["question"] for row in json.loads(Path("plan.json").read_text())] == [key[1] for key in rows]


def test_an_earlier_study_lends_its_verdicts_and_not_its_size(elsewhere):
    judged(elsewhere, "other")
    alone, lent = plan_study.main(STUDY), plan_study.main(STUDY, earlier=["other"])
    assert "demo_pairwise: 300 items" in alone and "demo_pairwise: 300 items" in lent
    assert "1 pair of judges of study other" in lent and "study other" not in alone


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"difference": 3.0}, "--difference is 3; give a number between 0 and 1, 0.03 for three points"),
        ({"power": 80}, "--power is 80; give a number between 0 and 1"),
        ({"epsilon": 0.0}, "--epsilon is 0; give a number between 0 and 1"),
        ({"write": "plan.xlsx"}, "--write plan.xlsx: end the name with .csv or .json"),
    ],
)
def test_what_cannot_be_planned_is_refused_in_one_sentence(elsewhere, arguments, sentence):
    with pytest.raises(JudgemergeError, match=re.escape(sentence)):
        plan_study.main(STUDY, **arguments)


def judged(folder, study):
    """Write 40 pairs, and what two judges say of them, as the results of a study."""
    from agreement_cases import both

    items = make_items("pairwise", "test", n_items=40, seed=1, annotator_error=0.2)
    items = [type(item)(**{**vars(item), "benchmark": "demo_pairwise"}) for item in items]
    shutil.rmtree(folder / "results", ignore_errors=True)
    write_items(folder / "results" / study / "items" / "demo_pairwise.jsonl", items)
    for judge, wrong in (("pairwise", 5), ("tiny", 3)):
        said = ["tie" if number % wrong == 0 else item.truth for number, item in enumerate(items)]
        path = folder / "results" / study / "verdicts" / judge / "demo.jsonl"
        write_verdicts(path, {"demo_pairwise": both(items, said, said)})
