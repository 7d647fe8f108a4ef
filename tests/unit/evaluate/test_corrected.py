"""Means that labels of a part correct: equal to ppi-python, right in cases known by hand, never certain by accident."""

import itertools

import numpy as np
import pytest

from judgemerge.evaluate.corrected import (
    DIFFERENCE,
    GRADE,
    LEAST_LABELS,
    SHARE,
    Units,
    compare,
    correct,
    judged,
    refusal,
    wilson,
)


def drawn(seed, n_labels=60, n_units=400, agreement=0.8, grades=False):
    """Return what people say of a part of the units and a judge of all."""
    rng = np.random.default_rng(seed)
    if grades:
        people = rng.normal(5, 2, n_units)
        judge = people + rng.normal(1, 1.5, n_units)
    else:
        people = (rng.random(n_units) < 0.4).astype(float)
        judge = np.where(rng.random(n_units) < agreement, people, 1 - people)
    hidden = rng.permutation(n_units)[n_labels:]
    people[hidden] = np.nan
    return people, judge


@pytest.mark.parametrize(
    ("seed", "n_labels", "n_units", "agreement", "grades"),
    list(itertools.product(range(3), (20, 150), (200, 2000), (0.5, 0.8, 0.99), (False, True))),
)
def test_value_share_and_standard_error_are_those_of_ppi_python(seed, n_labels, n_units, agreement, grades):
    ppi = pytest.importorskip("ppi_py", reason="ppi-python 0.2.3 is not installed: pip install ppi-python==0.2.3")
    people, judge = drawn(seed, n_labels, n_units, agreement, grades)
    known = np.isfinite(people)
    parts = people[known], judge[known], judge[~known]
    result = correct(Units.of(people, judge), GRADE if grades else SHARE)
    assert result.value == pytest.approx(float(ppi.ppi_mean_pointestimate(*parts)[0]), abs=1e-9)
    low, high = (float(end[0]) for end in ppi.ppi_mean_ci(*parts, alpha=0.05))
    assert 2 * 1.959963984540054 * np.sqrt(result.variance) == pytest.approx(high - low, abs=1e-9)
    for share in (0.0, 0.5, 1.0):
        low, high = (float(end[0]) for end in ppi.ppi_mean_ci(*parts, alpha=0.05, lam=share))
        fixed = correct(Units.of(people, judge), SHARE, share)
        assert fixed.value == pytest.approx((low + high) / 2, abs=1e-9)
        assert 2 * 1.959963984540054 * np.sqrt(fixed.variance) == pytest.approx(high - low, abs=1e-9)


def test_a_case_by_hand():
    # Labels 1 1 0 0, of which the judge says 1 1 1 0; of four others it says 1 0 0 0.
    people = np.array([1, 1, 0, 0, *[np.nan] * 4])
    judge = np.array([1, 1, 1, 0, 1, 0, 0, 0.0])
    plain = correct(Units.of(people, judge), SHARE, share=1.0)
    assert plain.value == pytest.approx(0.25 + (0.5 - 0.75))
    assert plain.variance == pytest.approx((3 / 16) / 4 + (3 / 16) / 4)
    tuned = correct(Units.of(people, judge), SHARE)
    # Covariance 1/8 over the labels, variance 2/7 over all eight, as many others as labels.
    assert tuned.share == pytest.approx((1 / 8) / (2 * 2 / 7))
    assert tuned.value == pytest.approx(0.5 + tuned.share * (0.25 - 0.75))


def test_the_judge_alone_is_its_mean_and_labels_alone_are_theirs():
    people, judge = drawn(1)
    both = compare(Units.of(people, judge), SHARE, 0.95)
    assert both.judge_alone.value == pytest.approx(judge.mean())
    assert both.labels_alone.value == pytest.approx(np.nanmean(people))
    known = np.isfinite(people)
    assert both.judge_minus_people.value == pytest.approx((judge[known] - people[known]).mean())


@pytest.mark.parametrize("seed", range(5))
def test_a_judge_narrows_the_interval_as_far_as_it_goes_with_people(seed):
    widths = []
    for agreement in (0.5, 0.8, 0.95):
        result = compare(Units.of(*drawn(seed, 200, 4000, agreement)), SHARE, 0.95)
        widths.append(result.corrected.high - result.corrected.low)
        assert widths[-1] <= (result.labels_alone.high - result.labels_alone.low) * 1.01
        # Var(labels) / Var(corrected) is 1 / (1 − ρ² N/(n + N)).
        expected = 200 / (1 - result.correlation**2 * 3800 / 4000)
        assert result.worth == pytest.approx(expected, rel=0.05)
    assert widths == sorted(widths, reverse=True)


def test_a_judge_that_goes_against_people_is_left_out():
    people, judge = drawn(2, agreement=0.8)
    against = compare(Units.of(people, 1 - judge), SHARE, 0.95)
    assert against.share == 0
    assert against.corrected.value == against.labels_alone.value


def test_unread_replies_change_how_narrow_it_is_and_not_what_people_say():
    people, judge = drawn(3, n_labels=400, n_units=400)
    judge[:300] = np.nan
    result = compare(Units.of(people, judge), SHARE, 0.95)
    assert result.corrected.value == pytest.approx(people.mean())
    everything = compare(Units.of(people, np.full(400, np.nan)), SHARE, 0.95)
    assert everything.corrected == everything.labels_alone
    assert np.isnan(everything.judge_alone.value)


def test_units_of_one_prompt_are_one_observation():
    people, judge = drawn(4, n_labels=100, n_units=500)
    alone = correct(Units.of(people, judge), SHARE)
    prompts = np.arange(500)
    copied = correct(Units.of(np.tile(people, 3), np.tile(judge, 3), np.tile(prompts, 3)), SHARE, share=alone.share)
    assert copied.value == pytest.approx(alone.value)
    assert copied.variance == pytest.approx(alone.variance)
    assert copied.size == pytest.approx(alone.size)
    assert copied.effective == pytest.approx(alone.effective)


def test_strata_are_weighed_by_their_size_whatever_was_drawn_from_each():
    rng = np.random.default_rng(5)
    stratum = np.repeat([0, 1], [900, 100])
    truth = (rng.random(1000) < np.where(stratum == 0, 0.2, 0.8)).astype(float)
    people = np.full(1000, np.nan)
    for name in (0, 1):
        places = rng.choice(np.flatnonzero(stratum == name), 50, replace=False)
        people[places] = truth[places]
    judge = np.where(rng.random(1000) < 0.8, truth, 1 - truth)
    result = correct(Units.of(people, judge, stratum=stratum), SHARE, share=0.0)
    assert result.value == pytest.approx(0.9 * np.nanmean(people[:900]) + 0.1 * np.nanmean(people[900:]))
    assert correct(Units.of(people, judge), SHARE, share=0.0).value > result.value + 0.1


def test_where_everything_is_labelled_the_judge_has_nothing_to_add():
    people, judge = drawn(6, n_labels=300, n_units=300)
    result = correct(Units.of(people, judge), SHARE)
    assert (result.value, result.share) == (pytest.approx(people.mean()), 0.0)


def test_labels_that_are_all_alike_and_a_judge_without_an_error_leave_something_to_be_unsure_of():
    for people in (np.ones(50), np.zeros(50)):
        units = Units.of(np.r_[people, [np.nan] * 950], np.r_[people, np.full(950, people[0])])
        estimate = compare(units, SHARE, 0.95).corrected
        # Fifty of fifty: the rule of three says 6 %.
        assert 0.04 < estimate.high - estimate.low < 0.10
        assert estimate.low == 0 or estimate.high == 1
    people, judge = drawn(7, n_labels=50, n_units=5000, agreement=1.0)
    sure = compare(Units.of(people, judge), SHARE, 0.95).corrected
    assert sure.high - sure.low > 0.04


def test_grades_that_are_all_alike_have_no_interval():
    estimate = compare(Units.of(np.r_[np.full(30, 4.0), [np.nan] * 70], np.full(100, 4.0)), GRADE, 0.95).corrected
    assert estimate.value == 4
    assert np.isnan(estimate.low)


def test_a_share_of_grades_may_be_above_one_and_of_shares_not():
    people, judge = drawn(8, n_labels=100, grades=True)
    tenth = correct(Units.of(people, judge / 10), GRADE)
    assert tenth.share == pytest.approx(10 * correct(Units.of(people, judge), GRADE).share)
    assert tenth.value == pytest.approx(correct(Units.of(people, judge), GRADE).value)
    assert correct(Units.of(people, judge / 10), SHARE).share == 1


def test_a_difference_knows_what_both_means_share():
    people, judge = drawn(9, grades=True)
    one = correct(Units.of(people, judge), GRADE)
    other = correct(Units.of(people + 1, judge), GRADE)
    gap = other.minus(one)
    assert gap.value == pytest.approx(1)
    assert gap.variance == pytest.approx(0, abs=1e-20)


def test_wilsons_interval_is_the_textbooks():
    # 8 of 10: 0.490 to 0.943 (Wilson 1927, z = 1.96).
    ends = wilson(0.8, 0.8 * 0.2 / 10, 1.959963984540054, SHARE, 10)
    assert ends == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    doubled = wilson(0.6, 4 * 0.8 * 0.2 / 10, 1.959963984540054, DIFFERENCE, 10)
    assert doubled == pytest.approx((2 * ends[0] - 1, 2 * ends[1] - 1))


def test_too_few_labels_are_refused_in_words():
    judge = np.zeros(200)
    few = np.r_[np.ones(LEAST_LABELS - 1), [np.nan] * (201 - LEAST_LABELS)]
    assert refusal(Units.of(few, judge)) == f"{LEAST_LABELS - 1} labels; at least {LEAST_LABELS} are needed"
    many = np.r_[np.ones(100), [np.nan] * 100]
    assert refusal(Units.of(many, judge)) == ""
    assert "labels on 10 prompts" in refusal(Units.of(many, judge, np.arange(200) // 10))
    assert refusal(Units.of(many, judge, stratum=np.r_[np.zeros(199), 1])) == "a stratum has fewer than two labels"


def test_units_of_a_part_keep_their_prompts():
    units = Units.of(np.arange(4.0), np.arange(4.0), cluster=["c", "a", "c", "b"])
    part = units.part(np.array([False, True, False, True]))
    assert list(part.cluster) == [0, 1]
    assert len(judged(part, GRADE).by_cluster) == units.n_clusters == 3
