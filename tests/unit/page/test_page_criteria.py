"""Criteria of somebody's choice: what is offered, how it is shown, which category a record is judged by."""

import json

from judgemerge.judge.streaming import Record
from judgemerge.page import criteria
from judgemerge.prompting.parsers import ReplySettings
from judgemerge.prompting.prompts import Template

PAIRS = ReplySettings("final_result", first="A", second="B", tie="Tie")
MATH = "1.Correctness: Every step is right.\n2.Structure: The result first.\n3.Short"
WRITING = "1. Correctness: Spelling is right.\n2) Structure: The result first."


def template(user="{criteria} {category} {prompt} {response_a} {response_b}", **changes):
    return Template(
        **{"name": "m", "protocol": "pairwise", "user": user, "reply": PAIRS, "target": "{verdict}"} | changes,
        max_new_tokens=9,
    )


NUMBERED = template(criteria={"math": MATH, "writing": WRITING})
BRIEF = template(criteria={"math": "right result, every step follows", "writing": "well built"})


def test_criteria_are_offered_by_name_and_by_category_where_names_say_different_things():
    assert criteria.offered(NUMBERED) == {
        "Correctness (math)": "Correctness: Every step is right.",
        "Correctness (writing)": "Correctness: Spelling is right.",
        "Structure": "Structure: The result first.",
        "math": "Short",
    }
    assert criteria.offered(BRIEF) == {"math": "right result, every step follows", "writing": "well built"}
    assert criteria.offered(template()) == {}


def test_chosen_criteria_stand_for_those_of_every_category():
    changed = criteria.with_criteria(NUMBERED, ["Kindness: Be kind.", "Short"], ["Math", "cooking"])
    assert changed.criteria == dict.fromkeys(("math", "cooking"), "1.Kindness: Be kind.\n2.Short")
    assert criteria.with_criteria(BRIEF, ["kind", "short"], ["math"]).criteria == {"math": "kind, short"}
    assert criteria.with_criteria(NUMBERED, [], ["math"]) is NUMBERED


def record(**value):
    return Record(4, json.dumps(value))


def category(record):
    return json.loads(record.text).get("category")


def test_a_category_is_given_where_there_is_none_or_always():
    assert category(criteria.with_category(record(prompt="q"), "math")) == "math"
    assert category(criteria.with_category(record(category=" "), "math")) == "math"
    assert category(criteria.with_category(record(category="writing"), "math")) == "writing"
    assert category(criteria.with_category(record(category="writing"), "math", always=True)) == "math"
    for odd in (Record(1, "", "no UTF-8"), Record(1, "[1]"), Record(1, "{"), record(prompt="q")):
        assert criteria.with_category(odd, None) is odd
    assert criteria.with_category(Record(1, "{"), "math").text == "{"
    records = [record(category="b"), Record(1, "["), Record(1, "", "fault"), record(category=3), record(category="a")]
    assert criteria.categories_of(records) == ["b", "a"]


def test_a_prompt_with_a_reference_asks_without_where_there_is_none():
    with_reference = template("{reference} {prompt} {response_a} {response_b}", name="m_reference")
    changed = criteria.with_reference_where_there_is_one(with_reference, {"m": NUMBERED, "m_reference": with_reference})
    assert changed.otherwise == NUMBERED.user and changed.user == with_reference.user
    for others in ({}, {"m": template(system="Be fair.")}, {"m_reference": with_reference}):
        assert criteria.with_reference_where_there_is_one(with_reference, others) is with_reference
    assert criteria.with_reference_where_there_is_one(NUMBERED, {"m": NUMBERED}) is NUMBERED


def test_references():
    assert criteria.reference_of(record(reference="15")) == "15"
    for odd in (record(reference="N/A"), record(reference=3), record(), Record(1, "["), Record(1, "", "fault")):
        assert criteria.reference_of(odd) is None
