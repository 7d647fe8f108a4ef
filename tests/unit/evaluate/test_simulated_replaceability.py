"""The simulation behind benchmarks/results/replaceability.md: exact margins, reproducible, roughly on target."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def simulation():
    path = ROOT / "benchmarks" / "simulate_replaceability.py"
    spec = importlib.util.spec_from_file_location("simulate_replaceability", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("index", [0, 1, 2, 3])
@pytest.mark.parametrize("per_prompt", [1, 5])
def test_the_margin_at_the_border_is_epsilon(simulation, index, per_prompt):
    """Against 200,000 drawn items: the exact margin of a judge that is always wrong puts the mixture at ε."""
    cell = simulation.Cell(simulation.POPULATIONS[index], 200, 3, per_prompt, 0.2)
    error = cell.epsilon / simulation.margin_of_errors(cell.population, 3)
    panel, judge = simulation.draw(cell, error, 1000, np.random.default_rng(index))
    for duel in simulation.alternative.duels(panel, judge, np.ones(200_000, dtype=bool)):
        assert duel.margin == pytest.approx(0.2, abs=0.01)


def test_a_run_is_what_the_test_says_of_that_panel(simulation):
    """The runs are computed side by side: each passes as `alternative_annotator_test` has it of its items alone."""
    cell = simulation.Cell(simulation.POPULATIONS[1], 60, 3, 5, 0.2)
    n_runs, alternative = 20, simulation.alternative
    panel, judge = simulation.draw(cell, 0.0, n_runs, np.random.default_rng([4, len(simulation.CELLS), 1]))
    passed = np.zeros(2)
    for run in range(n_runs):
        part = slice(60 * run, 60 * run + 60)
        one = alternative.Panel(panel.people, panel.labels[part], np.arange(60) // 5)
        test = alternative.alternative_annotator_test(alternative.duels(one, judge[part], np.ones(60, bool)), 0.2)
        passed += test.passes, test.paper_winning_rate >= alternative.PASSES
    assert simulation.simulate(cell, n_runs, seed=4)[2:] == pytest.approx(passed / n_runs)


def test_rows_that_pass_too_many_are_named(simulation):
    shares = {simulation.CELLS[0]: np.array([0.04, 0.3, 0.5, 0.6]), simulation.CELLS[1]: np.array([0.2, 0.1, 1, 1])}
    assert simulation.missed(shares, 1000) == [simulation.CELLS[1]]
    text = simulation.report(shares, 1000, 1)
    assert "1 of 2 rows of ours (the most 20.0 %), 2 of the paper's (the most 30.0 %)" in text
    assert "| careful, 3 classes | 30 | 3 | 1 | 0.1 | **4.0** | 30.0 | 50.0 | 60.0 |" in text


def test_the_committed_table_holds_what_it_promises():
    """It is the output of the program as it is, and no row of ours passes more than 5 %."""
    text = (ROOT / "benchmarks" / "results" / "replaceability.md").read_text(encoding="utf-8")
    rows = [line.split("|") for line in text.split("\n") if line.startswith("| ")][1:]
    assert len(rows) == 96 and "0 of 96 rows of ours" in text


def test_few_judges_pass_at_the_border(simulation):
    cell = simulation.Cell(simulation.POPULATIONS[1], 60, 3, 1, 0.2)
    assert simulation.simulate(cell, 2000, seed=2)[0] <= 0.05


def test_prompts_that_were_all_right_by_chance_prove_little(simulation):
    """Careful people, twelve prompts of five items: in a quarter of samples no prompt is wrong at a margin of 0.1."""
    cell = simulation.Cell(simulation.POPULATIONS[0], 60, 3, 5, 0.1)
    ours, papers, *_ = simulation.simulate(cell, 1000, seed=3)
    assert ours <= 0.05 < 0.2 < papers
