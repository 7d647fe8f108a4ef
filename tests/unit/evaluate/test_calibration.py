"""Measures of calibration: against scikit-learn, by hand, and by what has to hold; and the two ways to calibrate."""

import math

import numpy as np
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from judgemerge.core.items import Item, Verdict
from judgemerge.evaluate import calibration
from judgemerge.evaluate.calibration import Confidences, Isotonic, Temperature, estimates
from judgemerge.evaluate.calibration_rows import Set, answer_of, confidences, rows, table_of
from judgemerge.settings.report import Statistics

QUICK = Statistics(resamples=200)


def data_of(confidence, hit, cluster=None):
    confidence, hit = np.array(confidence, dtype=float), np.array(hit, dtype=float)
    cluster = np.arange(len(hit)) if cluster is None else np.array(cluster)
    answers = [np.array([one, 1 - one]) for one in confidence]
    return Confidences(confidence, hit, cluster.astype(str), answers)


def values(data, *names):
    found = estimates(data, data.sample("test", QUICK), names)
    return [found[name].value for name in names]


def calibrated_judge(seed=5, n=400, temper=1.0):
    """Return a judge whose confidences are right, taken to the power of 1 / `temper`."""
    rng = np.random.default_rng(seed)
    true = rng.uniform(0.5, 1, n)
    hit = rng.uniform(size=n) < true
    odds = (true / (1 - true)) ** (1 / temper)
    return data_of(odds / (1 + odds), hit)


@pytest.mark.parametrize("seed", range(3))
def test_the_measures_are_those_of_scikit_learn(seed):
    data = calibrated_judge(seed, temper=0.5)
    brier, loss = values(data, "brier", "log_loss")
    assert brier == pytest.approx(brier_score_loss(data.hit, data.confidence))
    assert loss == pytest.approx(sklearn_log_loss(data.hit, data.confidence))
    agreement, confidence = calibration_curve(data.hit, data.confidence, n_bins=calibration.N_BINS)
    points = list(calibration.reliability_curve(data, "test", QUICK))
    assert [point.agreement.value for point in points] == pytest.approx(agreement)
    assert [point.confidence for point in points] == pytest.approx(confidence)
    sizes = np.array([point.n for point in points])
    assert values(data, "ece") == pytest.approx([(np.abs(agreement - confidence) * sizes).sum() / sizes.sum()])


def test_a_case_that_can_be_counted():
    data = data_of([0.95, 0.92, 0.91, 0.55, 0.52], [1, 1, 0, 0, 1])
    # The bins 0.5 and 0.9 have mean confidences .535 and .92667, and agreements 1/2 and 2/3.
    gaps = [2 * abs(0.535 - 0.5), 3 * abs(2.78 / 3 - 2 / 3)]
    assert values(data, "agreement", "confidence", "overconfidence", "ece") == pytest.approx(
        [0.6, 3.85 / 5, 0.17, sum(gaps) / 5]
    )
    # Risks at coverages 1/5 … 5/5: 0, 0, 1/3, 2/4, 2/5.
    assert values(data, "aurc") == pytest.approx([(1 / 3 + 2 / 4 + 2 / 5) / 5])
    chance = math.sqrt(2 / math.pi) * sum(
        math.sqrt(sum(c * (1 - c) for c in inside)) for inside in ([0.95, 0.92, 0.91], [0.55, 0.52])
    )
    assert values(data, "ece_by_chance") == pytest.approx([chance / 5])
    points = list(calibration.selective_curve(data, "t", QUICK))
    assert [point.at for point in points] == pytest.approx(np.arange(1, 11) / 10)
    accepted = [(point.at, point.n, point.agreement.value) for point in points[1::2]]
    assert accepted == [(0.2, 1, 1), (0.4, 2, 1), (0.6, 3, pytest.approx(2 / 3)), (0.8, 4, 0.5), (1.0, 5, 0.6)]


seeds = pytest.mark.parametrize("seed", range(60))


def any_judge(seed):
    """Return a judge of up to 40 items whose confidences have nothing to do with its hits; some are equal, 0 or 1."""
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 40))
    return data_of(np.round(rng.uniform(size=n), int(rng.integers(0, 8))), rng.integers(0, 2, n))


@seeds
def test_the_parts_of_the_brier_score_add_up(seed):
    data = any_judge(seed)
    names = ("brier", "brier_reliability", "brier_resolution", "brier_uncertainty", "brier_within_bins")
    whole = np.ones((1, len(data)))
    brier, reliability, resolution, uncertainty, within = (calibration.MEASURES[name](data, whole)[0] for name in names)
    assert brier == pytest.approx(reliability - resolution + uncertainty + within, abs=1e-9)
    assert min(reliability, resolution, uncertainty) >= -1e-12


@seeds
def test_weights_count_like_items_that_occur_so_often(seed):
    data = any_judge(seed)
    weights = (np.arange(len(data)) + 1) % 3
    places = np.repeat(np.arange(len(data)), weights)
    repeated = data.part(places)
    for name, measure in calibration.MEASURES.items():
        weighted = measure(data, weights[None].astype(float))[0]
        assert weighted == pytest.approx(measure(repeated, np.ones((1, len(places))))[0], abs=1e-9), name


def test_equally_sure_items_are_answered_together():
    data = data_of([0.9, 0.9, 0.9, 0.6], [0, 1, 1, 1])
    assert values(data, "aurc") == pytest.approx([0.75 * (1 / 3) + 0.25 * (1 / 4)])
    assert values(data_of([0.9] * 4, [1, 1, 0, 1]), "aurc") == pytest.approx(
        values(data_of([0.9] * 4, [0, 1, 1, 1]), "aurc")
    )
    assert [point.n for point in calibration.selective_curve(data, "t", QUICK)] == [3] * 7 + [4] * 3


def test_a_calibrated_judge_has_the_error_that_chance_makes():
    ratios = []
    for seed in range(40):
        error, chance = values(calibrated_judge(seed, n=200), "ece", "ece_by_chance")
        ratios.append(error / chance)
    assert np.mean(ratios) == pytest.approx(1, abs=0.1)


def test_intervals_hold_the_value_and_clusters_make_them_wider():
    alone = calibrated_judge(3, n=120, temper=0.4)
    tripled = alone.part(np.repeat(np.arange(120), 3))
    apart = Confidences(tripled.confidence, tripled.hit, np.arange(360).astype(str))
    for name in ("agreement", "ece", "brier", "log_loss", "aurc", "overconfidence"):
        one, same, naive = (estimates(d, d.sample("t", QUICK), (name,))[name] for d in (alone, tripled, apart))
        assert one.low <= one.value <= one.high, name
        assert (same.low, same.high) == pytest.approx((one.low, one.high), abs=1e-6), name
        assert naive.high - naive.low < 0.8 * (one.high - one.low), name


def test_without_items_nothing_is_defined():
    nothing = data_of([], [])
    assert all(math.isnan(one.value) for one in estimates(nothing, nothing.sample("t", QUICK)).values())
    assert not [*calibration.reliability_curve(nothing, "t", QUICK), *calibration.selective_curve(nothing, "t", QUICK)]


# ---- calibration ----


@pytest.mark.parametrize("temper", [0.4, 1.0, 2.0])
def test_the_temperature_undoes_a_power(temper):
    fitted = Temperature.fitted(calibrated_judge(8, n=20_000, temper=temper))
    assert fitted.value == pytest.approx(1 / temper, rel=0.05)


def test_a_temperature_changes_no_order_and_no_verdict():
    data = calibrated_judge(2, temper=0.5)
    cooler = Temperature(3.0).of(data)
    assert (np.argsort(cooler, kind="stable") == np.argsort(data.confidence, kind="stable")).all()
    assert (cooler > 0.5).all()
    assert Temperature(1.0).of(data) == pytest.approx(data.confidence)


def test_a_temperature_knows_all_answers():
    shares = calibration.shares_of({"first": 0.6, "second": 0.3, "tie": 0.1}, "first")
    three = Confidences(np.array([0.6]), np.array([1.0]), np.array(["a"]), [shares])
    powers = [0.6**0.5, 0.3**0.5, 0.1**0.5]
    assert Temperature(2.0).of(three) == pytest.approx([powers[0] / sum(powers)])
    assert list(calibration.shares_of({"first": 0.8}, "first")) == pytest.approx([0.8, 0.2])
    assert list(calibration.shares_of({"first": 0.8, "second": 0.2}, "second")) == pytest.approx([0.2, 0.8])


def test_isotonic_calibration_rises_and_removes_the_error_where_it_is_fitted():
    data = calibrated_judge(4, temper=0.4)
    calibrated = Isotonic.fitted(data).of(data)
    assert (np.diff(calibrated[np.argsort(data.confidence)]) >= 0).all()
    assert values(data.at(calibrated), "ece")[0] < 1e-9 < values(data, "ece")[0]
    assert (Isotonic.fitted(data).of(data_of([0, 1], [0, 1])) == [calibrated.min(), calibrated.max()]).all()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (data_of([0.5] * 29, [0, 1] * 14 + [0]), "29 development items with a probability, fewer than 30"),
        (data_of([0.5] * 40, [1] * 40), "all development verdicts are right"),
        (data_of([0.5] * 40, [0] * 40), "all development verdicts are wrong"),
        (data_of([0.5] * 40, [0, 1] * 20), ""),
    ],
)
def test_too_little_to_fit_on_is_said(data, reason):
    assert calibration.why_not_fitted(data) == reason


# ---- verdicts → confidences ----


def said(outcome, order="original", **probabilities):
    return Verdict("1", order, outcome, probabilities=probabilities or None)


@pytest.mark.parametrize(
    ("verdicts", "expected"),
    [
        ([said("first", first=0.8)], ("first", 0.8)),
        ([said("first", first=0.8, second=0.2), said("first", "swapped", first=0.6, second=0.4)], ("first", 0.7)),
        ([said("first", first=0.8, second=0.2), said("second", "swapped", first=0.4, second=0.6)], ("first", 0.6)),
        ([said("first", first=0.8, second=0.2), said("second", "swapped", first=0.2, second=0.8)], None),
        ([said("first", first=0.8), said("second", "swapped", second=0.9)], None),
        ([said("first", first=0.4), said("second", "swapped", first=0.2, second=0.8)], None),
        ([said("first", first=0.8), said("error", "swapped")], None),
        ([said("tie", first=0.5, second=0.5)], None),
        ([said("first")], None),
    ],
)
def test_both_orders_are_one_probability(verdicts, expected):
    answer = answer_of(verdicts)
    assert (answer and (answer[0], pytest.approx(answer[1][answer[0]]))) == expected


def test_an_expected_grade_is_as_sure_as_its_likeliest_one():
    verdict = Verdict("1", "original", "score", score=2.6, probabilities={"1": 0.1, "2": 0.3, "3": 0.6})
    assert answer_of([verdict])[0] == "3"


def pair(number, truth="first"):
    return Item(str(number), "bench", "pairwise", ("Why?",), (("a",), ("b",)), truth, f"c{number}", {"row": number})


def verdicts_of(n, confidence, right):
    rng = np.random.default_rng(n)
    answers = np.where(rng.uniform(size=n) < right, "first", "second")
    return [
        Verdict(str(k), "original", str(one), probabilities={str(one): confidence}) for k, one in enumerate(answers)
    ]


def test_items_without_a_probability_are_counted_and_those_not_asked_are_not():
    verdicts = [
        Verdict("0", "original", "first", probabilities={"first": 0.9}),
        Verdict("1", "original", "error", reason="cut"),
        Verdict("2", "original", "first"),
        Verdict("3", "original", "error", reason="not_recorded"),
    ]
    data, n_unknown = confidences([pair(number) for number in range(5)], verdicts)
    assert (len(data), n_unknown) == (1, 2)
    assert (data.confidence, data.hit) == (pytest.approx([0.9]), pytest.approx([1.0]))


def test_a_grade_is_right_within_half_a_grade():
    item = Item("1", "bench", "pointwise", ("Why?",), (("a",),), 3.5, "c", {"row": 0})
    answers = {
        grade: confidences([item], [Verdict("1", "original", "score", score=grade, probabilities={str(grade): 0.6})])
        for grade in (2, 3, 4, 5)
    }
    assert {grade: list(data.hit) for grade, (data, _) in answers.items()} == {2: [0], 3: [1], 4: [1], 5: [0]}


def test_calibrated_rows_stand_beside_raw_ones():
    items = [pair(number) for number in range(200)]
    judges = {"sure": verdicts_of(200, 0.95, 0.7), "silent": [Verdict(str(k), "original", "first") for k in range(200)]}
    development = Set("held", items, {"sure": verdicts_of(199, 0.95, 0.7) + [Verdict("199", "original", "first")]})
    table = table_of(rows(Set("bench", items, judges), [development], QUICK))
    assert set(table.judge) == {"sure"}
    by_metric = table.set_index("metric").value
    assert by_metric["ece"] == pytest.approx(0.95 - by_metric["agreement"])
    assert by_metric["ece[temperature]"] < 0.1 < by_metric["ece"]
    assert by_metric["ece[isotonic]"] < 0.1
    assert by_metric["temperature"] > 1.5
    assert table[table.metric == "temperature"][["n", "note"]].to_numpy().tolist() == [[199, "fitted on held"]]
    assert by_metric["agreement[isotonic]"] == by_metric["agreement"]
    assert table.metric.is_unique


def test_a_judge_without_development_verdicts_is_told_why():
    items = [pair(number) for number in range(50)]
    few = Set("held", items, {"sure": verdicts_of(12, 0.9, 0.5)})
    table = table_of(rows(Set("bench", items, {"sure": verdicts_of(50, 0.9, 0.5)}), [few], QUICK))
    line = table[table.metric == "calibration"].iloc[0]
    assert (line.n, line.note) == (12, "12 development items with a probability, fewer than 30 (held)")
    assert not table.metric.str.contains("temperature").any()
