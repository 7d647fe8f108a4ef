"""The simulation behind benchmarks/results/corrected.md: lines below the target are looked at again with other runs."""

import numpy as np
import pandas as pd
import pytest

from benchmarks import simulate_corrected as simulation
from judgemerge.evaluate import corrected


def row(number, covered, runs=200):
    part, scenario = simulation.EVERY[number]
    shares = dict.fromkeys(("judge", "labels", "corrected", "plain"), covered)
    return {"part": part, "scenario": scenario, "runs": runs, **shares, "labels_width": 0.2, "width": 0.1}


@pytest.fixture
def summary():
    return pd.DataFrame([row(0, 0.95), row(1, 0.92), row(2, 0.98)])


def test_only_lines_below_the_target_are_run_again_and_their_new_runs_count(summary, monkeypatch):
    asked = []

    def run_some(numbers, n_runs, seed, jobs):
        asked.append((list(numbers), n_runs, seed))
        return pd.DataFrame([row(number, 0.951, n_runs) for number in numbers], index=list(numbers))

    monkeypatch.setattr(simulation, "run_some", run_some)
    again = simulation.looked_again(summary, 2000, 1, 1)
    assert asked == [([1], 2000, 1 + simulation.AGAIN)]
    assert list(again.index) == [0, 1, 2] and list(again.corrected) == [0.95, 0.951, 0.98]
    text = simulation.report(again, 200, 1)
    assert "Lines with * (1) were below the target at first, and were run again 2000 times (±1.0 points)" in text
    assert text.count("**95.1**\\*") == 1 and "0 below and 1 above it" in text


def test_a_table_of_equal_runs_says_nothing_of_a_second_look(summary):
    assert "\\*" not in simulation.report(summary, 200, 1)


def test_a_population_has_the_mean_that_it_is_said_to_have():
    for number in (0, 17, 60, 100, 130):
        scenario = simulation.EVERY[number][1]
        units = [simulation.draw(scenario, np.random.default_rng(seed)) for seed in range(300)]
        people = [corrected.correct(one, scenario.scale, share=0.0).value for one in units]
        assert np.mean(people) == pytest.approx(scenario.truth, abs=4 * np.std(people) / np.sqrt(300))
