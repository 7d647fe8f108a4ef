"""The simulation of planned power: its populations are what they are said to be, and the committed table is its own."""

from pathlib import Path

import numpy as np
import pytest

from benchmarks.simulate_power import OUTPUT, SETTINGS, Pair, report

SKEWED, CLUSTERED = Pair(0.15, 0.20), Pair(0.08, 0.30, orders=2, sizes=(10,), shared=0.4)


@pytest.mark.parametrize("setting", [one for one in SETTINGS if isinstance(one, Pair)])
def test_a_population_differs_by_what_it_says(setting):
    d = setting.draw(400_000, np.random.default_rng(1))
    assert d.mean() == pytest.approx(setting.difference, abs=0.003)
    assert (d**2).mean() == pytest.approx(setting.squares, abs=0.003)
    assert (d**4).mean() / (d**2).mean() == pytest.approx(setting.spread.fourths, abs=0.01)
    assert (np.abs(d) ** 3).mean() / np.abs(d).mean() == pytest.approx(setting.spread.cubes, abs=0.01)


@pytest.mark.parametrize("setting", [SKEWED, CLUSTERED])
def test_power_is_the_promised_one(setting):
    n_items = setting.planned()
    simulated = setting.simulate(n_items, 3000, np.random.default_rng(2))
    assert simulated == pytest.approx(setting.promised(n_items), abs=0.03)


def test_the_committed_table_is_of_this_simulation():
    text = Path(OUTPUT).read_text(encoding="utf-8")
    assert f"{len(SETTINGS)} of {len(SETTINGS)} settings are as promised" in text
    few, _ = report(20, 1, lambda line: None)

    def planned(table: str) -> list[list[str]]:
        rows = [line.split("|") for line in table.splitlines() if "**" in line]
        return [[cell.strip() for cell in row[:-2]] for row in rows]

    assert planned(few) == planned(text)
