"""Makes results/power.md: how often studies of the planned size show what was planned, by seeded simulation.

    python benchmarks/simulate_power.py

`make plan` says how many items or labels a study takes. Here the population is known; the planned number is drawn from
it again and again, and the project's own tests and intervals look at it.

Two judges: on an item both are right, or only one, over one order or both; with several items per prompt an item says
with chance `shared` what its prompt says (one draw for the prompt), so that the intraclass correlation is its square.
The test is Student's t with the standard error of whole prompts, which is what comparisons.csv has but for the noise of
its resamples. Grades: people and two judges are normal with known correlations; the standard error is the jackknife's.
People: a judge that labels as one more person, against each person of a panel, by the alternative annotator test.
Labels: a win rate corrected by 10 times as many judged pairs; a judge's kappa.
"""

import argparse
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from judgemerge.evaluate import alternative_annotator as alternative  # noqa: E402
from judgemerge.evaluate import corrected  # noqa: E402
from judgemerge.evaluate.bootstrap import effective_clusters, t_quantile  # noqa: E402
from judgemerge.evaluate.outlook import difference_variance  # noqa: E402
from judgemerge.evaluate.planning import (  # noqa: E402
    Duelling,
    Labelled,
    Spread,
    agreement_table,
    items_to_replace,
    kappa_variance,
    passing_level,
)

OUTPUT = ROOT / "benchmarks" / "results" / "power.md"
LEVEL = 0.95
TARGET = 0.02  # how far simulated power may be from the promised one
AT_ONCE = 4_000_000  # numbers in an array


@dataclass(frozen=True)
class Pair:
    """Two judges that differ by `difference`, and on `squares` of the items (E[d²]) at all.

    `sizes` are the numbers of items of prompts, repeated as often as needed.
    """

    difference: float
    squares: float
    orders: int = 1
    sizes: tuple[int, ...] = (1,)
    shared: float = 0.0
    power: float = 0.8

    @property
    def spread(self) -> Spread:
        """What planning is told: the population's own numbers."""
        sizes = np.array(self.sizes)
        kish = float(np.square(sizes).sum() / sizes.sum())
        effect = 1 + (kish - 1) * self.shared**2
        # Of two orders |d| is 1 or ½, as often: E|d|³ / E|d| = 1.125 / 1.5 and E[d⁴] / E[d²] = 1.0625 / 1.25.
        return Spread(self.squares, True, effect, kish, *((1.0, 1.0) if self.orders == 1 else (0.75, 0.85)))

    def cluster_sizes(self, n_items: int) -> np.ndarray:
        """Return the number of items of each prompt, so that there are about `n_items` in all."""
        return np.array(self.sizes * max(round(n_items / sum(self.sizes)), 1))

    def draw(self, n_draws: int, rng: np.random.Generator) -> np.ndarray:
        """Return d of single items, (n_draws,); with two orders as often of half a step as of a whole one."""
        if self.orders == 1:
            chances = [(self.squares - self.difference) / 2, (self.squares + self.difference) / 2]
            return rng.choice([-1.0, 1.0, 0.0], n_draws, p=[*chances, 1 - sum(chances)])
        # P(|d| = 1) = P(|d| = ½) = w, so that E[d²] = 1.25 w and E[d] = 1.5 w · tilt.
        w = self.squares / 1.25
        tilt = self.difference / (1.5 * w)
        sides = [w * (1 - tilt) / 2, w * (1 + tilt) / 2]
        return rng.choice([-1.0, 1.0, -0.5, 0.5, 0.0], n_draws, p=[*sides, *sides, 1 - 2 * w])

    def simulate(self, n_items: int, n_runs: int, rng: np.random.Generator) -> float:
        """Return how often the difference is shown."""
        sizes = self.cluster_sizes(n_items)
        starts, n = np.cumsum(sizes) - sizes, int(sizes.sum())
        of_prompt = np.repeat(np.arange(len(sizes)), sizes)
        bound, n_shown = t_quantile(LEVEL, effective_clusters(sizes)), 0
        for runs in parts(n_runs, n):
            d = self.draw(runs * n, rng).reshape(runs, n)
            if self.shared:
                prompts = self.draw(runs * len(sizes), rng).reshape(runs, -1)
                d = np.where(rng.random((runs, n)) < self.shared, prompts[:, of_prompt], d)
            mean = d.mean(axis=1)
            totals = np.add.reduceat(d, starts, axis=1) - sizes * mean[:, None]
            error = np.sqrt(len(sizes) / (len(sizes) - 1) * (totals**2).sum(axis=1)) / n
            n_shown += int((np.abs(mean) > bound * error).sum())
        return n_shown / n_runs

    def planned(self) -> int:
        """Return the number of items that the plan gives."""
        n_items = self.spread.items(self.difference, self.power, LEVEL)
        return int(self.cluster_sizes(n_items).sum())

    def promised(self, n_items: int) -> float:
        """Return the power of this number of items."""
        return self.spread.power(self.difference, n_items, LEVEL)

    def words(self) -> str:
        """Return what it is in a table."""
        distinct = sorted(set(self.sizes))
        prompts = str(distinct[0]) if len(distinct) == 1 else f"{distinct[0]}–{distinct[-1]}"
        icc = f", intraclass {self.shared**2:.2f}" if self.shared else ""
        orders = "both orders" if self.orders == 2 else "one order"
        return f"accuracy, {orders} | {self.difference:g} | {self.squares:g} | {prompts}{icc}"


@dataclass(frozen=True)
class Grades:
    """Two judges of grades: their correlations with people, and with each other."""

    ones: float
    others: float
    between: float
    power: float = 0.8

    @property
    def difference(self) -> float:
        """Spearman's correlations apart, from Pearson's of normal grades."""
        return spearman_of(self.ones) - spearman_of(self.others)

    def planned(self) -> int:
        """Return the number of items that the plan gives, from the variance at the mean correlation."""
        return self.spread.items(self.difference, self.power, LEVEL)

    def promised(self, n_items: int) -> float:
        """Return the power of this number of items."""
        return self.spread.power(self.difference, n_items, LEVEL)

    @property
    def spread(self) -> Spread:
        """What planning is told."""
        middle = spearman_of((self.ones + self.others) / 2)
        return Spread(difference_variance(middle, spearman_of(self.between)), is_share=False)

    def simulate(self, n_items: int, n_runs: int, rng: np.random.Generator) -> float:
        """Return how often the difference of correlations of ranks is shown (Fisher's scale, jackknifed)."""
        matrix = np.array([[1, self.ones, self.others], [self.ones, 1, self.between], [self.others, self.between, 1]])
        root, bound, n_shown = np.linalg.cholesky(matrix), t_quantile(LEVEL, n_items), 0
        for runs in parts(n_runs, 10 * n_items):
            grades = rng.standard_normal((runs, n_items, 3)) @ root.T
            ranks = stats.rankdata(grades, axis=1)
            z = (ranks - ranks.mean(axis=1, keepdims=True)) / ranks.std(axis=1, keepdims=True)
            fisher, influences = [], []
            for judge in (1, 2):
                r = (z[:, :, 0] * z[:, :, judge]).mean(axis=1)
                fisher.append(np.arctanh(r))
                influences.append(rank_influence(ranks[:, :, 0], ranks[:, :, judge]) / (1 - r**2)[:, None])
            error = (influences[0] - influences[1]).std(axis=1, ddof=1) / math.sqrt(n_items)
            n_shown += int((np.abs(fisher[0] - fisher[1]) > bound * error).sum())
        return n_shown / n_runs

    def words(self) -> str:
        """Return what it is in a table."""
        return f"Spearman {spearman_of(self.ones):.2f} − {spearman_of(self.others):.2f} | {self.difference:.3f} | – | 1"


def spearman_of(pearson: float) -> float:
    """Return Spearman's correlation of normal numbers with this correlation."""
    return 6 / math.pi * math.asin(pearson / 2)


def rank_influence(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Return what each item adds to Spearman's correlation, ranks without ties, (n_runs, n_items).

    With u and v the ranks over n: 12 (u v + ∫ v of those above in u + ∫ u of those above in v) but for a constant.
    """
    n = one.shape[1]
    u, v = (one - 0.5) / n, (other - 0.5) / n

    def above(rank: np.ndarray, value: np.ndarray) -> np.ndarray:
        order = np.argsort(-rank, axis=1)
        sums = np.cumsum(np.take_along_axis(value, order, axis=1), axis=1) / n
        result = np.empty_like(sums)
        np.put_along_axis(result, order, sums, axis=1)
        return result

    return 12 * (u * v + above(one, v) + above(other, u))


def parts(n_runs: int, n_numbers: int) -> Iterator[int]:
    """Yield numbers of runs that sum to all of them, each with arrays that fit into memory."""
    step = max(1, AT_ONCE // n_numbers)
    for start in range(0, n_runs, step):
        yield min(step, n_runs - start)


UNEQUAL = (1, 1, 2, 3, 8)
SETTINGS = (
    Pair(0.03, 0.15),
    Pair(0.05, 0.10),
    Pair(0.10, 0.30),
    Pair(0.02, 0.03, power=0.9),
    Pair(0.15, 0.20),
    Pair(0.05, 0.15, orders=2),
    Pair(0.03, 0.05, orders=2, power=0.9),
    Pair(0.05, 0.15, sizes=(5,), shared=0.5),
    Pair(0.08, 0.30, orders=2, sizes=(10,), shared=0.4),
    Pair(0.05, 0.20, sizes=UNEQUAL, shared=0.5),
    Grades(0.6, 0.5, 0.7),
    Grades(0.5, 0.3, 0.5),
)


# ---- people, win rates, kappa ----


@dataclass(frozen=True)
class People:
    """A judge that labels as one more person; everybody says something else than the truth with chance `error`."""

    n_people: int
    n_classes: int
    error: float
    epsilon: float

    def labels(self, n_runs: int, n_items: int, rng: np.random.Generator) -> np.ndarray:
        """Return what people and, last, the judge say, (n_runs, n_items, n_people + 1)."""
        shape = n_runs, n_items, self.n_people + 1
        true = rng.integers(0, self.n_classes, (n_runs, n_items, 1))
        wrong = (true + rng.integers(1, self.n_classes, shape)) % self.n_classes
        return np.where(rng.random(shape) < self.error, wrong, true)

    def differences(self, labels: np.ndarray) -> np.ndarray:
        """Return d of every person's duel, (n_people, n_runs, n_items)."""
        judge, every = labels[..., -1:], []
        for person in range(self.n_people):
            others = np.delete(labels[..., :-1], person, axis=2)
            of_judge, of_person = ((others == one).sum(axis=2) for one in (judge, labels[..., [person]]))
            every.append(np.sign(of_person - of_judge))
        return np.stack(every)

    def simulate(self, n_runs: int, rng: np.random.Generator) -> tuple[int, float, float]:
        """Return the planned items per person, how often one person is beaten, and how often the judge passes."""
        d = self.differences(self.labels(1, 1_000_000, rng))[0, 0]
        duel = Duelling(float((d > 0).mean()), float((d < 0).mean()))
        n_items = items_to_replace([duel] * self.n_people, self.epsilon, 0.8)
        level, n_beaten, n_passed = passing_level(self.n_people), 0, 0
        for runs in parts(n_runs, 8 * n_items * self.n_people):
            every = self.differences(self.labels(runs, n_items, rng))
            p = np.stack([alternative.margin_p(one, np.arange(n_items), self.epsilon) for one in every], axis=1)
            n_beaten += int((p[:, 0] <= level).sum())
            n_passed += int((alternative.winning_rate(p) >= alternative.PASSES).sum())
        return n_items, n_beaten / n_runs, n_passed / n_runs


PANELS = (
    People(3, 3, 0.1, 0.2),
    People(3, 3, 0.2, 0.2),
    People(3, 2, 0.2, 0.15),
    People(5, 3, 0.2, 0.1),
)


def win_rate(correlation: float, base: float, half: float, n_runs: int, rng: np.random.Generator) -> tuple[int, float]:
    """Return the planned labels of a corrected win rate, and the mean half of its interval."""
    variance = base * (1 - base)
    n_labels = Labelled(variance, correlation=correlation).labels(half, LEVEL, corrected.LEAST_LABELS)
    n_labels = Labelled(variance, correlation=correlation, n_items=10 * n_labels).labels(half, LEVEL) or n_labels
    halves = []
    for _ in range(n_runs):
        people = (rng.random(10 * n_labels) < base).astype(float)
        own = (rng.random(len(people)) < base).astype(float)
        judge = np.where(rng.random(len(people)) < correlation, people, own)
        people[n_labels:] = np.nan
        estimate = corrected.correct(corrected.Units.of(people, judge), corrected.SHARE).estimate(LEVEL)
        halves.append((estimate.high - estimate.low) / 2)
    return n_labels, float(np.mean(halves))


def kappa_spread(kappa: float, n_classes: int, half: float, n_runs: int, rng: np.random.Generator) -> tuple[int, float]:
    """Return the planned labels of a kappa, and how often it comes out within `half` of the true one."""
    table = agreement_table(kappa, [1.0] * n_classes)
    n_labels = Labelled(kappa_variance(1000 * table)).labels(half, LEVEL)
    counts = rng.multinomial(n_labels, table.ravel(), n_runs).reshape(n_runs, n_classes, n_classes) / n_labels
    agreed = np.trace(counts, axis1=1, axis2=2)
    by_chance = (counts.sum(axis=1) * counts.sum(axis=2)).sum(axis=1)
    return n_labels, float((np.abs((agreed - by_chance) / (1 - by_chance) - kappa) <= half).mean())


WIN_RATES = ((0.0, 0.5, 0.1), (0.5, 0.5, 0.1), (0.7, 0.5, 0.05), (0.5, 0.3, 0.05))
KAPPAS = ((0.3, 2, 0.1), (0.6, 2, 0.1), (0.6, 3, 0.1), (0.8, 3, 0.05))


# ---- the table ----


def report(n_runs: int, seed: int, tell: Callable[[str], None]) -> tuple[str, list[str]]:
    """Return benchmarks/results/power.md, and the settings in which power is not the promised one."""
    noise = 196 * math.sqrt(0.8 * 0.2 / n_runs)
    missed, lines = [], []
    for number, setting in enumerate(SETTINGS):
        n_items = setting.planned()
        promised = setting.promised(n_items)
        simulated = setting.simulate(n_items, n_runs, np.random.default_rng([seed, number]))
        lines.append(f"| {setting.words()} | {n_items} | {100 * promised:.1f} | **{100 * simulated:.1f}** |")
        missed += [setting.words()] if abs(simulated - promised) > TARGET else []
        tell(lines[-1])
    head = [
        "# Do studies of the planned size show what was planned?",
        "",
        "Made by `benchmarks/simulate_power.py`, which describes the populations; do not edit.",
        f"{n_runs} runs per line, seed {seed}; the simulation's own error is ±{noise:.1f} points. Wanted: power within",
        f"{100 * TARGET:g} points of what the plan promises. [What planning is](../../docs/planning.md).",
        "",
        f"Two judges on the same items: {len(SETTINGS) - len(missed)} of {len(SETTINGS)} settings are as promised.",
        *(f"- not: {words}" for words in missed),
        "",
        "| judges | difference | E[d²] | items per prompt | items planned | promised % | simulated % |",
        "|---|---|---|---|---|---|---|",
    ]
    return "\n".join([*head, *lines, *_labels(n_runs, seed, tell), ""]), missed


def _labels(n_runs: int, seed: int, tell: Callable[[str], None]) -> list[str]:
    """Return the tables about labels."""
    lines = [
        "",
        "A judge that labels as one more person, planned with power 80 %. Each person is beaten a little more often",
        "than promised, and the judge passes more often still: the procedure accepts more once several are beaten.",
        "",
        "| people | classes | they err | ε | labels by each | one person beaten % | passes % |",
        "|---|---|---|---|---|---|---|",
    ]
    for number, one in enumerate(PANELS):
        n_items, beaten, passes = one.simulate(min(n_runs, 10_000), np.random.default_rng([seed, 100 + number]))
        numbers = f"{n_items} | {100 * beaten:.1f} | {100 * passes:.1f}"
        lines.append(f"| {one.n_people} | {one.n_classes} | {one.error:g} | {one.epsilon:g} | {numbers} |")
        tell(lines[-1])
    lines += [
        "",
        "Half the interval of a corrected win rate with the planned labels, ten times as many pairs judged:",
        "",
        "| correlation | win rate | wanted ± | labels planned | got ± |",
        "|---|---|---|---|---|",
    ]
    for number, (correlation, base, half) in enumerate(WIN_RATES):
        n_labels, got = win_rate(correlation, base, half, 200, np.random.default_rng([seed, 200 + number]))
        lines.append(f"| {correlation:g} | {base:g} | {half:g} | {n_labels} | {got:.3f} |")
        tell(lines[-1])
    lines += [
        "",
        "A kappa from the planned labels is within the wanted distance of the true one in about 95 % of runs:",
        "",
        "| kappa | classes | wanted ± | labels planned | within % |",
        "|---|---|---|---|---|",
    ]
    for number, (kappa, n_classes, half) in enumerate(KAPPAS):
        n_labels, within = kappa_spread(kappa, n_classes, half, n_runs, np.random.default_rng([seed, 300 + number]))
        lines.append(f"| {kappa:g} | {n_classes} | {half:g} | {n_labels} | {100 * within:.1f} |")
        tell(lines[-1])
    return lines


def main() -> int:
    """Run the simulation, write the table, and return 1 where power is not the promised one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000, help="simulated studies per line")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--output", type=Path, default=OUTPUT)
    options = parser.parse_args()
    text, missed = report(options.runs, options.seed, lambda line: print(line, file=sys.stderr, flush=True))
    options.output.write_text(text, encoding="utf-8")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
