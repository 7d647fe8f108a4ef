"""Records of other projects: their names of question and answers, and lists of records, whole and broken."""

import io
import json
import os
from pathlib import Path

import pytest

from judgemerge.data import loose_records
from judgemerge.judge import streaming
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.prompts import Template

PAIRS = ReplySettings("verdict_line", first="A", second="B", tie="tie")
PAIRWISE = Template("p", "pairwise", "{prompt}|{response_a}|{response_b}", PAIRS, "{verdict}", 8)
GRADES = ReplySettings("overall_score", minimum=1, maximum=10)
POINTWISE = Template("g", "pointwise", "{prompt}|{response}", GRADES, "{score}", 8)

ROWS = {
    "MELD-Eval, pairs": ({"question_body": "q", "answer1_body": "a", "answer2_body": "b", "label": "A"}, "q"),
    "MELD-Eval, grades": ({"question_body": "q", "answer_body": "a", "label": 2.0, "complexity": {"score": 1}}, "q"),
    "MELD-Eval, length bias": ({"id": 0, "question": "q", "answer1_body": "a", "answer2_body": "b"}, "q"),
    "Feedback-Bench": ({"idx": "0", "instruction": "q", "response": "a", "gpt4_score": 1}, "q"),
    "JudgeBench": ({"pair_id": "e3", "question": "q", "response_A": "a", "response_B": "b"}, "q"),
    "PandaLM": ({"idx": 7, "instruction": "i", "input": "j", "response1": "a", "response2": "b"}, "i\n\nj"),
    "PandaLM, no input": ({"idx": 7, "instruction": "i", "input": "", "response1": "a", "response2": "b"}, "i"),
    "unified": ({"query": "q", "response1": "a", "response2": "b", "gt_label": 0}, "q"),
    "Auto-J": ({"query": "q", "response 1": "a", "response 2": "b"}, "q"),
}


def records(text):
    return list(streaming.split(streaming.read_lines(io.BytesIO(text.encode() if isinstance(text, str) else text))))


@pytest.mark.parametrize(("row", "question"), ROWS.values(), ids=ROWS)
def test_the_names_of_others(row, question):
    template = POINTWISE if {"answer_body", "response"} & set(row) else PAIRWISE
    (record,) = records(json.dumps([row]))
    item = streaming.read_item(record, template)
    assert item.turns == (question,)
    assert item.responses == ((("a",),) if template is POINTWISE else (("a",), ("b",)))
    assert item.id == str(next((row[key] for key in ("id", "idx", "pair_id") if key in row), 1))


def test_our_own_names_come_first_and_theirs_stay_fields_of_prompts():
    row = {"prompt": "ours", "question": "a field of a metric", "response": "a", "answer_body": "b", "instruction": "i"}
    item = streaming.read_item(streaming.Record(1, json.dumps(row)), POINTWISE)
    assert (item.turns, item.responses) == (("ours",), (("a",),))
    assert item.extra == {"question": "a field of a metric", "answer_body": "b", "instruction": "i"}
    turns = {"turns": ["one", "two"], "question": "three", "response": ["a", "b"]}
    assert streaming.read_item(streaming.Record(1, json.dumps(turns)), POINTWISE).turns == ("one", "two")


def test_a_fault_names_the_key_that_the_record_has():
    for row, key in (
        ({"question_body": {}, "answer_body": "a"}, "question_body"),
        ({"question_body": "q", "answer_body": 3}, "answer_body"),
        ({"question_body": "q"}, "response"),
        ({"idx": [1], "question_body": "q", "answer_body": "a"}, "idx"),
    ):
        with pytest.raises(streaming.BadRecord, match=f"key '{key}'") as refused:
            streaming.read_item(streaming.Record(1, json.dumps(row)), POINTWISE)
        assert refused.value.key == key
    with pytest.raises(streaming.BadRecord, match="the prompt is pointwise and takes response"):
        row = {"question_body": "q", "answer1_body": "a", "answer2_body": "b"}
        streaming.read_item(streaming.Record(1, json.dumps(row)), POINTWISE)


@pytest.mark.parametrize("reference", ["", " ", "N/A", None])
def test_no_reference_is_written_in_several_ways(reference):
    row = {"prompt": "q", "response": "a", "reference": reference}
    assert streaming.read_item(streaming.Record(1, json.dumps(row)), POINTWISE).reference is None


# ---- lists ----

TWO = [{"a": 1, "b": "x\ny"}, {"c": [{}, "é"]}]


@pytest.mark.parametrize("indent", [None, 0, 2, 4])
@pytest.mark.parametrize("before", ["", "\n \r\n", "\ufeff"])
def test_a_list_however_it_is_laid_out(indent, before):
    text = before + json.dumps(TWO, indent=indent, ensure_ascii=False) + "\n"
    assert [json.loads(record.text) for record in records(text)] == TWO
    lines = text.split("\n")
    for record in records(text):
        assert record.text.startswith(lines[record.line - 1].lstrip("\ufeff[ ")[:2])


def test_a_list_of_one_long_line_is_read_whole():
    row = {"prompt": "q" * 1000, "response": "a"}
    n_rows = streaming.MOST_CHARACTERS // 1000 + 500
    found = records(json.dumps([row] * n_rows))
    assert len(found) == n_rows and all(record.fault is None and record.line == 1 for record in found)


BROKEN = {
    "an entry": ('[\n{"a": 1},\n{"b": }\n{"c": 3}]', [3], "column 7 is not JSON"),
    "cut off": ('[\n{"a": 1},\n{"b', [3], "the rest of the list was not read"),
    "no end": ('[\n{"a": 1}\n', [3], "the list has no comma and no end here"),
    "no comma": ('[\n{"a": 1}\n{"b": 2}]', [3], "the list has no comma and no end here"),
    "deep": ('[\n{"a": 1},\n' + "[" * 100_000, [3], "this entry cannot be read"),
    "text behind it": ('[\n{"a": 1}\n]\n\nand more', [5], "text after the end of the list"),
    "no UTF-8": (b'[\n{"a": 1},\n{"b": "\xff"}]', [3], "byte 20 of the list is not UTF-8"),
}


@pytest.mark.parametrize(("text", "lines", "sentence"), BROKEN.values(), ids=BROKEN)
def test_a_broken_list_costs_what_follows_the_break(text, lines, sentence):
    *whole, last = records(text)
    assert [json.loads(record.text) for record in whole] == ([{"a": 1}] if isinstance(text, str) else [])
    assert [last.line] == lines and sentence in last.fault and last.text == ""


def test_what_is_no_list_of_objects_is_read_by_lines():
    assert [record.text for record in records('[INFO] loading\n{"a": 1}\n[1]')] == ["[INFO] loading", '{"a": 1}', "[1]"]
    assert records("[]") == records("") == records("[ ]\n") == []
    assert [record.text for record in records('[{"a": 1}, ]')] == ['{"a": 1}']
    assert not loose_records.begins_list(b'["a", "b"]')


def test_an_entry_that_is_too_long_is_refused_alone(monkeypatch):
    monkeypatch.setattr(streaming, "MOST_CHARACTERS", 30)
    long, short = records(json.dumps([{"a": "x" * 30}, {"b": 1}]))
    assert long.fault == streaming.TOO_LONG and json.loads(short.text) == {"b": 1}
    monkeypatch.setattr(loose_records, "MOST_BYTES", 10)
    (record,) = records(json.dumps([{"a": "x" * 30}]))
    assert "write one object per line" in record.fault


MELD_FILES = {  # file → prompt that takes its records, records whose answers are true, false or a number
    "bias/MELD_length_bias_test.json": (PAIRWISE, 0),
    "pairwise/MELD-Test.json": (PAIRWISE, 0),
    "pairwise/PandaLM-Test.json": (PAIRWISE, 6),
    "pointwise/Auto-J-Test.json": (PAIRWISE, 0),
    "pointwise/Feedback-Bech.json": (POINTWISE, 0),
    "pointwise/MELD-Test.json": (POINTWISE, 0),
}


@pytest.mark.parametrize(("name", "template", "n_no_text"), [(name, *how) for name, how in MELD_FILES.items()])
def test_every_file_that_meld_publishes_is_read(repository, name, template, n_no_text):
    mirror = Path(os.environ.get("JUDGEMERGE_MIRROR") or repository.parent / "shared" / "mirror")
    (path, *_) = [*mirror.glob(f"Bound2-2/MELD-Eval/*/data/test/{name}"), None]
    if path is None:
        pytest.skip("needs the mirror of raw files (JUDGEMERGE_MIRROR)")
    found = records(path.read_bytes())
    assert len(found) == len(json.loads(path.read_bytes()))
    refused = []
    for record in found:
        try:
            streaming.read_item(record, template)
        except streaming.BadRecord as error:
            refused.append(error.key)
    assert set(refused) <= {"response1", "response2"} and len(refused) == n_no_text
