"""`judge.py` with several models: results beside every field; how judges agree with people and each other; means."""

import csv
import json
import subprocess

import fork_server
import pytest
from endpoint_server import Answer, reply, serving

from judgemerge.data.loose_votes import people_of


def meld(number: int, **more) -> dict:
    """A row as MELD-Eval's pairwise test set has it."""
    bodies = {"answer1_body": f"one {number}", "answer2_body": f"two {number}"}
    return {"id": str(number), "question_body": f"Question {number}?", **bodies, "scenario": "x", **more}


def command(*options: str, text: str, cwd) -> subprocess.CompletedProcess:
    line = [fork_server.python(), "scripts/commands/judge.py", "--prompt", "brief_pairwise", *options]
    return subprocess.run(line, input=text, capture_output=True, text=True)


def always(text: str):
    return lambda body, number: reply(text)


def test_a_list_of_melds_is_judged_by_two_and_every_field_stays(tmp_path):
    rows = [meld(number, label=label) for number, label in enumerate(["A", "B", "Tie", "A", "A", "B"])]
    table = tmp_path / "table.csv"
    with serving(always("Verdict: A")) as first, serving(first_answer) as second:
        models = ["--model", f"one={first.url}", "--model", f"two={second.url}", "--name", "m"]
        process = command(*models, "--table", str(table), text=json.dumps(rows), cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    written = [json.loads(line) for line in process.stdout.splitlines()]
    assert [{key: value for key, value in row.items() if key != "judged"} for row in written] == rows
    assert {row["judged"]["two"]["verdict"] for row in written} == {"first"}
    assert {row["judged"]["one"]["consistent"] for row in written} == {False}
    with open(table, encoding="utf-8") as file:
        by_key = {(row["judge"], row["with"], row["metric"]): row for row in csv.DictReader(file)}
    assert float(by_key["two", "people", "accuracy"]["value"]) == 0.5
    assert float(by_key["mean", "people", "consistency"]["value"]) == 0.5  # the one always, the other never
    assert by_key["two", "people", "accuracy"]["ci_low"] and by_key["two", "people", "accuracy"]["n"] == "6"
    assert float(by_key["one", "two", "agreement"]["value"]) == 0.0  # ties, for who contradicts himself
    assert "Agreement with people" in process.stderr and "Agreement between judges" in process.stderr


def first_answer(body: dict, number: int) -> Answer:
    text = body["messages"][-1]["content"]
    return reply("Verdict: A" if text.index("one") < text.index("two") else "Verdict: B")


def test_another_judge_later_keeps_what_earlier_ones_said(tmp_path):
    with serving(always("Verdict: tie")) as endpoint:
        once = command("--model", f"a={endpoint.url}", "--name", "m", "--table", str(tmp_path / "t.csv"),
                       text=json.dumps(meld(1)), cwd=tmp_path)  # fmt: skip
        again = command("--model", f"b={endpoint.url}", "--name", "m", "--table", str(tmp_path / "t.csv"),
                        text=once.stdout, cwd=tmp_path)  # fmt: skip
    assert json.loads(again.stdout)["judged"].keys() == {"a", "b"}


def test_what_one_judge_cannot_do_stops_no_other(tmp_path):
    rows = [meld(1, label="A"), {"question_body": "no answers"}, meld(2, label="who knows")]
    with serving(always("Verdict: A")) as endpoint:
        models = ["--model", f"a={endpoint.url}", "--model", "missing", "--name", "m"]
        process = command(*models, text="".join(f"{json.dumps(row)}\n" for row in [*rows, []]), cwd=tmp_path)
    assert process.returncode == 1
    assert "missing: left out, missing: no such folder" in process.stderr
    assert (
        "1 labels could not be read and do not count, the first one label = 'who knows' of record 3" in process.stderr
    )
    written = [json.loads(line) for line in process.stdout.splitlines()]
    assert written[1]["judged"]["a"]["key"] == "answer1_body" or "error" in written[1]["judged"]["a"]
    assert written[3]["error"].startswith("line 4: the record is a list")


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "x/a", "--model", "y/a"], "two judges are called 'a'; call one otherwise, --model NAME=…"),
        (
            ["--model", "a", "--model", "b", "--prompt", "plain_pointwise"],
            "one is for pairs, another for single answers",
        ),
        (["--model", "a", "--model", "b", "--model", "c", "--prompt", "plain_pairwise"], "--prompt is given 2 times"),
        (["--model", "a", "--model", "b"], "no such folder"),
    ],
)
def test_what_cannot_be_right_is_refused(options, sentence, tmp_path):
    process = command(*options, text=json.dumps(meld(1)), cwd=tmp_path)
    assert process.returncode == 2 and sentence in process.stderr and not process.stdout


def test_peoples_words_in_the_forms_of_others():
    def said(**record):
        people = people_of(record, "pairwise")
        return {vote.annotator: vote.vote for vote in people.votes}, people.truth, people.unread

    assert said(votes={"anna": "A", "ben": "tie", "eva": None}) == ({"anna": "first", "ben": "tie"}, None, None)
    assert said(votes=[{"annotator": "x", "vote": "second"}, "B"]) == ({"x": "second", "2": "second"}, None, None)
    pandalm = {"annotator1": "1", "annotator2": "2", "annotator3": "0", "label": "2"}
    votes = {"annotator1": "first", "annotator2": "second", "annotator3": "tie"}
    assert said(**pandalm) == (votes, "second", None)
    assert said(label="A>B")[1] == "first" and said(winner="model_b")[1] == "second"
    assert said(label="1") == ({}, None, "label") and said(score=1) == ({}, None, None)
    assert people_of({"label": "2.0"}, "pointwise").truth == 2.0
    assert people_of({"score": 3, "votes": [1, "x"]}, "pointwise").unread == "2"
