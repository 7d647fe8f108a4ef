"""Makes results/replaceability.md: how often the alternative annotator test passes a judge that must not pass.

    python benchmarks/simulate_replaceability.py --jobs 2

A run draws one panel and one judge from a known population and runs the test. At the border of the null hypothesis
(the person is nearer to the others more often than the judge by exactly ε, for every person) the judge should pass in
at most 5 % of runs. Beside it, how often a judge passes that labels exactly as one more person would: the power.

The population: each item has a true label, uniform over the classes (or grades 1 to 5). People say something else with
a known probability, independent of each other. With probability 1 − c the judge labels as one more person, with c it
says any label but the true one. The margin of those wrong labels alone, δ, is computed exactly by going through all
labels of person, others and judge; because a judge like a person has margin 0, c = ε / δ puts the margin at ε. With
several items per prompt, the true label and the wrong one are the prompt's, so that the items of a prompt resemble each
other and the margin stays the same.
"""

import argparse
import concurrent.futures
import itertools
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from judgemerge.evaluate import alternative_annotator as alternative  # noqa: E402

TARGET = 0.05
OUTPUT = ROOT / "benchmarks" / "results" / "replaceability.md"


@dataclass(frozen=True)
class Population:
    """Labels 0 … n_labels − 1; `said` is (n_labels, n_labels), the chance of each label given the true one."""

    name: str
    said: tuple[tuple[float, ...], ...]
    are_grades: bool = False

    @property
    def chances(self) -> np.ndarray:
        """The chance of each label given the true one, (n_labels, n_labels)."""
        return np.array(self.said)


def classes(n_labels: int, error: float) -> tuple[tuple[float, ...], ...]:
    """Return the chances of people who take any of the other classes with probability `error`."""
    wrong = error / (n_labels - 1)
    return tuple(tuple(1 - error if said == true else wrong for said in range(n_labels)) for true in range(n_labels))


def grades(n_labels: int, spread: float) -> tuple[tuple[float, ...], ...]:
    """Return the chances of people whose grades fall off from the true one like a normal density."""
    said = np.arange(n_labels)
    density = np.exp(-((said[None, :] - said[:, None]) ** 2) / (2 * spread**2))
    return tuple(map(tuple, density / density.sum(axis=1, keepdims=True)))


POPULATIONS = (
    Population("careful, 3 classes", classes(3, 0.01)),
    Population("usual, 3 classes", classes(3, 0.20)),
    Population("torn, 2 classes", classes(2, 0.30)),
    Population("grades 1 to 5", grades(5, 0.8), are_grades=True),
)


@dataclass(frozen=True)
class Cell:
    """One row of the table."""

    population: Population
    n_items: int
    n_people: int
    per_prompt: int
    epsilon: float


CELLS = tuple(Cell(*parts) for parts in itertools.product(POPULATIONS, (30, 40, 120), (3, 6), (1, 5), (0.1, 0.2)))


@cache
def margin_of_errors(population: Population, n_people: int) -> float:
    """Return δ: the expected margin of a person over a judge that is always wrong, over all labels there can be."""
    chances, n_labels = population.chances, len(population.said)
    drawn = np.array(list(itertools.product(range(n_labels), repeat=n_people + 2)))  # true, judge's, person's, others'
    drawn = drawn[drawn[:, 0] != drawn[:, 1]]
    true, wrong, people = drawn[:, 0], drawn[:, 1], drawn[:, 2:]
    weight = np.prod(chances[true[:, None], people], axis=1) / (n_labels * (n_labels - 1))
    others = people[:, 1:].astype(float)
    judge, person = (
        alternative.costs(label.astype(float), others, population.are_grades) for label in (wrong, people[:, 0])
    )
    same = alternative.SAME
    return float(weight @ ((person <= judge + same).astype(float) - (judge <= person + same)))


def draw(cell: Cell, error: float, n_runs: int, rng: np.random.Generator) -> tuple[alternative.Panel, np.ndarray]:
    """Return the items of all runs as one panel, run after run, and a judge that is wrong with this probability."""
    n_labels = len(cell.population.said)
    cluster = np.arange(cell.n_items) // cell.per_prompt
    prompts = n_runs, cluster[-1] + 1
    true = rng.integers(0, n_labels, prompts)[:, cluster].ravel()
    wrong = (true + rng.integers(1, n_labels, prompts)[:, cluster].ravel()) % n_labels
    errs = (rng.random(prompts) < error)[:, cluster].ravel()
    bounds = np.cumsum(cell.population.chances, axis=1)[true][:, None, :-1]
    labels = (rng.random((len(true), cell.n_people + 1, 1)) > bounds).sum(axis=2).astype(float)
    people = tuple(f"person {number}" for number in range(cell.n_people))
    panel = alternative.Panel(people, labels[:, :-1], np.arange(len(true)), cell.population.are_grades)
    return panel, np.where(errs, wrong, labels[:, -1])


def simulate(cell: Cell, n_runs: int, seed: int) -> np.ndarray:
    """Return how often the judge passes, (4,): at the border by our test and the paper's, like a person by both."""
    number = CELLS.index(cell) if cell in CELLS else len(CELLS)
    cluster = np.arange(cell.n_items) // cell.per_prompt
    shares = []
    for place, error in enumerate((cell.epsilon / margin_of_errors(cell.population, cell.n_people), 0.0)):
        rng = np.random.default_rng([seed, number, place])
        panel, judge = draw(cell, error, n_runs, rng)
        duels = alternative.duels(panel, judge, np.ones(len(judge), dtype=bool))
        differences = [duel.difference.reshape(n_runs, cell.n_items) for duel in duels]
        for p in (
            np.column_stack([alternative.margin_p(one, cluster, cell.epsilon) for one in differences]),
            np.column_stack([alternative.t_test_p(one, cell.epsilon) for one in differences]),
        ):
            shares.append((alternative.winning_rate(p) >= alternative.PASSES).mean())
    return np.array(shares)


def run_all(n_runs: int, seed: int, jobs: int) -> dict[Cell, np.ndarray]:
    """Return the four shares of every cell; the result does not depend on the number of jobs."""
    with concurrent.futures.ProcessPoolExecutor(jobs) as pool:
        shares = pool.map(simulate, CELLS, itertools.repeat(n_runs), itertools.repeat(seed))
        return dict(zip(CELLS, shares, strict=True))


def noise(n_runs: int) -> float:
    """Return what the simulation adds to a rate of 5 %: 1.96 standard errors."""
    return 1.96 * float(np.sqrt(TARGET * (1 - TARGET) / n_runs))


def missed(shares: dict[Cell, np.ndarray], n_runs: int, place: int = 0) -> list[Cell]:
    """Return the cells whose false passes exceed 5 % by more than the simulation's own error."""
    return [cell for cell, row in shares.items() if row[place] > TARGET + noise(n_runs)]


def report(shares: dict[Cell, np.ndarray], n_runs: int, seed: int) -> str:
    """Return benchmarks/results/replaceability.md."""
    ours, paper = (missed(shares, n_runs, place) for place in (0, 1))
    worst = [100 * max(row[place] for row in shares.values()) for place in (0, 1)]
    lines = [
        "# Does the test pass judges that must not pass?",
        "",
        "Made by `benchmarks/simulate_replaceability.py`, which describes the population; do not edit.",
        f"{n_runs} runs per row, seed {seed}. The simulation's own error is ±{100 * noise(n_runs):.1f} points at 5 %.",
        "Wanted: at the border of the null hypothesis (every person nearer to the others more often by exactly ε) a",
        "judge passes in at most 5 % of runs.",
        "",
        "Ours is the test of `tables/replaceability.csv` (rules `house`): a score test, prompts as clusters. The",
        "*paper's* is Student's t on items (rules `published`). Both with Benjamini and Yekutieli's procedure.",
        "*like a person* is how often a judge passes that labels exactly as one more person would.",
        "",
        f"False passes above 5 % by more than that error: {len(ours)} of {len(shares)} rows of ours (the most "
        f"{worst[0]:.1f} %), {len(paper)} of the paper's (the most {worst[1]:.1f} %).",
        "",
        "| people | items | annotators | per prompt | ε | false passes % | paper's | like a person % | paper's |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for cell, row in shares.items():
        numbers = [f"{100 * share:.1f}" for share in row]
        place = [cell.population.name, cell.n_items, cell.n_people, cell.per_prompt, f"{cell.epsilon:g}"]
        cells = [*map(str, place), f"**{numbers[0]}**", *numbers[1:]]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run the simulation, write the table, and return 1 when the test passes too many judges."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000, help="simulated panels per row")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes; does not change the result")
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    shares = run_all(options.runs, options.seed, options.jobs)
    options.output.write_text(report(shares, options.runs, options.seed), encoding="utf-8")
    return 1 if missed(shares, options.runs) else 0


if __name__ == "__main__":
    sys.exit(main())
