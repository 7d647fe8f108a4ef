"""Power and labels: equal to Miller's and to statsmodels' numbers, right in cases known by hand, in step with tests."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower
from statsmodels.stats.proportion import samplesize_confint_proportion

from judgemerge.evaluate import alternative_annotator as alternative
from judgemerge.evaluate.corrected import SHARE, Units, correct
from judgemerge.evaluate.planning import (
    Duelling,
    Labelled,
    Spread,
    agreement_table,
    items_to_replace,
    kappa_variance,
    passing_level,
    smallest,
)
from judgemerge.evaluate.power import detectable, detectable_by_interval, power_of, reach

# Miller 2024, arXiv:2411.00640, section 5: ω² = 1/9, significance .05, power .8, many runs per question.
OMEGA_SQUARED, DIFFERENCE, MILLER = 1 / 9, 0.03, 969


def test_miller_s_example_takes_969_questions():
    distance = reach(0.8, 0.95, math.inf)
    assert math.ceil(distance**2 * OMEGA_SQUARED / DIFFERENCE**2) == MILLER
    # Student's t, which does not know the variance, takes two more.
    assert Spread(OMEGA_SQUARED, is_share=False).items(DIFFERENCE, 0.8, 0.95) == MILLER + 2
    # One run per question of two judges that vary by 1/6 each: the variances add up (his formula 9).
    noisy = Spread(OMEGA_SQUARED + 1 / 6 + 1 / 6, is_share=False)
    expected = distance**2 * noisy.squares / DIFFERENCE**2
    assert noisy.items(DIFFERENCE, 0.8, 0.95) == pytest.approx(expected, rel=0.001)


@pytest.mark.parametrize("n", [5, 20, 150, 3000])
@pytest.mark.parametrize("power", [0.5, 0.8, 0.95])
def test_power_is_that_of_statsmodels(n, power):
    distance = reach(power, 0.95, n)
    assert TTestPower().power(distance / math.sqrt(n), n, 0.05) == pytest.approx(power, abs=1e-6)
    assert power_of(0.0, n, 0.95) == pytest.approx(0.05)


@pytest.mark.parametrize("effective", [1, 2, 2.5, 1e6, 1e9, math.inf])
def test_the_reach_is_there_for_two_prompts_and_for_a_million(effective):
    assert power_of(reach(0.8, 0.95, effective), effective, 0.95) == pytest.approx(0.8, abs=1e-6)


def test_a_difference_is_detectable_from_2_8_standard_errors_on():
    assert detectable(0.01, math.inf, 0.95) == pytest.approx(0.02802, abs=1e-5)
    half = 0.01 * stats.t.ppf(0.975, 29)
    assert detectable_by_interval(0.1 - half, 0.1 + half, 30, 0.95) == pytest.approx(detectable(0.01, 30, 0.95))
    assert math.isnan(detectable_by_interval(0.1, 0.1, 30, 0.95))
    assert math.isnan(detectable_by_interval(math.nan, math.nan, 30, 0.95))


def test_what_differences_show():
    d = np.array([1, -1, 0, 0, 0.5, 0, 0, 0])
    spread = Spread.of(d, np.arange(8))
    assert spread.squares == pytest.approx(2.25 / 8)
    assert (spread.design_effect, spread.per_prompt) == (1.0, 1.0)
    assert spread.cubes == pytest.approx((2 + 1 / 8) / 2.5)
    assert spread.fourths == pytest.approx((2 + 1 / 16) / 2.25)
    copied = Spread.of(np.repeat(d, 3), np.repeat(np.arange(8), 3))
    assert copied.per_prompt == pytest.approx(3)
    assert copied.design_effect == pytest.approx(3, rel=0.15)  # n − 1 and G − 1 differ with 8 prompts
    # Copies of a prompt say nothing new: as many prompts are needed.
    one = copied.items(0.1, 0.8, 0.95) / 3
    assert one == pytest.approx(spread.items(0.1, 0.8, 0.95), rel=0.2)


def test_judges_that_hardly_differ_must_differ_by_what_is_to_be_shown():
    assert Spread(0.001).variance(0.05) == pytest.approx(0.05 - 0.05**2)
    assert Spread(0.2).variance(0.05) == pytest.approx(0.2 - 0.05**2)
    assert Spread(0.0).items(0.05, 0.8, 0.95) > 50


@pytest.mark.parametrize("spread", [Spread(0.15), Spread(0.05, True, 2.0, 6.0), Spread(0.4, is_share=False)])
def test_items_needed_and_what_they_show_are_each_other_s_inverse(spread):
    n_items = spread.items(0.05, 0.8, 0.95)
    assert spread.detectable(n_items, 0.8, 0.95) == pytest.approx(0.05, rel=0.02)
    assert spread.power(0.05, n_items, 0.95) >= 0.8 > spread.power(0.05, n_items - 8, 0.95)


def test_llmbar_s_adversarial_items_separate_merges_five_to_seven_points_apart():
    """docs/evaluation.md and docs/studies/replay.md say so."""
    assert [round(Spread(squares).detectable(319, 0.8, 0.95), 3) for squares in (0.10, 0.20)] == [0.048, 0.069]


def test_more_power_smaller_differences_and_more_disagreement_take_more_items():
    base = Spread(0.15).items(0.05, 0.8, 0.95)
    assert base < Spread(0.15).items(0.05, 0.9, 0.95) < Spread(0.15).items(0.03, 0.9, 0.95)
    assert base < Spread(0.15).items(0.05, 0.8, 0.99)
    assert base < Spread(0.3).items(0.05, 0.8, 0.95)


def test_the_smallest_number_that_is_enough():
    assert [smallest(lambda n, least=least: n >= least) for least in (0, 2, 3, 17, 1000)] == [2, 2, 3, 17, 1000]


# ---- labels ----


def test_labels_for_a_share_are_the_textbook_s_and_a_few_more():
    textbook = samplesize_confint_proportion(0.5, 0.05)
    assert textbook < Labelled(0.25).labels(0.05, 0.95) <= textbook + 4


def test_a_judge_makes_a_label_count_for_more_as_far_as_it_judged_more():
    alone = Labelled(0.25).labels(0.05, 0.95)
    helped = Labelled(0.25, correlation=0.6).labels(0.05, 0.95)
    assert helped == pytest.approx(alone * (1 - 0.36), rel=0.02)
    few = Labelled(0.25, correlation=0.6, n_items=500).labels(0.05, 0.95)
    assert helped < few < alone
    assert Labelled(0.25, correlation=0.6, n_items=300).labels(0.05, 0.95) is None


@pytest.mark.parametrize("n_labels", [60, 200])
def test_the_variance_left_is_that_of_the_estimator(n_labels):
    rng = np.random.default_rng(1)
    people = (rng.random(1000) < 0.5).astype(float)
    judge = np.where(rng.random(1000) < 0.6, people, (rng.random(1000) < 0.5).astype(float))
    rho = float(np.corrcoef(people, judge)[0, 1])
    values = []
    for seed in range(300):
        shown = np.full(1000, np.nan)
        drawn = np.random.default_rng(seed).choice(1000, n_labels, replace=False)
        shown[drawn] = people[drawn]
        values.append(correct(Units.of(shown, judge), SHARE).variance)
    expected = Labelled(float(people.var()), n_items=1000, correlation=rho).left(n_labels)
    assert np.mean(values) == pytest.approx(expected, rel=0.05)


def test_few_labels_of_many_items_seldom_share_a_prompt():
    whole = Labelled(0.25, design_effect=3.0, per_prompt=5.0, n_items=1000)
    assert whole.left(1000) == pytest.approx(3 * 0.25 / 1000)
    assert whole.left(100) == pytest.approx(1.2 * 0.25 / 100)


def test_the_variance_of_kappa_is_that_of_simulated_labels():
    table = agreement_table(0.6, [0.5, 0.3, 0.2])
    counts = np.random.default_rng(2).multinomial(200, table.ravel(), 20_000).reshape(-1, 3, 3) / 200
    agreed = np.trace(counts, axis1=1, axis2=2)
    chance = (counts.sum(axis=1) * counts.sum(axis=2)).sum(axis=1)
    simulated = ((agreed - chance) / (1 - chance)).var() * 200
    assert kappa_variance(table * 1000) == pytest.approx(simulated, rel=0.03)
    assert agreement_table(1.0, [1, 1]).tolist() == [[0.5, 0], [0, 0.5]]
    assert 0 < kappa_variance(np.diag([20.0, 30.0])) < 1


# ---- the alternative annotator test ----


def test_half_of_three_people_is_two_at_two_thirds_of_the_strictest_level():
    assert passing_level(3) == pytest.approx(2 * 0.05 / (3 * (1 + 1 / 2 + 1 / 3)))
    assert passing_level(1) == pytest.approx(0.05)


def test_a_judge_behind_by_epsilon_never_passes_and_one_ahead_needs_the_least():
    assert Duelling(0.3, 0.1).items(0.2, 3, 0.8) is None
    assert Duelling(0.0, 0.3).items(0.2, 3, 0.8) == alternative.LEAST_ITEMS
    near, far = Duelling(0.15, 0.15).items(0.1, 3, 0.8), Duelling(0.2, 0.15).items(0.1, 3, 0.8)
    assert alternative.LEAST_ITEMS < near < far
    # Two of three decide: one person who is far ahead does not matter, two do.
    assert items_to_replace([Duelling(0.5, 0.0), *[Duelling(0.15, 0.15)] * 2], 0.1, 0.8) == near
    assert items_to_replace([*[Duelling(0.5, 0.0)] * 2, Duelling(0.15, 0.15)], 0.1, 0.8) is None


def test_the_judge_is_beaten_as_often_as_planned_by_the_test_itself():
    rng, duel = np.random.default_rng(3), Duelling(0.15, 0.15)
    n_items = duel.items(0.15, 3, 0.8)
    d = rng.choice([1, -1, 0], (4000, n_items), p=[0.15, 0.15, 0.7])
    beaten = (alternative.margin_p(d, np.arange(n_items), 0.15) <= passing_level(3)).mean()
    assert beaten == pytest.approx(0.81, abs=0.03)


def test_duels_of_a_panel_are_counted():
    duel = alternative.Duel(
        "Ann", np.arange(4), np.array([True, True, False, True]), np.array([True, False, True, True]), np.arange(4)
    )
    seen = Duelling.of(duel)
    assert (seen.above, seen.below, seen.margin) == (0.25, 0.25, 0.0)
