"""Judges that read nothing, by hand."""

import dataclasses
from collections import Counter

import pytest
from agreement_cases import pair, point
from rule_scripts import rule_script

from judgemerge.core.items import read_verdicts, write_items
from judgemerge.judge.baselines import BASELINES

answer_baselines = rule_script("judge/answer_baselines")

TRUTHS = ["first", "second", "second", "tie", "second", "first"]
PAIRS = [pair(number, truth) for number, truth in enumerate(TRUTHS)]
POINTS = [point(number, truth) for number, truth in enumerate([2, 9, 4, 4, 7])]


def outcomes(name, items, seed=1):
    return {(v.item, v.order): v.score if v.outcome == "score" else v.outcome for v in BASELINES[name](items, seed)}


def test_every_pair_is_answered_in_both_orders_and_every_grade_once():
    wanted = {(item.id, order) for item in PAIRS for order in ("original", "swapped")}
    for name in BASELINES:
        assert outcomes(name, PAIRS).keys() == wanted
        assert outcomes(name, POINTS).keys() == {(item.id, "original") for item in POINTS}
        assert outcomes(name, []) == {}


def test_longer_counts_the_characters_of_all_turns():
    responses = [(("abc",), ("ab",)), (("ab",), ("ä" * 3,)), (("ab", "c"), ("a", "bc")), (("a", "bcd"), ("abc",))]
    items = [pair(number, "tie", responses=given) for number, given in enumerate(responses)]
    found = outcomes("longer", items)
    assert [found[item.id, "original"] for item in items] == ["first", "second", "tie", "first"]
    assert all(found[item.id, "swapped"] == found[item.id, "original"] for item in items)


def test_longer_grades_by_the_rank_of_the_length():
    lengths = [30, 10, 20, 20, 50]
    items = [
        dataclasses.replace(point(number, truth), responses=(("x" * length,),))
        for number, (truth, length) in enumerate(zip([1, 10, 5, 5, 5], lengths, strict=True))
    ]
    assert list(outcomes("longer", items).values()) == [1 + 9 * 3 / 4, 1, 1 + 9 / 4, 1 + 9 / 4, 10]
    assert list(outcomes("longer", items[:1]).values()) == [1]


def test_random_depends_on_the_seed_alone():
    assert outcomes("random", PAIRS) == outcomes("random", PAIRS)
    many = [pair(number, TRUTHS[number % 6]) for number in range(600)]
    assert outcomes("random", many, seed=1) != outcomes("random", many, seed=2)


def test_random_draws_evenly_and_independently_among_the_classes_used():
    many = [pair(number, TRUTHS[number % 6]) for number in range(3000)]
    found = outcomes("random", many)
    joint = Counter((found[item.id, "original"], found[item.id, "swapped"]) for item in many)
    assert len(joint) == 9
    assert all(abs(count - 3000 / 9) < 80 for count in joint.values())  # more than four standard deviations
    without_ties = [pair(number, "first" if number % 3 else "second") for number in range(50)]
    assert set(outcomes("random", without_ties).values()) == {"first", "second"}
    assert set(outcomes("random", POINTS * 20).values()) <= {2, 4, 7, 9}


@pytest.mark.parametrize(
    ("truths", "common"),
    [(TRUTHS, "second"), (["first", "second"], "first"), (["tie", "second"], "second"), (["tie"], "tie")],
)
def test_majority_gives_the_most_common_truth(truths, common):
    items = [pair(number, truth) for number, truth in enumerate(truths)]
    assert set(outcomes("majority", items).values()) == {common}


def test_majority_grades_with_the_median():
    assert set(outcomes("majority", POINTS).values()) == {4}
    assert set(outcomes("majority", POINTS[:2]).values()) == {5.5}


def test_items_without_text_are_not_answered(tmp_path):
    write_items(tmp_path / "items.jsonl", [*PAIRS, pair(9, "tie", responses=())])
    answer_baselines.main({"b": str(tmp_path / "items.jsonl")}, 1, {"majority": str(tmp_path / "verdicts.jsonl")})
    verdicts = list(read_verdicts(tmp_path / "verdicts.jsonl", "b"))
    assert {verdict.item for verdict in verdicts} == {item.id for item in PAIRS}
    assert len(verdicts) == 12


@pytest.mark.parametrize(("baseline", "n"), [("longer", 0), ("random", 4), ("majority", 4)])
def test_where_no_item_has_its_texts_baselines_answer_that_need_none(tmp_path, baseline, n):
    write_items(tmp_path / "items.jsonl", [pair(number, "tie", responses=()) for number in (1, 2)])
    answer_baselines.main({"b": str(tmp_path / "items.jsonl")}, 1, {baseline: str(tmp_path / "verdicts.jsonl")})
    assert len(list(read_verdicts(tmp_path / "verdicts.jsonl", "b"))) == n
