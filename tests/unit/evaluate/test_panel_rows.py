"""The rows of panels.csv: correlations of errors, effective votes, costs, and who answers in a cascade."""

import dataclasses
import math

import numpy as np
import pytest
from agreement_cases import both, pair, point, said

from judgemerge.evaluate import judging_costs, juries, shared_errors
from judgemerge.evaluate.estimates import Estimate, draw_sample
from judgemerge.evaluate.judging_costs import Cost
from judgemerge.evaluate.juries import PanelOfJudges
from judgemerge.evaluate.verdict_arrays import benchmark_arrays, judge_arrays
from judgemerge.judge import juries as voting
from judgemerge.prompting.parsing import Reply
from judgemerge.settings.report import Statistics

SETTINGS = Statistics(resamples=400)
COST = Cost(100.0, 0.5)


def sample_of(n):
    return draw_sample([f"c{number}" for number in range(n)], "test", SETTINGS)


def test_the_correlation_of_errors_is_pearsons_mean_over_pairs():
    rng = np.random.default_rng(1)
    shared = rng.random(200) < 0.3
    errors = [(shared ^ (rng.random(200) < 0.2)).astype(float) for _ in range(3)]
    expected = np.mean([np.corrcoef(errors[a], errors[b])[0, 1] for a, b in ((0, 1), (0, 2), (1, 2))])
    found = shared_errors.error_correlation(sample_of(200), errors)
    assert found.value == pytest.approx(expected) and found.low < expected < found.high


def test_items_that_one_judge_has_no_grade_for_are_left_out_of_its_pairs():
    a, b = np.arange(10.0), np.array([np.nan, *np.arange(1.0, 10.0)])
    assert shared_errors.error_correlation(sample_of(10), [a, b]).value == pytest.approx(1)


def test_a_judge_that_is_never_wrong_correlates_with_nobody():
    assert math.isnan(shared_errors.error_correlation(sample_of(10), [np.zeros(10), np.eye(10)[0]]).value)


@pytest.mark.parametrize(
    ("correlation", "n", "votes"), [(0.0, 3, 3.0), (1.0, 3, 1.0), (0.5697, 3, 1.4023), (0.5, 2, 4 / 3)]
)
def test_effective_votes_are_kishs(correlation, n, votes):
    found = shared_errors.effective_votes(Estimate(correlation, correlation, min(1.0, correlation + 0.1)), n)
    assert found.value == pytest.approx(votes, abs=1e-4) and found.high == pytest.approx(votes, abs=1e-4)
    assert found.low <= found.value


def test_errors_of_pairs_count_both_orders_and_of_grades_have_a_sign():
    items = [pair(0, "first"), pair(1, "second")]
    benchmark = benchmark_arrays(items)
    judge = judge_arrays(benchmark, "j", both(items, ["first", "error"], ["second", "second"]))
    assert shared_errors.errors_of(benchmark, judge).tolist() == [0.5, 0.5]
    graded = [point(0, 3.0), point(1, 1.0)]
    benchmark = benchmark_arrays(graded)
    judge = judge_arrays(benchmark, "j", [said(graded[0], 1), said(graded[1], "error")])
    assert shared_errors.errors_of(benchmark, judge)[0] == -2 and np.isnan(shared_errors.errors_of(benchmark, judge)[1])


def cases(n=120, seed=4):
    """Return pairs, three judges that are right on 90, 80 and 70 %, and their jury."""
    rng = np.random.default_rng(seed)
    items = [pair(number, str(rng.choice(["first", "second"]))) for number in range(n)]
    other = {"first": "second", "second": "first"}
    verdicts = {}
    for name, skill in (("good", 0.9), ("fair", 0.8), ("weak", 0.7)):
        answers = [item.truth if rng.random() < skill else other[item.truth] for item in items]
        verdicts[name] = both(items, answers, answers)
    return items, verdicts


def rows_of(items, verdicts, panel):
    rows = list(juries.benchmark_rows(items, verdicts, [panel], SETTINGS))
    return {row.metric: row for row in rows}


def test_a_jury_stands_beside_its_members_and_the_best_of_them():
    items, verdicts = cases()
    members = list(verdicts)
    verdicts["jury"] = list(voting.verdicts_of("majority", items, verdicts, {}))
    costs = {"good": COST, "fair": COST, "weak": Cost(note="recorded elsewhere")}
    rows = rows_of(items, verdicts, PanelOfJudges("jury", members, costs=costs))
    best = max(members, key=lambda name: rows[f"accuracy[{name}]"].value)
    difference = rows[f"difference[{best}]"]
    assert difference.value == pytest.approx(rows["accuracy"].value - rows[f"accuracy[{best}]"].value)
    assert difference.ci_low < difference.value < difference.ci_high and "flattered" in difference.note
    assert 1 < rows["effective_votes"].value <= 3.6 and rows["error_correlation"].n == 120
    assert rows["tokens_per_item[good]"].value == 100 and math.isnan(rows["tokens_per_item"].value)
    assert rows["tokens_per_item"].note == "weak: recorded elsewhere"
    assert "coverage" not in rows


def test_a_cascade_says_who_answers_and_how_well():
    items, verdicts = cases(100)
    chosen = ["weak"] * 40 + ["good"] * 30 + [None] * 30
    by_item = {name: {(one.item, one.order): one for one in verdicts[name]} for name in verdicts}
    verdicts["cascade"] = [
        dataclasses.replace(by_item[who][item.id, order], raw=who) if who else said(item, "error", order)
        for item, who in zip(items, chosen, strict=True)
        for order in ("original", "swapped")
    ]
    costs = {"weak": COST, "good": Cost(1000.0, 5.0)}
    rows = rows_of(items, verdicts, PanelOfJudges("cascade", ["weak", "good"], 0.8, costs))
    assert [rows[name].value for name in ("share[weak]", "share[good]", "coverage")] == pytest.approx([0.4, 0.3, 0.7])
    right = [
        by_item[who][item.id, "original"].outcome == item.truth for item, who in zip(items, chosen, strict=True) if who
    ]
    assert rows["selective_agreement"].value == pytest.approx(np.mean(right)) and rows["selective_agreement"].n == 70
    assert rows["coverage"].errors == 30 and rows["target"].value == 0.8
    assert rows["tokens_per_item"].value == pytest.approx(100 + 0.6 * 1000)  # the dear one is asked about 60 %
    assert rows["seconds_per_item"].value == pytest.approx(0.5 + 0.6 * 5)


def test_a_cascade_that_answers_nothing_says_so():
    items, verdicts = cases(40)
    verdicts["cascade"] = both(items, ["error"] * 40, ["error"] * 40)
    rows = rows_of(items, verdicts, PanelOfJudges("cascade", ["weak", "good"], 0.8, dict.fromkeys(verdicts, COST)))
    assert rows["coverage"].value == 0 and math.isnan(rows["selective_agreement"].value)
    assert rows["selective_agreement"].note == juries.NOTHING_ANSWERED
    assert rows["accuracy"].value == 0


def test_grades_have_panels_too():
    rng = np.random.default_rng(2)
    items = [point(number, float(rng.integers(1, 6))) for number in range(80)]
    verdicts = {name: [said(item, item.truth + rng.normal()) for item in items] for name in ("a", "b", "c")}
    verdicts["jury"] = list(voting.verdicts_of("mean", items, {name: verdicts[name] for name in "abc"}, {}))
    rows = rows_of(items, verdicts, PanelOfJudges("jury", ["a", "b", "c"], costs=dict.fromkeys("abc", COST)))
    assert rows["spearman"].value > max(rows[f"spearman[{name}]"].value for name in "abc")
    assert abs(rows["error_correlation"].value) < 0.3


# ---- costs ----


def reply(prompt_tokens, reply_tokens, item="1"):
    return Reply("bench", item, "original", "key", "text", None, prompt_tokens, reply_tokens, "stop")


def test_tokens_are_counted_over_all_orders_and_seconds_over_whole_suites():
    timing = {"run": {"items": 10, "seconds": 5.0}}
    assert judging_costs.measured([reply(10, 2), reply(10, 3)], 1, timing, 1) == Cost(25.0, 0.5)
    assert judging_costs.measured([reply(10, 2)], 1, timing, 2).seconds == 1.0  # both responses of a pair are graded


def test_a_cost_that_is_not_known_says_why():
    resumed = judging_costs.measured([reply(10, 2)], 1, {"run": None}, 1)
    assert math.isnan(resumed.seconds) and resumed.note == "not judged in one go, so no seconds"
    far = judging_costs.measured([reply(None, None)], 1, None, 1)
    assert math.isnan(far.tokens) and far.note.startswith("the endpoint counts no tokens")


def test_a_judge_that_is_never_asked_costs_nothing():
    assert judging_costs.total({"a": COST, "b": Cost(note="unknown")}, [1.0, 0.0]) == Cost(100.0, 0.5)
