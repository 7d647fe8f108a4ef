"""Makes results/corrected.md: how often intervals of corrected numbers hold the known truth, by seeded simulation.

    python benchmarks/simulate_corrected.py --runs 2000 --jobs 2
    python benchmarks/simulate_corrected.py --runs 200 --again 2000     in a tenth of the time

A run draws units (pairs, answers) from a known population, a judge's opinion of each and people's labels of a part, and
asks the package for the intervals of the judge alone, of the labels alone and of the corrected mean. The share of
intervals that hold the population's mean is the coverage (wanted: 93.5–96.5 % at 95 %). With few runs some lines lie
below by chance alone: `--again` looks at these with as many other runs, which then take their place.

The population: ten units for every label. People say 1 with chance `base`. The judge repeats what people say with
chance `correlation`, and else draws an opinion of its own with the same chance of a 1, so that `correlation` is
Pearson's. Kinds: `share` is a win rate or an accuracy; `lenient` the same with a judge that turns a 0 into a 1 with
chance 0.15; `difference` is that of two wins on one question, 0 but for a `base` of 1 or −1 (three to two); `grades`
are normal, the judge's of half the spread and one lower; `strata` is `share` with half the labels from each of two
parts, which are of unequal size. With `prompts` 1–4 units (uniform) share one, and what people say, what the judge
says of itself and when it repeats people each have a part that is common to the prompt (variance 0.3 of 1).
"""

import argparse
import concurrent.futures
import itertools
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from judgemerge.evaluate import corrected  # noqa: E402

TARGET = (0.935, 0.965)
LEVEL = 0.95
NORMAL = 1.959963984540054
UNITS_PER_LABEL = 10
SIZES = (50, 100, 200, 500)
FEW = (10, 15, 20, 30)
BASES = (0.1, 0.3, 0.5, 0.7, 0.9)
CORRELATIONS = (0.0, 0.3, 0.6, 0.9)
SCALES = {"difference": corrected.DIFFERENCE, "grades": corrected.GRADE}
LENIENCY = 0.15
WIN_OF_DECIDED = 0.6


@dataclass(frozen=True)
class Scenario:
    """A population, and how many labels are drawn from it."""

    kind: str
    n_labels: int
    base: float
    correlation: float
    prompts: bool = False

    @property
    def truth(self) -> float:
        """The mean that people would give of the population."""
        if self.kind == "grades":
            return 5.0
        return self.base * (2 * WIN_OF_DECIDED - 1) if self.kind == "difference" else self.base

    @property
    def scale(self) -> corrected.Scale:
        """Between which values the mean lies."""
        return SCALES.get(self.kind, corrected.SHARE)


PARTS = {
    "Shares": [Scenario("share", *cell) for cell in itertools.product(SIZES, BASES, CORRELATIONS)],
    "Shares, several units per prompt": [
        Scenario("share", *cell, prompts=True) for cell in itertools.product(SIZES, (0.1, 0.5), CORRELATIONS)
    ],
    "A judge without an error": [
        Scenario("share", n, base, 1.0, prompts) for n in SIZES for base in (0.1, 0.5) for prompts in (False, True)
    ],
    "Labels that are nearly all alike": [Scenario("share", n, 0.02, c) for n in SIZES for c in (0.0, 0.6)],
    "A lenient judge": [Scenario("lenient", n, base, 0.6) for n in SIZES for base in (0.3, 0.7)],
    "Labels drawn by strata": [Scenario("strata", n, base, 0.6) for n in SIZES for base in (0.1, 0.5)],
    "Differences": [
        Scenario("difference", n, base, c, prompts)
        for n in SIZES
        for base in (0.1, 0.6)
        for c in (0.0, 0.6)
        for prompts in (False, True)
    ],
    "Grades": [Scenario("grades", n, np.nan, c, p) for n in SIZES for c in CORRELATIONS for p in (False, True)],
    "Few labels": [
        Scenario(kind, n, base, c)
        for n in FEW
        for kind, base in (("share", 0.1), ("share", 0.5), ("lenient", 0.3), ("difference", 0.1), ("grades", np.nan))
        for c in (0.3, 0.9)
    ],
}


def draw(scenario: Scenario, rng: np.random.Generator) -> corrected.Units:
    """Return the units of one study."""
    n_units = UNITS_PER_LABEL * scenario.n_labels
    sizes = rng.integers(1, 5, n_units) if scenario.prompts else np.ones(n_units, dtype=int)
    cluster = np.repeat(np.arange(n_units), sizes)[:n_units]

    def normal() -> np.ndarray:
        own = rng.standard_normal(n_units)
        if not scenario.prompts:
            return own
        return np.sqrt(0.3) * rng.standard_normal(n_units)[cluster] + np.sqrt(0.7) * own

    people, judge = _opinions(scenario, normal)
    if scenario.kind == "lenient":
        judge = np.maximum(judge, rng.random(n_units) < LENIENCY)
    stratum = np.zeros(n_units)
    if scenario.kind == "strata":
        stratum = (rng.random(n_units) < np.where(judge > 0, 0.7, 0.2)).astype(float)
    parts = [np.flatnonzero(stratum == name) for name in np.unique(stratum)]
    labelled = [rng.choice(part, scenario.n_labels // len(parts), replace=False) for part in parts]
    hidden = np.ones(n_units, dtype=bool)
    hidden[np.concatenate(labelled)] = False
    return corrected.Units.of(np.where(hidden, np.nan, people), judge, cluster, stratum)


def _opinions(scenario: Scenario, normal) -> tuple[np.ndarray, np.ndarray]:
    """Return what people and the judge say of every unit; `normal` draws a standard normal number for each."""
    if scenario.kind == "grades":
        common, own = normal(), normal()
        return 5 + common, 4 + (scenario.correlation * common + np.sqrt(1 - scenario.correlation**2) * own) / 2
    repeats = normal() < ndtri(scenario.correlation)
    people, own = (_answers(scenario, normal()) for _ in range(2))
    return people, np.where(repeats, people, own)


def _answers(scenario: Scenario, latent: np.ndarray) -> np.ndarray:
    if scenario.kind != "difference":
        return (latent < ndtri(scenario.base)).astype(float)
    wins, losses = scenario.base * WIN_OF_DECIDED, scenario.base * (1 - WIN_OF_DECIDED)
    return (latent < ndtri(wins)).astype(float) - (latent > ndtri(1 - losses))


def simulate(scenario: Scenario, number: int, runs: range, seed: int) -> list[dict[str, float]]:
    """Return one row per run: whether each interval holds the truth, and how wide two of them are.

    `number` is the scenario's own: the draws of two scenarios are independent.
    """
    rows = []
    for run in runs:
        units = draw(scenario, np.random.default_rng([seed, number, run]))
        tuned = corrected.correct(units, scenario.scale)
        alone = corrected.judged(units, scenario.scale), corrected.correct(units, scenario.scale, share=0.0)
        judge, labels, both = (result.estimate(LEVEL) for result in (*alone, tuned))
        rows.append(
            {
                "judge": _holds(judge, scenario.truth),
                "labels": _holds(labels, scenario.truth),
                "corrected": _holds(both, scenario.truth),
                "plain": abs(tuned.value - scenario.truth) <= NORMAL * np.sqrt(tuned.variance),
                "labels_width": labels.high - labels.low,
                "width": both.high - both.low,
            }
        )
    return rows


def _holds(interval: corrected.Estimate, truth: float) -> bool:
    return interval.low - 1e-12 <= truth <= interval.high + 1e-12


EVERY = [(part, scenario) for part, some in PARTS.items() for scenario in some]
AGAIN = 10  # added to the seed of runs that look again: they are others than the first


def run_all(n_runs: int, seed: int, jobs: int, again: int = 0) -> pd.DataFrame:
    """Return a row per scenario, means over its runs; the result does not depend on the number of jobs.

    Lines below the target are run `again` so many times, if that is more than 0.
    """
    summary = run_some(range(len(EVERY)), n_runs, seed, jobs)
    return looked_again(summary, again, seed, jobs) if again else summary


def run_some(numbers: Sequence[int], n_runs: int, seed: int, jobs: int) -> pd.DataFrame:
    """Return a row per scenario of these numbers."""
    rows = []
    with concurrent.futures.ProcessPoolExecutor(jobs, initializer=threadpool_limits, initargs=(1,)) as pool:
        submitted = [pool.submit(simulate, EVERY[number][1], number, range(n_runs), seed) for number in numbers]
        for number, result in zip(numbers, submitted, strict=True):
            (part, scenario), means = EVERY[number], pd.DataFrame(result.result()).astype(float).mean()
            rows.append({"part": part, "scenario": scenario, "runs": n_runs, **means})
            print(f"{part}: {scenario}", file=sys.stderr, flush=True)
    return pd.DataFrame(rows, index=list(numbers))


def looked_again(summary: pd.DataFrame, n_runs: int, seed: int, jobs: int) -> pd.DataFrame:
    """Return the summary with other runs, n_runs of each, in place of lines that cover less often than wanted."""
    below = [number for number, row in summary.iterrows() if row.corrected < TARGET[0]]
    other = run_some(below, n_runs, seed + AGAIN, jobs)
    return pd.concat([summary.drop(index=below), other]).sort_index()


def missed(summary: pd.DataFrame) -> list[str]:
    """Return one line per corrected interval that covers more or less often than wanted."""
    lines = []
    for row in summary.itertuples():
        if not TARGET[0] <= row.corrected <= TARGET[1]:
            way = "below" if row.corrected < TARGET[0] else "above"
            lines.append(f"{way} {100 * row.corrected:.1f} %: {row.part}, {_words(row.scenario)}")
    return lines


def _words(scenario: Scenario) -> str:
    base = "" if np.isnan(scenario.base) else f", base {scenario.base:g}"
    prompts = ", prompts" if scenario.prompts else ""
    return f"{scenario.kind}, {scenario.n_labels} labels{base}, correlation {scenario.correlation:g}{prompts}"


def report(summary: pd.DataFrame, n_runs: int, seed: int) -> str:
    """Return benchmarks/results/corrected.md."""
    noise = 100 * NORMAL * np.sqrt(0.95 * 0.05 / n_runs)
    enough = summary[[scenario.n_labels >= corrected.LEAST_LABELS for scenario in summary.scenario]]
    below = [line for line in missed(enough) if line.startswith("below")]
    above = [line for line in missed(enough) if line.startswith("above")]
    lines = [
        "# Do corrected numbers hold the truth?",
        "",
        "Made by `benchmarks/simulate_corrected.py`, which describes the simulated populations; do not edit.",
        f"{n_runs} runs per line, seed {seed}. The simulation's own error is ±{noise:.1f} points.",
        *_again(summary),
        "Wanted: 95 % intervals that hold the truth in 93.5–96.5 % of runs. *plain* is PPI++ with the normal quantile",
        "and nothing else, as `ppi-python` has it. [What the numbers are](../../docs/corrected.md).",
        "",
        f"With {corrected.LEAST_LABELS} labels or more, {len(enough) - len(below) - len(above)} of {len(enough)} "
        f"coverages are inside the target, {len(below)} below and {len(above)} above it.",
        *[f"- {line}" for line in below],
        "",
        "Above it are cases in which the labels hold hardly an error of the judge, or hardly a 1. An interval that is",
        "honest when the judge errs in 2 % must allow for that when none of 50 labels shows it; where the judge then",
        "errs less, or never, it holds the truth more often than 95 %. A whole number of errors cannot be held in just",
        "95 %.",
        "",
        *(
            [
                f"<details><summary>the {len(above)} above</summary>",
                "",
                *(f"- {line}" for line in above),
                "",
                "</details>",
                "",
            ]
        ),
    ]
    for part, rows in summary.groupby("part", sort=False):
        lines += [f"## {part}", "", *_table(rows, summary.runs.min()), ""]
    return "\n".join(lines)


def _again(summary: pd.DataFrame) -> list[str]:
    """Return which lines have more runs."""
    most = summary.runs.max()
    n_again = int((summary.runs == most).sum())
    if most == summary.runs.min():
        return []
    noise = 100 * NORMAL * np.sqrt(0.95 * 0.05 / most)
    words = f"below the target at first, and were run again {most} times (±{noise:.1f} points) with another seed."
    return [f"Lines with * ({n_again}) were {words}"]


def _table(rows: pd.DataFrame, fewest: int) -> list[str]:
    lines = [
        "| labels | kind | base | correlation | judge alone % | labels alone % | corrected % | plain % "
        "| width, labels alone | width, corrected |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        scenario = row.scenario
        shares = [f"{100 * value:.1f}" for value in (row.judge, row.labels, row.corrected, row.plain)]
        shares[2] = f"**{shares[2]}**" + ("\\*" if row.runs > fewest else "")
        cells = [
            str(scenario.n_labels),
            scenario.kind + (", prompts" if scenario.prompts else ""),
            "–" if np.isnan(scenario.base) else f"{scenario.base:g}",
            f"{scenario.correlation:g}",
            *shares,
            f"{row.labels_width:.3f}",
            f"{row.width:.3f}",
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def main() -> int:
    """Run the simulation, write the table, and return 1 when an interval covers less often than wanted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000, help="simulated studies per line")
    parser.add_argument("--again", type=int, default=0, help="runs of lines that came out below the target")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=1, help="processes; does not change the result")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "corrected.md")
    options = parser.parse_args()
    summary = run_all(options.runs, options.seed, options.jobs, options.again)
    options.output.write_text(report(summary, options.runs, options.seed), encoding="utf-8")
    lines = [line for line in missed(summary) if line.startswith("below")]
    print("\n".join(lines), file=sys.stderr)
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main())
