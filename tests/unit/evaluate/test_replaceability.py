"""The rows of replaceability.csv: answers, rules for unreadable replies and few votes, and files of labels."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from agreement_cases import both, pair, point, said

from judgemerge.core.errors import JudgemergeError
from judgemerge.evaluate import panels, replaceability
from judgemerge.settings.report import Statistics

SETTINGS = Statistics(resamples=100)
CLASSES = ("first", "second", "tie")
PEOPLE = ("ann", "bob", "cyd")


def study_of(n=90, error=0.1, seed=1, people=PEOPLE, per_prompt=1):
    """Return pairs with the votes of careful people, and the truths."""
    rng = np.random.default_rng(seed)
    truths = [str(truth) for truth in rng.choice(CLASSES, n)]
    votes = [[(who, str(rng.choice(CLASSES)) if rng.random() < error else truth) for who in people] for truth in truths]
    items = [
        pair(index, truth, cluster=index // per_prompt, votes=cast)
        for index, (truth, cast) in enumerate(zip(truths, votes, strict=True))
    ]
    return items, truths


def rows_of(items, verdicts, epsilon=0.2):
    return list(replaceability.benchmark_rows(items, {"judge": verdicts}, epsilon, SETTINGS))


def value(rows, metric, rules="house"):
    (row,) = [row for row in rows if (row.metric, row.rules) == (metric, rules)]
    return row


def test_a_good_judge_may_and_a_random_one_may_not():
    items, truths = study_of()
    good = rows_of(items, both(items, truths, truths))
    assert value(good, "answer").value == 1
    assert value(good, "answer").note.startswith("yes: of three annotators it beats all; ρ 1.000 [.9")
    guesses = [str(guess) for guess in np.random.default_rng(9).choice(CLASSES, len(items))]
    bad = rows_of(items, both(items, guesses, guesses))
    assert value(bad, "answer").value == 0
    assert value(bad, "answer").note.startswith("no: of three annotators it beats none; ρ .")
    assert value(bad, "kappa_gap").ci_high < 0 and value(bad, "verdict_z").value < -1


def test_every_person_and_every_epsilon_has_its_row():
    items, truths = study_of()
    rows = rows_of(items, both(items, truths, truths))
    for who in PEOPLE:
        margin, paper = (value(rows, f"margin[{who}]", rules) for rules in ("house", "published"))
        assert margin.p <= margin.p_adjusted <= 1 and paper.p <= paper.p_adjusted <= 1
        assert margin.value == paper.value and margin.ci_low <= margin.value <= margin.ci_high
        assert value(rows, f"advantage[{who}]").n == len(items)
    for epsilon in replaceability.EPSILON_GRID:
        assert {row.rules for row in rows if row.metric == f"winning_rate[{epsilon:g}]"} == {"house", "published"}


def test_two_orders_make_one_verdict_and_an_error_in_either_is_unreadable():
    items, truths = study_of()
    swapped = ["error" if index < 10 else truth for index, truth in enumerate(truths)]
    rows = rows_of(items, both(items, truths, swapped))
    assert value(rows, "answer").errors == 10
    full = rows_of(items, both(items, truths, truths))
    assert value(rows, "advantage").value < value(full, "advantage").value


def test_items_with_one_vote_do_not_count():
    items, truths = study_of()
    alone = [pair(1000 + index, "first", votes=[("ann", "first")]) for index in range(50)]
    more = both(items + alone, truths + ["second"] * 50, truths + ["second"] * 50)
    rows, without = rows_of(items + alone, more), rows_of(items, both(items, truths, truths))
    assert value(rows, "answer") == value(without, "answer")


def test_of_two_votes_by_one_person_on_one_item_the_first_counts():
    items, truths = study_of(n=40)
    twice = [pair(i, item.truth, votes=[(v.annotator, v.vote) for v in item.votes] + [("ann", "tie")])
             for i, item in enumerate(items)]  # fmt: skip
    assert rows_of(twice, both(twice, truths, truths)) == rows_of(items, both(items, truths, truths))


def test_a_judge_that_was_asked_about_a_part_is_tested_on_that_part():
    items, truths = study_of()
    rows = rows_of(items, both(items[:60], truths[:60], truths[:60]))
    assert value(rows, "answer").n == 60 and value(rows, "gold_agreement").n == 60


@pytest.mark.parametrize(
    "n, people, reason",
    [
        (29, PEOPLE, "no answer: 0 of 3 annotators labelled 30 items or more"),
        (90, ("ann", "bob"), "no answer: 2 of 2 annotators labelled 30 items or more"),
        (90, ("ann",), "no answer: no item has the labels of two people"),
        (90, (), "no answer: no item has the labels of two people"),
    ],
)
def test_too_small_a_panel_is_refused_in_a_sentence(n, people, reason):
    items, truths = study_of(n=n, people=people)
    rows = rows_of(items, both(items, truths, truths))
    answer = value(rows, "answer")
    assert answer.note.startswith(reason) and math.isnan(answer.value)
    assert {row.metric for row in rows} >= {"gold_agreement", "gold_kappa", "kappa_deflation"}
    if len(people) == 2:  # two people are enough for kappas, and for a z
        assert math.isfinite(value(rows, "kappa_people").value)


def test_prompts_with_many_items_make_the_test_harder_for_a_judge():
    """The same labels, ten items to a prompt and the judge's errors by prompt: the paper's test does not see that."""
    rng = np.random.default_rng(2)
    items, truths = study_of(n=200, per_prompt=10)
    wrong = np.repeat(rng.random(20) < 0.1, 10)
    said_by_judge = ["first" if bad else truth for bad, truth in zip(wrong, truths, strict=True)]
    rows = rows_of(items, both(items, said_by_judge, said_by_judge), epsilon=0.15)
    house, paper = (value(rows, "margin[ann]", rules).p for rules in ("house", "published"))
    assert house > 2 * paper


def test_grades_are_compared_by_distance_and_have_no_deflation():
    rng = np.random.default_rng(3)
    truths = rng.integers(1, 8, 60).astype(float)
    votes = [[(who, truth + float(rng.integers(-1, 2))) for who in PEOPLE] for truth in truths]
    items = [point(i, truth, votes=cast) for i, (truth, cast) in enumerate(zip(truths, votes, strict=True))]
    verdicts = [said(item, truth if i else "error") for i, (item, truth) in enumerate(zip(items, truths, strict=True))]
    rows = rows_of(items, verdicts)
    assert value(rows, "answer").value == 1 and value(rows, "answer").errors == 1
    assert not any(row.metric == "kappa_deflation" for row in rows)
    other_scale = rows_of(items, [said(item, truth * 100) for item, truth in zip(items, truths, strict=True)])
    assert "scale" in value(other_scale, "answer").note and math.isnan(value(other_scale, "answer").value)


def test_the_sentence_says_so_where_the_papers_test_answers_otherwise():
    """Thirty careful items: the t test is certain because nothing varies."""
    truths = [CLASSES[index % 3] for index in range(30)]
    items = [pair(index, truth, votes=[(who, truth) for who in PEOPLE]) for index, truth in enumerate(truths)]
    rows = rows_of(items, both(items, truths, truths), epsilon=0.1)
    assert value(rows, "answer").value == 0
    assert value(rows, "answer").note.endswith("(the paper's t test says yes: ω 1.00)")
    assert value(rows, "winning_rate", "published").value == 1


def test_the_table_is_rounded_and_has_a_note_for_every_gap():
    items, truths = study_of()
    constant = ["first"] * len(items)
    table = replaceability.table_of(rows_of(items, both(items, constant, constant)) + rows_of(items[:5], []))
    gaps = table[table.value.isna()]
    assert len(gaps) and (gaps.note != "").all()
    assert (table.value.dropna() == table.value.dropna().round(12)).all()


# ---- files of labels ----


def write(folder, name, labels):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(labels), encoding="utf-8")
    return path


def test_a_panel_of_words_is_tested_as_one_of_pairs_is(tmp_path):
    items, truths = study_of(n=60)
    words = {"first": "yes", "second": "no", "tie": "cannot say"}
    votes = {who: {i.id: words[v.vote] for i in items for v in i.votes if v.annotator == who} for who in PEOPLE}
    judge = {item.id: words[truth] for item, truth in zip(items, truths, strict=True)}
    read, judges = panels.read_panel(write(tmp_path, "p", votes), write(tmp_path, "j", {"judge": judge}), False)
    of_panel = list(replaceability.panel_rows("bench", read, judges, 0.2, SETTINGS))
    of_items = [
        row for row in rows_of(items, both(items, truths, truths)) if not row.metric.startswith(("gold", "kappa_d"))
    ]
    pd.testing.assert_frame_equal(replaceability.table_of(of_panel), replaceability.table_of(of_items))


def test_null_is_no_label_of_a_person_and_an_unreadable_reply_of_a_judge(tmp_path):
    many = {f"more{number}": 3 for number in range(30)}
    people = {"ann": {"a": 1, "b": None, **many}, "bob": {"a": 2, "b": 3, "c": 3, **many}}
    read, (judge,) = panels.read_panel(
        write(tmp_path, "p", people), write(tmp_path, "j", {"judge": {"a": 1, "b": None}}), True
    )
    assert read.people == ("ann", "bob")
    np.testing.assert_array_equal(read.labels[:3], [[1, 2], [np.nan, 3], [np.nan, 3]])
    np.testing.assert_array_equal(judge.labels[:3], [1, np.nan, np.nan])
    assert judge.was_asked[:4].tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    "labels, message",
    [
        ([1, 2], "is not {rater: {item: label}}"),
        ({"ann": 3}, "is not {rater: {item: label}}"),
        ({"ann": {"a": [1]}}, "ann: a: the label is [1], not a word or a number"),
        ({"ann": {"a": "good"}}, "ann: a: the label is 'good', not a number; set `labels: classes`"),
    ],
)
def test_files_that_hold_something_else_are_refused(tmp_path, labels, message):
    path = write(tmp_path, "p", labels)
    with pytest.raises(JudgemergeError) as error:
        panels.read_panel(path, write(tmp_path, "j", {"judge": {"a": 1}}), True)
    assert message in str(error.value) and str(path) in str(error.value)
