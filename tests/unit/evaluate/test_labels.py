"""Draws of what people label, the sheet they fill in, and what is read back of it."""

import csv
import io

import pytest

from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import Item
from judgemerge.evaluate.labels import Draw, allocation, draw, read_labels, read_votes, sheet, strata_of, truths_of
from judgemerge.settings.comparisons import LabelledPart


def item(number, category=None, protocol="pairwise"):
    responses = (("left",), ("right",)) if protocol == "pairwise" else (("only",),)
    truth = "first" if protocol == "pairwise" else 3.0
    return Item(
        id=f"i{number}", benchmark="set", protocol=protocol, turns=(f"question {number}",), responses=responses,
        truth=truth, cluster=f"c{number}", origin={}, models=("m", "n")[: len(responses)], category=category,
    )  # fmt: skip


ITEMS = [item(number, "easy" if number % 4 else "hard") for number in range(40)]
ABOUT = {"of": "set", "metric": "pairs", "protocol": "pairwise", "by": ""}


def test_the_same_seed_draws_the_same_units_whatever_their_order():
    one = draw(strata_of(ITEMS), 10, 1, **ABOUT)
    assert draw(strata_of(ITEMS[::-1]), 10, 1, **ABOUT).drawn == one.drawn
    assert {d.unit for d in draw(strata_of(ITEMS), 10, 2, **ABOUT).drawn} != {d.unit for d in one.drawn}
    assert len({d.unit for d in one.drawn}) == 10
    assert {d.turned for d in one.drawn} == {True, False}
    assert {d.unit for d in one.drawn} < {d.unit for d in draw(strata_of(ITEMS), 20, 1, **ABOUT).drawn}


@pytest.mark.parametrize(
    ("n", "equal", "expected"),
    [
        (8, False, {"a": 6, "b": 2}),
        (8, True, {"a": 4, "b": 4}),
        (40, True, {"a": 30, "b": 10}),
        (4, False, {"a": 2, "b": 2}),
    ],
)
def test_strata_give_what_they_hold_or_all_the_same(n, equal, expected):
    assert allocation({"a": 30, "b": 10}, n, equal) == expected


def test_more_strata_than_labels_are_refused():
    with pytest.raises(JudgemergeError, match="ask for 20 to 100"):
        allocation(dict.fromkeys("abcdefghij", 10), 12)
    with pytest.raises(JudgemergeError, match="50 labels cannot be drawn from 40"):
        allocation({"all": 40}, 50)


def test_the_record_is_read_back_as_it_was(tmp_path):
    from judgemerge.core import files

    drawn = draw(strata_of(ITEMS, "category"), 12, 3, equal=True, **(ABOUT | {"by": "category"}))
    files.write_json(tmp_path / "draw.json", drawn.plain())
    assert Draw.read(tmp_path / "draw.json") == drawn
    assert drawn.plain()["sizes"] == {"easy": {"units": 30, "drawn": 6}, "hard": {"units": 10, "drawn": 6}}
    files.write_json(tmp_path / "other.json", {"seed": 1})
    with pytest.raises(JudgemergeError, match="is no record of drawn labels"):
        Draw.read(tmp_path / "other.json")


def filled(drawn, by_unit, items=ITEMS):
    """Return the sheet as somebody fills it in who always prefers the answer with this text."""
    rows = list(csv.DictReader(io.StringIO(sheet(drawn, {one.id: one for one in items}))))
    for row in rows:
        unit = next(one.unit for one in drawn.drawn if one.label == int(row["label"]))
        liked = by_unit[unit]
        row["vote"] = "tie" if liked == "tie" else "A" if row["answer_a"] == liked else "b"
        row["annotator"] = "anna"
    text = io.StringIO()
    writer = csv.DictWriter(text, rows[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def test_votes_on_turned_pairs_come_back_in_the_order_of_the_items(tmp_path):
    drawn = draw(strata_of(ITEMS), 12, 1, **ABOUT)
    units = [one.unit for one in drawn.drawn]
    likes = {unit: ("left", "right", "tie")[number % 3] for number, unit in enumerate(units)}
    (tmp_path / "votes.csv").write_text(filled(drawn, likes), encoding="utf-8")
    votes = read_votes(tmp_path / "votes.csv", drawn, "pairwise")
    meaning = {"left": "first", "right": "second", "tie": "tie"}
    assert votes == {unit: [meaning[likes[unit]]] for unit in units}


def test_a_sheet_names_neither_models_nor_items():
    drawn = draw(strata_of(ITEMS), 12, 1, **ABOUT)
    text = sheet(drawn, {one.id: one for one in ITEMS})
    assert text.splitlines()[0] == "label,prompt,answer_a,answer_b,annotator,vote"
    assert not any(one.unit in text for one in drawn.drawn)
    grades = [item(number, protocol="pointwise") for number in range(5)]
    alone = draw(strata_of(grades), 3, 1, **(ABOUT | {"protocol": "pointwise"}))
    assert sheet(alone, {one.id: one for one in grades}).startswith("label,prompt,answer,annotator,vote\n1,question")
    assert not any(one.turned for one in alone.drawn)


def test_votes_of_a_file_of_ones_own_name_items(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text("item,annotator,vote\ni1,anna,first\ni1,ben,tie\ni2,anna,\ni3,anna,B\n", encoding="utf-8")
    assert read_votes(path, None, "pairwise") == {"i1": ["first", "tie"], "i3": ["second"]}
    path.write_text("item,vote\ni1,3\ni2,4.5\n", encoding="utf-8")
    assert read_votes(path, None, "pointwise") == {"i1": [3.0], "i2": [4.5]}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("item,vote\ni1,good\n", "row 1: vote is 'good', not one of A, B, tie, first, second"),
        ("item,annotator,vote\ni1,anna,A\ni1,anna,B\n", "row 2 is a second vote of 'anna' on 'i1'; keep one"),
        ("item,vote\ni1,\n", "has no vote; fill in the column 'vote'"),
        ("label,vote\n1,A\n", "row 1 names no item; give the column 'item', or the draw of the sheet"),
        ("item,vote\nx9,A\n", "votes on 'x9', which is not among what is judged; leave the row out"),
    ],
)
def test_what_cannot_be_a_vote_is_refused_in_a_sentence(tmp_path, text, sentence):
    (tmp_path / "votes.csv").write_text(text, encoding="utf-8")
    with pytest.raises(JudgemergeError) as error:
        read_labels(LabelledPart(votes=str(tmp_path / "votes.csv")), "pairwise", [one.id for one in ITEMS])
    assert sentence in str(error.value)


@pytest.mark.parametrize("word", ["nan", "inf", "1e99", "good"])
def test_what_is_no_number_is_no_grade(tmp_path, word):
    (tmp_path / "votes.csv").write_text(f"item,vote\ni1,{word}\n", encoding="utf-8")
    with pytest.raises(JudgemergeError, match="not a number"):
        read_votes(tmp_path / "votes.csv", None, "pointwise")


def test_a_draw_of_other_units_and_votes_on_what_was_not_drawn_are_refused(tmp_path):
    from judgemerge.core import files

    drawn = draw(strata_of(ITEMS), 12, 1, **ABOUT)
    files.write_json(tmp_path / "draw.json", drawn.plain())
    other = next(one.id for one in ITEMS if one.id not in {d.unit for d in drawn.drawn})
    (tmp_path / "votes.csv").write_text(f"item,vote\n{other},A\n", encoding="utf-8")
    entry = LabelledPart(votes=str(tmp_path / "votes.csv"), draw=str(tmp_path / "draw.json"))
    with pytest.raises(JudgemergeError, match="which was not drawn"):
        read_labels(entry, "pairwise", [one.id for one in ITEMS])
    with pytest.raises(JudgemergeError, match="drawn from 40 other units than the 39 that are judged; draw again"):
        read_labels(entry, "pairwise", [one.id for one in ITEMS[1:]])


def test_the_truth_of_a_part_may_stand_for_votes():
    votes = truths_of(ITEMS, 7, 42)
    assert len(votes) == 7
    assert set(map(tuple, votes.values())) == {("first",)}
