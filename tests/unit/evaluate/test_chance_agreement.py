"""Kappas of a group and a judge: against scikit-learn and Lin's formula, by hand, and their properties."""

import numpy as np
import pytest
from sklearn.metrics import cohen_kappa_score

from judgemerge.evaluate import chance_agreement as chance
from judgemerge.evaluate.bootstrap import leave_one_out
from judgemerge.evaluate.estimates import draw_sample

NAN = np.nan


def sample_of(n, cluster=None):
    clusters = range(n) if cluster is None else cluster
    return draw_sample([str(name) for name in clusters], "test", chance_settings())


def chance_settings():
    from judgemerge.settings.report import Statistics

    return Statistics(resamples=100)


def drawn(seed, n=80, n_people=3):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, n)
    labels = np.where(rng.random((n, n_people)) < 0.3, rng.integers(0, 3, (n, n_people)), truth[:, None]).astype(float)
    judge = np.where(rng.random(n) < 0.4, rng.integers(0, 3, n), truth).astype(float)
    return labels, judge


@pytest.mark.parametrize("seed", range(5))
def test_kappas_of_classes_are_scikit_learns(seed):
    labels, judge = drawn(seed)
    kappas = chance.group_kappas(labels, judge, np.arange(80), False)
    for one in range(3):
        assert kappas.judge[one] == pytest.approx(cohen_kappa_score(labels[:, one], judge))
        for other in range(3):
            if one != other:
                expected = cohen_kappa_score(labels[:, one], labels[:, other])
                assert kappas.people[one, other] == pytest.approx(expected)


@pytest.mark.parametrize("seed", range(5))
def test_kappas_of_grades_have_quadratic_weights_and_are_lins_concordance(seed):
    labels, judge = drawn(seed)
    labels, judge = labels + 1, judge + 1
    kappas = chance.group_kappas(labels, judge, np.arange(80), True)
    one, other = labels[:, 0], labels[:, 1]
    lin = 2 * np.cov(one, other, ddof=0)[0, 1] / (one.var() + other.var() + (one.mean() - other.mean()) ** 2)
    assert kappas.people[0, 1] == pytest.approx(cohen_kappa_score(one, other, weights="quadratic"))
    assert kappas.people[0, 1] == pytest.approx(lin)
    assert kappas.judge[2] == pytest.approx(cohen_kappa_score(labels[:, 2], judge, weights="quadratic"))


def test_far_from_zero_grades_keep_their_kappa():
    labels, judge = drawn(1)
    near, far = (chance.group_kappas(labels + shift, judge + shift, np.arange(80), True) for shift in (0, 1e6))
    np.testing.assert_allclose(near.people, far.people, rtol=1e-9)


def test_what_is_missing_is_left_out_pair_by_pair():
    labels, judge = drawn(2)
    labels[:20, 0] = NAN
    judge[70:] = NAN
    kappas = chance.group_kappas(labels, judge, np.arange(80), False)
    assert kappas.judge[0] == pytest.approx(cohen_kappa_score(labels[20:70, 0], judge[20:70]))


def test_two_who_share_too_few_items_have_no_kappa():
    labels, judge = drawn(3)
    labels[:51, 0] = NAN
    kappas = chance.group_kappas(labels, judge, np.arange(80), False)
    assert np.isnan(kappas.people[0]).all() and np.isnan(kappas.judge[0]).all()
    assert np.isfinite(kappas.people[1, 2])


def test_z_by_hand():
    """Kappas .6, .5, .4 among people and .7, .6, .5 with the judge.

    Each person's mean in the group: (.6 + .5 + .7)/3 = .6, (.6 + .4 + .6)/3, (.5 + .4 + .5)/3; their mean .5333,
    standard deviation .0667; the judge's mean is .6.
    """
    people = np.array([[NAN, 0.6, 0.5], [0.6, NAN, 0.4], [0.5, 0.4, NAN]])
    each = np.array([1.8, 1.6, 1.4]) / 3
    z = chance.verdict_z(people, np.array([0.7, 0.6, 0.5]))
    assert z == pytest.approx((0.6 - each.mean()) / each.std(ddof=1))


def test_z_of_two_people_and_of_people_who_share_nothing():
    two = chance.verdict_z(np.array([[NAN, 0.5], [0.5, NAN]]), np.array([0.3, 0.6]))
    assert two == pytest.approx((0.45 - 0.475) / (np.std([0.4, 0.55], ddof=1)))
    assert np.isnan(chance.verdict_z(np.full((2, 2), NAN), np.array([0.3, 0.6])))
    assert np.isnan(chance.verdict_z(np.array([[NAN, 0.5], [0.5, NAN]]), np.array([0.3, 0.3])))


@pytest.mark.parametrize("are_grades", [False, True])
def test_without_a_cluster_every_kappa_is_that_of_the_other_items(are_grades):
    """Against leaving the items of one cluster after the other out of everything; a person labels a part of them."""
    labels, judge = drawn(7)
    labels[:40, 1] = NAN
    cluster = np.repeat(np.arange(16), 5)
    kappas = chance.group_kappas(labels, judge, cluster, are_grades)
    value, without = chance.mean_kappa(kappas.among_people, 16)
    assert value[0] == pytest.approx(np.nanmean(kappas.people))
    for left_out in range(16):
        kept = cluster != left_out
        rest = chance.group_kappas(labels[kept], judge[kept], cluster[kept], are_grades)
        assert without[left_out] == pytest.approx(np.nanmean(rest.people))


def test_a_judge_that_is_one_more_person_has_a_gap_near_zero():
    rng = np.random.default_rng(4)
    truth = rng.integers(0, 3, 4000)
    raters = np.where(rng.random((4000, 5)) < 0.3, rng.integers(0, 3, (4000, 5)), truth[:, None]).astype(float)
    estimates = chance.group_estimates(
        chance.group_kappas(raters[:, :4], raters[:, 4], np.arange(4000), False), sample_of(4000)
    )
    gap = estimates["kappa_gap"]
    assert gap.low < 0 < gap.high and gap.high - gap.low < 0.06
    assert abs(estimates["verdict_z"].value) < 3 and np.isnan(estimates["verdict_z"].low)


def test_the_jackknife_interval_is_the_textbooks():
    """Of a mean it is Student's interval: s / √n with n − 1 degrees of freedom."""
    values = np.random.default_rng(6).random(25)
    sample = sample_of(25)
    counts = sample.count(values, np.ones(25))
    value, without = (sums[0] / sums[1] for sums in (counts.sum(axis=1, keepdims=True), leave_one_out(counts)))
    found = chance.jackknife_estimate(value, without, sample)
    from scipy import stats

    low, high = stats.t.interval(0.95, 24, values.mean(), stats.sem(values))
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_deflation_by_hand():
    """Nine in ten of one class on both sides: agreement .82, chance .82, kappa 0."""
    one = np.array([0.0] * 81 + [0] * 9 + [1] * 9 + [1])
    other = np.array([0.0] * 81 + [1] * 9 + [0] * 9 + [1])
    estimates = chance.deflation_estimates(one, other, 2, sample_of(100))
    assert estimates["gold_agreement"].value == pytest.approx(0.82)
    assert estimates["gold_kappa"].value == pytest.approx(0, abs=1e-12)
    assert estimates["kappa_deflation"].value == pytest.approx(82)
    assert estimates["kappa_deflation"].low < 82 < estimates["kappa_deflation"].high


def test_perfect_agreement_deflates_by_nothing_and_a_constant_side_has_no_kappa():
    one = np.array([0.0, 1, 2] * 20)
    assert chance.deflation_estimates(one, one, 3, sample_of(60))["kappa_deflation"].value == pytest.approx(0)
    constant = chance.deflation_estimates(np.zeros(60), np.zeros(60), 3, sample_of(60))
    assert np.isnan(constant["gold_kappa"].value) and constant["gold_agreement"].value == 1
