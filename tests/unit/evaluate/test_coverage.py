"""The simulation behind the coverage page: reproducible, independent of the number of jobs, roughly on target."""

import importlib.util
import sys
from pathlib import Path

import pandas as pd
import pytest

PATH = Path(__file__).parents[3] / "benchmarks" / "simulate_coverage.py"


@pytest.fixture(scope="module")
def simulation():
    spec = importlib.util.spec_from_file_location("simulate_coverage", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("index", [0, 3, 5])
def test_runs_do_not_depend_on_how_they_are_split(simulation, index):
    scenario, design = simulation.SCENARIOS[index], simulation.DESIGNS[index]
    whole = simulation.simulate(scenario, design, range(4), 50, seed=1)
    parts = [part for runs in (range(0, 3), range(3, 4)) for part in simulation.simulate(scenario, design, runs, 50, 1)]
    pd.testing.assert_frame_equal(pd.DataFrame(whole), pd.DataFrame(parts))


def test_figures_outside_the_targets_are_named(simulation):
    row = {
        "design": "100 items",
        "protocol": "pairwise",
        "scenario": "weak",
        "metric": "kappa",
        "truth": 0.5,
        "width": 0.1,
    }
    good = row | {"coverage": 0.95, "plain_coverage": 0.92, "false_alarms": 0.05, "plain_false_alarms": 0.06}
    bad = row | {"coverage": 0.90, "plain_coverage": 0.92, "false_alarms": 0.07, "plain_false_alarms": 0.06}
    assert simulation.missed(pd.DataFrame([good]), 5000) == []
    assert len(simulation.missed(pd.DataFrame([good, bad]), 5000)) == 2
    assert simulation.missed(pd.DataFrame([good, bad]), 50) == []  # too few runs to tell
    assert len(simulation.outside(pd.DataFrame([good, bad]))) == 2
    text = simulation.report(pd.DataFrame([good, bad]), 5000, 10, 1)
    assert "coverage 90.0%: kappa" in text
    assert "| 100 items | pairwise, weak | kappa | 0.500 | **95.0** | 92.0 | 0.100 | **5.0** | 6.0 |" in text


@pytest.mark.slow
@pytest.mark.parametrize("design", [0, 3])
def test_accuracy_intervals_cover(simulation, design):
    scenario = simulation.SCENARIOS[1]
    truths = simulation.population_values(scenario)
    rows = pd.DataFrame(simulation.simulate(scenario, simulation.DESIGNS[design], range(600), 400, 3))
    summary = pd.DataFrame(simulation.summarise(rows, truths)).set_index("metric")
    assert summary.loc[["accuracy", "macro_f1", "kappa"], "coverage"].between(0.925, 0.975).all()
    assert summary.loc[["accuracy", "macro_f1", "kappa"], "false_alarms"].between(0.025, 0.075).all()
