"""The alternative annotator test: by hand, against plain loops, against statsmodels and SciPy, and its properties."""

import itertools

import numpy as np
import pytest
from scipy import optimize, stats

from judgemerge.evaluate import alternative_annotator as alternative
from judgemerge.evaluate.multiple_testing import benjamini_yekutieli

NAN = np.nan


def panel(labels, cluster=None, are_grades=False):
    labels = np.array(labels, dtype=float)
    cluster = np.arange(len(labels)) if cluster is None else np.array(cluster)
    people = tuple(f"p{number}" for number in range(labels.shape[1]))
    return alternative.Panel(people, labels, cluster, are_grades)


def asked(n):
    return np.ones(n, dtype=bool)


def drawn(seed, n=40, n_people=4, are_grades=False):
    """Return a panel with gaps and a judge with gaps."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (n, n_people)).astype(float)
    labels[rng.random(labels.shape) < 0.2] = NAN
    judge = rng.integers(0, 4, n).astype(float)
    judge[rng.random(n) < 0.1] = NAN
    return panel(labels, are_grades=are_grades), judge


# ---- who is nearer ----


def test_a_panel_by_hand():
    """Three people, four items: p0 against the labels of p1 and p2."""
    people = panel([[0, 0, 1], [0, 1, 1], [0, 0, 0], [0, NAN, NAN]])
    duel = alternative.duels(people, np.array([1.0, 1, 2, 0]), asked(4))[0]
    # item 0: both agree with one of two; 1: only the judge agrees; 2: only the person does; 3: nobody else labelled it
    assert duel.item.tolist() == [0, 1, 2]
    assert duel.judge_wins.tolist() == [True, True, False]
    assert duel.person_wins.tolist() == [True, False, True]
    assert duel.difference.tolist() == [0, -1, 1]
    assert (duel.advantage, duel.margin) == (pytest.approx(2 / 3), 0)


def test_grades_by_hand():
    """RMSE to 2 and 4: of 3 it is 1, of 2 √2, of 5 √5."""
    people = panel([[3, 2, 4], [2, 2, 4]], are_grades=True)
    duel = alternative.duels(people, np.array([2.0, 5.0]), asked(2))[0]
    assert duel.judge_wins.tolist() == [False, False]
    assert alternative.costs(np.array([3.0, 2, 5]), np.array([[2.0, 4]] * 3), True) == pytest.approx(
        [1, 2**0.5, 5**0.5]
    )


@pytest.mark.parametrize("are_grades", [False, True])
@pytest.mark.parametrize("seed", range(5))
def test_duels_are_what_plain_loops_give(seed, are_grades):
    people, judge = drawn(seed, are_grades=are_grades)
    for number, duel in enumerate(alternative.duels(people, judge, asked(len(judge)))):
        expected = []
        for item, labels in enumerate(people.labels):
            others = [label for other, label in enumerate(labels) if other != number and label == label]
            if labels[number] == labels[number] and others:
                person, of_judge = (near(label, others, are_grades) for label in (labels[number], judge[item]))
                expected.append((item, of_judge >= person - 1e-9, person >= of_judge - 1e-9))
        assert list(zip(duel.item, duel.judge_wins, duel.person_wins, strict=True)) == expected


def near(label, others, are_grades):
    """Return S as the paper writes it."""
    if label != label:
        return -np.inf if are_grades else 0.0
    if are_grades:
        return -np.sqrt(np.mean([(label - other) ** 2 for other in others]))
    return np.mean([label == other for other in others])


def test_an_unreadable_reply_agrees_with_nobody():
    """A person whom nobody agrees with is no nearer to the others; one with a grade always is."""
    judge = np.array([NAN, NAN])
    classes = alternative.duels(panel([[0, 1, 2], [0, 0, 0]]), judge, asked(2))[0]
    assert (classes.judge_wins.tolist(), classes.person_wins.tolist()) == ([True, False], [True, True])
    of_grades = alternative.duels(panel([[0, 1, 2], [0, 0, 9]], are_grades=True), judge, asked(2))[0]
    assert (of_grades.judge_wins.any(), of_grades.person_wins.all()) == (False, True)


def test_only_items_that_the_judge_was_asked_about_count():
    people = panel([[0, 0, 0]] * 3)
    duel = alternative.duels(people, np.zeros(3), np.array([True, False, True]))[1]
    assert duel.item.tolist() == [0, 2]


def test_a_judge_that_repeats_a_person_is_exactly_as_near():
    people, _ = drawn(3)
    duel = alternative.duels(people, people.labels[:, 2], people.has_label[:, 2])[2]
    assert duel.margin == 0 and duel.advantage == 1


# ---- p-values ----


@pytest.mark.parametrize("seed", range(20))
def test_the_papers_p_is_scipys_t_test(seed):
    rng = np.random.default_rng(seed)
    difference = rng.choice([-1, 0, 0, 1], int(rng.integers(30, 90)))
    expected = stats.ttest_1samp(difference, 0.15, alternative="less").pvalue
    assert alternative.t_test_p(difference, 0.15) == pytest.approx(expected, rel=1e-12)


def test_without_spread_the_papers_p_is_certain():
    assert alternative.t_test_p(np.zeros(30), 0.1) == 0
    assert alternative.t_test_p(np.ones(30), 0.1) == 1


@pytest.mark.parametrize("epsilon", [0.05, 0.1, 0.2, 0.3])
@pytest.mark.parametrize("counts", [(30, 0, 0), (25, 5, 0), (20, 4, 6), (10, 10, 10), (0, 15, 15), (28, 0, 2)])
def test_the_restricted_variance_is_the_maximum_of_the_likelihood(counts, epsilon):
    """Against a search: q = P(d = −1) and q + ε = P(d = 1), d = 0 otherwise."""
    same, above, below = counts
    difference = np.repeat([0, 1, -1], counts)

    def minus_log_likelihood(q):
        return -stats.multinomial.logpmf([same, above, below], sum(counts), [1 - 2 * q - epsilon, q + epsilon, q])

    best = optimize.minimize_scalar(
        minus_log_likelihood, bounds=(1e-12, (1 - epsilon) / 2 - 1e-12), method="bounded", options={"xatol": 1e-12}
    ).x
    assert alternative.restricted_variance(difference, epsilon) == pytest.approx(
        2 * best + epsilon - epsilon**2, abs=1e-5
    )


def test_at_epsilon_zero_the_score_test_is_mcnemars():
    difference = np.repeat([0, 1, -1], [50, 12, 25])
    z = (12 - 25) / np.sqrt(12 + 25)
    p = alternative.margin_p(difference, np.arange(87), 0.0)
    assert p == pytest.approx(stats.t.cdf(z, 86))
    assert alternative.margin_p(np.zeros(40), np.arange(40), 0.0) == 1.0


def test_thirty_equal_items_do_not_prove_a_margin_below_a_tenth():
    """At E[d] = 0.1 thirty zeros come in 0.9^30 = 4 % of samples; the t test gives p = 0."""
    p = alternative.margin_p(np.zeros(30), np.arange(30), 0.1)
    assert 0.9**30 * 0.75 < p < 0.9**30 * 1.25


def test_items_of_one_prompt_are_not_independent():
    difference = np.repeat([1, 0, 0, -1] * 10, 5)
    cluster = np.repeat(np.arange(40), 5)
    alone, together = (alternative.margin_p(difference, c, 0.2) for c in (np.arange(200), cluster))
    assert alone < together
    # every item five times is no more than every item once, but for the degrees of freedom of s²
    once = alternative.margin_p(difference[::5], np.arange(40), 0.2)
    assert together == pytest.approx(once, rel=0.05)
    assert alternative.design_effect(difference.astype(float), cluster) == pytest.approx(5 * 199 / 195, rel=1e-9)


def test_many_panels_side_by_side_are_what_each_is_alone():
    rng = np.random.default_rng(8)
    difference, cluster = rng.choice([-1, 0, 0, 0, 1], (6, 50)), rng.integers(0, 20, 50)
    difference[0] = 0
    for epsilon in (0.0, 0.1):
        p, p_items = alternative.margin_p(difference, cluster, epsilon), alternative.t_test_p(difference, epsilon)
        np.testing.assert_allclose(p, [alternative.margin_p(row, cluster, epsilon) for row in difference])
        np.testing.assert_allclose(p_items, [alternative.t_test_p(row, epsilon) for row in difference])
    grouped = rng.random((5, 4))
    rates = [(benjamini_yekutieli(row) <= 0.05).mean() for row in grouped]
    np.testing.assert_allclose(alternative.winning_rate(grouped), rates)


def test_alone_in_its_prompt_an_item_has_no_design_effect():
    values = np.random.default_rng(1).choice([-1.0, 0, 1], 50)
    assert alternative.design_effect(values, np.arange(50)) == pytest.approx(1)


# ---- the whole ----


def test_a_judge_like_a_careful_person_passes_and_a_random_one_fails():
    rng = np.random.default_rng(5)
    truth = rng.integers(0, 3, 300)
    people = panel(np.where(rng.random((300, 3)) < 0.1, (truth[:, None] + 1) % 3, truth[:, None]))
    good = alternative.alternative_annotator_test(alternative.duels(people, truth.astype(float), asked(300)), 0.1)
    random = rng.integers(0, 3, 300).astype(float)
    bad = alternative.alternative_annotator_test(alternative.duels(people, random, asked(300)), 0.1)
    assert (good.winning_rate, good.passes, good.n_beaten) == (1, True, 3)
    assert (bad.winning_rate, bad.passes) == (0, False)
    assert good.advantage > 0.95 > 0.5 > bad.advantage


@pytest.mark.parametrize("seed", range(6))
def test_a_larger_epsilon_never_makes_it_harder(seed):
    people, judge = drawn(seed, n=120)
    duels = alternative.duels(people, judge, asked(120))
    tests = [alternative.alternative_annotator_test(duels, epsilon) for epsilon in (0, 0.1, 0.2, 0.3, 0.5)]
    for before, after in itertools.pairwise(tests):
        assert (after.p <= before.p + 1e-12).all() and (after.p_items <= before.p_items + 1e-12).all()
        assert after.winning_rate >= before.winning_rate


def test_renaming_classes_and_people_changes_nothing():
    people, judge = drawn(2, n=100)
    other = panel(np.array([30.0, 10, 20, 0])[np.nan_to_num(people.labels).astype(int)] + 0 * people.labels)
    renamed = np.array([30.0, 10, 20, 0])[np.nan_to_num(judge).astype(int)] + 0 * judge
    reversed_people = panel(people.labels[:, ::-1])
    tests = [
        alternative.alternative_annotator_test(alternative.duels(*case, asked(100)), 0.2)
        for case in ((people, judge), (other, renamed), (reversed_people, judge))
    ]
    np.testing.assert_allclose(tests[0].p, tests[1].p)
    np.testing.assert_allclose(tests[0].p, tests[2].p[::-1])


# ---- refusals ----


def test_too_few_items_people_or_prompts_are_refused_in_a_sentence():
    def refused(n, n_people, cluster=None, labels=None):
        people = panel(np.zeros((n, n_people)) if labels is None else labels, cluster)
        return alternative.refusal(people, alternative.duels(people, np.zeros(n), asked(n)), asked(n))

    assert refused(29, 3).startswith("0 of 3 annotators labelled 30 items or more that somebody else labelled too")
    assert "and the test needs 3" in refused(100, 2)
    assert refused(30, 3) == ""
    assert refused(40, 3, cluster=[0] * 40).startswith("all items share one prompt")
    alone = np.full((40, 3), NAN)
    alone[:, 0] = 0
    assert refused(40, 3, labels=alone) == "no item has the labels of two people and a reply of the judge"


def test_people_with_too_few_items_are_left_out_and_counted():
    labels = np.zeros((60, 4))
    labels[20:, 3] = NAN
    duels = alternative.duels(panel(labels), np.zeros(60), asked(60))
    test = alternative.alternative_annotator_test(duels, 0.2)
    assert [duel.person for duel in test.duels] == ["p0", "p1", "p2"]


def test_people_who_labelled_little_are_packed_together_and_keep_their_say():
    """Two who labelled all 40 items, and forty who labelled one or two each, one of them twice the same."""
    item = np.concatenate([np.arange(40), np.arange(40), np.arange(40), [0, 1, 1]])
    person = np.array(["ann"] * 40 + ["bob"] * 40 + [f"w{n}" for n in range(40)] + ["w7", "w9", "w9"])
    label = np.concatenate([np.zeros(40), np.ones(40), np.full(40, 2.0), [2, 2, 1]])
    shuffled = np.random.default_rng(1).permutation(122)  # the last label, a second one of w9 on item 1, stays last
    order = np.append(shuffled, 122)
    packed = alternative.Panel.of_votes(item[order], person[order], label[order], np.arange(40), False)
    assert (packed.people, packed.n_rare, packed.n_people) == (("ann", "bob"), 40, 42)
    assert packed.labels.shape == (40, 4)
    plain = np.full((40, 42), NAN)
    columns = {name: number for number, name in enumerate(["ann", "bob", *(f"w{n}" for n in range(40))])}
    for one, who, value in zip(item[:122], person[:122], label[:122], strict=True):
        plain[one, columns[who]] = value
    judge = np.random.default_rng(2).integers(0, 3, 40).astype(float)
    ours, expected = (alternative.duels(one, judge, asked(40))[:2] for one in (packed, panel(plain)))
    for one, other in zip(ours, expected, strict=True):
        assert one.difference.tolist() == other.difference.tolist()
