"""Makes results/coverage.md: how often intervals hold the known truth, and false-positive rates, by seeded simulation.

    python benchmarks/simulate_coverage.py --jobs 2
    python benchmarks/simulate_coverage.py --runs 5000 --resamples 1000 --designs 0 1 2 3 4 5 6 7 --jobs 8

A run draws one benchmark and two judges of equal merit from a known population, and asks the package for intervals and
for the paired test. The share of intervals that hold the population value is the coverage (wanted: 93.5–96.5 % at
95 %); the share of tests with p ≤ 0.05 is the false-alarm rate (wanted: 4–6 %).

The population: clusters of 1–4 items (uniform) that share a prompt; where some are larger they have 15 items more, a
giant has 60 more. Truth, difficulty and a judge's own deviation each have a part that is common to the cluster, so that
items of one cluster resemble each other (right or wrong with a correlation of about 0.2, in the designs "alike" of
0.4); difficulty is common to the two judges, so that they err together. Pairwise judges find ties harder, err
(unreadable replies) in 2 % of verdicts, and are right in the two orders of an item with correlation 0.7; in the
"leaning" scenario one is better in the original order and the other, by as much, in the swapped order. Pointwise truths
are whole numbers 0–10, scores 1–10.
"""

import argparse
import concurrent.futures
import itertools
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtr
from threadpoolctl import threadpool_limits

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "scripts"))

from judgemerge.evaluate import bootstrap, comparisons, score  # noqa: E402
from judgemerge.evaluate.metrics import PROTOCOLS, metrics_for  # noqa: E402
from judgemerge.evaluate.verdict_arrays import ERROR, TIE, BenchmarkArrays, JudgeArrays  # noqa: E402

COVERAGE_TARGET = (0.935, 0.965)
FALSE_ALARM_TARGET = (0.04, 0.06)
LEVEL = 0.95
COVERAGE_METRICS = {
    "pairwise": ("accuracy", "accuracy_both", "consistency", "macro_f1", "kappa", "tie_rate", "error_rate"),
    "pointwise": ("pearson", "spearman", "kendall", "mae", "kappa_quadratic"),
}
GRADE_METRICS = COVERAGE_METRICS["pointwise"]
TEST_METRICS = {protocol: metrics_for(protocol, "comparisons") for protocol in PROTOCOLS}
CLASS_SHARES = np.array([0.42, 0.43, 0.15])
ERROR_SHARE = 0.02
POPULATION_ITEMS, POPULATION_SEED = 1_000_000, (1, 1)


@dataclass(frozen=True)
class Scenario:
    """Judges: `skill` is the chance to be right on a non-tie (pairwise) or the latent correlation (pointwise)."""

    name: str
    protocol: str
    skill: float
    lean: float = 0.0


@dataclass(frozen=True)
class Design:
    """How items share prompts: `n_items` items, or `n_prompts` prompts, of `sizes` (lowest and highest, uniform).

    The first `n_larger` prompts have so many items more (`larger`). `alike` multiplies the part of truth, difficulty
    and deviation that items of one prompt have in common.
    """

    name: str
    n_items: int = 0
    n_prompts: int = 0
    sizes: tuple[int, int] = (1, 4)
    n_larger: int = 0
    larger: int = 0
    alike: float = 1.0

    def clusters(self, rng: np.random.Generator) -> np.ndarray:
        """Return the prompt of each item, (n_items,)."""
        low, high = self.sizes
        if self.n_items:
            return np.repeat(np.arange(self.n_items), rng.integers(low, high + 1, self.n_items))[: self.n_items]
        sizes = rng.integers(low, high + 1, self.n_prompts)
        sizes[: self.n_larger] += self.larger
        return np.repeat(np.arange(self.n_prompts), sizes)


DESIGNS = (
    Design("100 items", n_items=100),
    Design("1000 items", n_items=1000),
    Design("15 prompts, 1 larger", n_prompts=15, n_larger=1, larger=15),
    Design("40 prompts, 2 larger", n_prompts=40, n_larger=2, larger=15),
    Design("100 prompts, 5 larger", n_prompts=100, n_larger=5, larger=15),
    Design("15 prompts of 5, alike", n_prompts=15, sizes=(5, 5), alike=2.0),
    Design("40 prompts of 5, alike", n_prompts=40, sizes=(5, 5), alike=2.0),
    Design("40 prompts, 1 giant", n_prompts=40, n_larger=1, larger=60),
)
USUAL = [number for number, design in enumerate(DESIGNS) if design.n_items < 1000]  # 1000 items take an hour
SCENARIOS = (
    Scenario("weak", "pairwise", 0.65),
    Scenario("usual", "pairwise", 0.80),
    Scenario("strong", "pairwise", 0.93),
    Scenario("leaning", "pairwise", 0.75, lean=0.08),
    Scenario("weak", "pointwise", 0.3),
    Scenario("usual", "pointwise", 0.6),
    Scenario("strong", "pointwise", 0.9),
)
JUDGES = list(dict.fromkeys(scenario.name for scenario in SCENARIOS))


def draw(scenario: Scenario, design: Design, rng: np.random.Generator) -> tuple[BenchmarkArrays, list[JudgeArrays]]:
    """Return one benchmark and two judges of equal merit."""
    cluster = design.clusters(rng)
    n_clusters = int(cluster[-1]) + 1

    def normal(cluster_variance: float, item_variance: float) -> np.ndarray:
        shared = cluster_variance * design.alike
        common = np.sqrt(shared) * rng.standard_normal(n_clusters)[cluster]
        return common + np.sqrt(cluster_variance + item_variance - shared) * rng.standard_normal(len(cluster))

    if scenario.protocol == "pairwise":
        truth, judges = _draw_pairwise(scenario, normal, rng)
    else:
        truth, judges = _draw_pointwise(scenario, normal, rng)
    return BenchmarkArrays("simulated", scenario.protocol, (), truth, cluster, n_clusters, frozenset()), judges


def _draw_pairwise(scenario: Scenario, normal, rng: np.random.Generator) -> tuple[np.ndarray, list[JudgeArrays]]:
    truth = np.searchsorted(np.cumsum(CLASS_SHARES)[:2], ndtr(normal(0.3, 0.7)))
    difficulty = normal(0.2, 0.2)
    judges = []
    for index in range(2):
        own = difficulty + normal(0.1, 0.2)
        codes = np.empty((len(truth), 2), dtype=int)
        for order in range(2):
            skill = scenario.skill + (scenario.lean if order == index else -scenario.lean)
            right = ndtr(own + normal(0, 0.3)) < skill - np.where(truth == TIE, 0.25, 0)
            wrong = (truth + 1 + (rng.random(len(truth)) < 0.3)) % 3
            codes[:, order] = np.where(right, truth, wrong)
        codes[rng.random(codes.shape) < ERROR_SHARE] = ERROR
        judges.append(JudgeArrays(f"judge{index}", codes, np.empty(0), (True, True)))
    return truth, judges


def _draw_pointwise(scenario: Scenario, normal, rng: np.random.Generator) -> tuple[np.ndarray, list[JudgeArrays]]:
    latent = normal(0.3, 0.7)
    difficulty = normal(0.15, 0.25)
    judges = []
    for index in range(2):
        deviation = difficulty + normal(0.15, 0.45)
        seen = scenario.skill * latent + np.sqrt(1 - scenario.skill**2) * deviation
        scores = np.clip(np.round(6 + 1.6 * seen), 1, 10)
        scores[rng.random(len(scores)) < ERROR_SHARE] = np.nan
        codes = np.full((len(scores), 2), ERROR)
        judges.append(JudgeArrays(f"judge{index}", codes, scores, (True, False)))
    return np.clip(np.round(5.5 + 2 * latent), 0, 10), judges


def population_values(scenario: Scenario) -> dict[str, float]:
    """Return the metrics of the first judge over a sample so large that its own error does not matter."""
    everything = Design("population", n_items=POPULATION_ITEMS)
    benchmark, judges = draw(scenario, everything, np.random.default_rng(POPULATION_SEED))
    whole = BenchmarkArrays(  # one cluster: only the sums over all items are wanted
        "population", scenario.protocol, (), benchmark.truth, np.zeros_like(benchmark.cluster), 1, frozenset()
    )
    return score.judge_statistics(whole, judges[0], np.ones((1, 1)), GRADE_METRICS).values


def simulate(scenario: Scenario, design: Design, runs: range, n_resamples: int, seed: int) -> list[dict]:
    """Return one row per run and metric: interval ends (ours, percentile) and p values (ours, percentile)."""
    number = SCENARIOS.index(scenario)
    rows = []
    for run in runs:
        rng = np.random.default_rng([seed, number, DESIGNS.index(design), run])
        benchmark, arrays = draw(scenario, design, rng)
        weights = bootstrap.resampling_weights(benchmark.n_clusters, n_resamples, rng)
        a, b = (score.judge_statistics(benchmark, judge, weights, GRADE_METRICS) for judge in arrays)
        clusters = bootstrap.Clusters(benchmark.cluster_sizes)
        statistics = score.BenchmarkStatistics(benchmark, {}, clusters, LEVEL)
        for metric in COVERAGE_METRICS[scenario.protocol]:
            low, high = score.metric_interval(statistics, a, metric)
            plain = np.nanquantile(a.resampled[metric], [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            rows.append({"metric": metric, "low": low, "high": high, "plain_low": plain[0], "plain_high": plain[1]})
        for metric in TEST_METRICS[scenario.protocol]:
            if metric == "accuracy_first" and scenario.lean:
                continue  # there the judges do differ in it
            p = comparisons.difference(statistics, a, b, metric)[1].p
            resampled = a.resampled[metric], b.resampled[metric]
            below = np.mean(resampled[0] < resampled[1]) + np.mean(resampled[0] == resampled[1]) / 2
            rows.append({"metric": metric, "p": p, "plain_p": 2 * min(below, 1 - below)})
        if scenario.protocol == "pairwise" and not scenario.lean:
            p = comparisons.mcnemar(comparisons.cluster_gains(benchmark, *arrays))
            of_items = comparisons.mcnemar(comparisons.cluster_gains(_without_clusters(benchmark), *arrays))
            rows.append({"metric": "accuracy_first (McNemar)", "p": p, "plain_p": of_items})
    return rows


def _without_clusters(benchmark: BenchmarkArrays) -> BenchmarkArrays:
    """Return the benchmark as it would be if every item had a prompt of its own."""
    return replace(benchmark, cluster=np.arange(benchmark.n_items), n_clusters=benchmark.n_items)


def summarise(rows: pd.DataFrame, truths: dict[str, float]) -> list[dict]:
    """Return coverage, width and false-alarm rates per metric. An interval that is not given does not cover."""
    summary = []
    for metric, group in rows.groupby("metric", sort=False):
        row = {"metric": metric}
        intervals, tests = group[group["plain_low"].notna()], group[group["p"].notna()]
        if len(intervals):
            truth = truths[metric]
            row["truth"] = truth
            row["coverage"] = intervals["low"].le(truth).mul(intervals["high"].ge(truth)).mean()
            row["plain_coverage"] = intervals["plain_low"].le(truth).mul(intervals["plain_high"].ge(truth)).mean()
            row["width"] = (intervals["high"] - intervals["low"]).mean()
        if len(tests):
            row["false_alarms"] = (tests["p"] <= 1 - LEVEL).mean()
            row["plain_false_alarms"] = (
                (tests["plain_p"] <= 1 - LEVEL).mean() if tests["plain_p"].notna().any() else None
            )
        summary.append(row)
    return summary


def run_all(
    n_runs: int, designs: list[Design], scenarios: list[Scenario], n_resamples: int, seed: int, jobs: int
) -> pd.DataFrame:
    """Return the summary rows of scenarios and designs; the result does not depend on the number of jobs."""
    cells = list(itertools.product(designs, scenarios))
    step = max(1, n_runs // 10)
    blocks = [range(start, min(start + step, n_runs)) for start in range(0, n_runs, step)]
    summary = []
    # One BLAS thread each: the matrices are small, and the processes are the parallel part.
    with concurrent.futures.ProcessPoolExecutor(jobs, initializer=threadpool_limits, initargs=(1,)) as pool:
        truths = dict(zip(scenarios, pool.map(population_values, scenarios), strict=True))
        parts = {
            cell: [pool.submit(simulate, cell[1], cell[0], block, n_resamples, seed) for block in blocks]
            for cell in cells
        }
        for design, scenario in cells:
            rows = pd.DataFrame([row for part in parts[design, scenario] for row in part.result()])
            rows = rows.reindex(columns=["metric", "low", "high", "plain_low", "plain_high", "p", "plain_p"])
            for row in summarise(rows, truths[scenario]):
                summary.append({"design": design.name, "protocol": scenario.protocol, "scenario": scenario.name} | row)
            print(f"{design.name}, {scenario.protocol}, {scenario.name}: done", file=sys.stderr, flush=True)
    return pd.DataFrame(summary)


def outside(summary: pd.DataFrame, allowed: float = 0.0) -> list[str]:
    """Return one line per figure that is further than `allowed` from its target.

    McNemar's test is exact, so below 4 % it is cautious, not wrong.
    """
    lines = []
    for row in summary.to_dict("records"):
        place = f"{row['metric']}, {row['design']}, {row['protocol']} {row['scenario']}"
        least_alarms = 0 if "McNemar" in row["metric"] else FALSE_ALARM_TARGET[0]
        if _misses(row["coverage"], *COVERAGE_TARGET, allowed):
            lines.append(f"coverage {row['coverage']:.1%}: {place}")
        if _misses(row["false_alarms"], least_alarms, FALSE_ALARM_TARGET[1], allowed):
            lines.append(f"false alarms {row['false_alarms']:.1%}: {place}")
    return lines


def _options(summary: pd.DataFrame, n_runs: int, n_resamples: int, seed: int) -> str:
    """Return the options that make this summary."""
    numbers = {design.name: str(number) for number, design in enumerate(DESIGNS)}
    designs = " ".join(numbers[name] for name in summary["design"].unique())
    judges = " ".join(summary["scenario"].unique())
    return f"--runs {n_runs} --designs {designs} --judges {judges} --resamples {n_resamples} --seed {seed}"


def _misses(share: float, low: float, high: float, allowed: float) -> bool:
    return bool(np.isfinite(share)) and not low - allowed <= share <= high + allowed


def noise(n_runs: int) -> float:
    """Return the simulation's own error of a share of 0.95 or 0.05, half a 95 % interval."""
    return float(1.96 * np.sqrt(0.95 * 0.05 / n_runs))


def missed(summary: pd.DataFrame, n_runs: int) -> list[str]:
    """Return one line per figure that is further from its target than the simulation's own error."""
    return outside(summary, noise(n_runs))


def report(summary: pd.DataFrame, n_runs: int, n_resamples: int, seed: int) -> str:
    """Return benchmarks/results/coverage.md."""
    misses = missed(summary, n_runs)
    figures = f"{summary['coverage'].notna().sum()} coverages and {summary['false_alarms'].notna().sum()} false-alarm"
    lines = [
        "# Are the intervals honest?",
        "",
        f"Made by `python benchmarks/simulate_coverage.py {_options(summary, n_runs, n_resamples, seed)}`,",
        "which describes the simulated population; do not edit.",
        f"{n_runs} runs per scenario and design, {n_resamples} resamples, seed {seed}. The simulation's own error is "
        f"±{100 * noise(n_runs):.1f} points for coverage and for false alarms;",
        "`--runs 5000 --resamples 1000 --designs 0 1 2 3 4 5 6 7`, for all judges, brings it down to ±0.6.",
        "Wanted: 95 % intervals that hold the truth in 93.5–96.5 % of runs; tests at 5 % with a false-positive rate of "
        "4–6 %.",
        "*percentile* is what plain percentile intervals and tests would have given on the same resamples, and for",
        "McNemar's test, which is of whole prompts, what it would have given for items as if independent.",
        "",
        f"Outside the targets: {len(outside(summary))} of {figures} rates, by more than the simulation's own error "
        f"{len(misses)}" + (":" if misses else "."),
        *[f"- {line}" for line in misses],
        "",
        "An error rate of 2 % among 200 verdicts means four errors on average: whole numbers cannot be held in just",
        "95 %, and Wilson's interval errs on the wide side. Exact McNemar and, with few or unequal prompts, the paired",
        "bootstrap are cautious. With fewer than 20 effective prompts (shares of all items: 10) `agreement.csv` warns",
        "that an interval may be too narrow.",
        "",
        "| design | judges | metric | truth | coverage % | percentile | width | false alarms % | percentile |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for row in summary.to_dict("records"):
        cells = [
            row["design"],
            f"{row['protocol']}, {row['scenario']}",
            row["metric"],
            _cell(row["truth"], "{:.3f}"),
            _cell(100 * row["coverage"], "**{:.1f}**"),
            _cell(100 * row["plain_coverage"], "{:.1f}"),
            _cell(row["width"], "{:.3f}"),
            _cell(100 * row["false_alarms"], "**{:.1f}**"),
            _cell(100 * row["plain_false_alarms"], "{:.1f}"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: float, form: str) -> str:
    return form.format(value) if np.isfinite(value) else "–"


def main() -> int:
    """Run the simulation, write the table, and return 1 when a figure is certainly outside its target."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=400, help="simulated studies per scenario and design")
    parser.add_argument(
        "--designs", type=int, nargs="+", default=[*range(len(DESIGNS))], help="rows of DESIGNS, from 0"
    )
    parser.add_argument("--judges", nargs="+", default=JUDGES, choices=JUDGES, help="names of SCENARIOS")
    parser.add_argument("--resamples", type=int, default=400, help="bootstrap resamples per study")
    parser.add_argument("--seed", type=int, default=77)
    parser.add_argument("--jobs", type=int, default=1, help="processes; does not change the result")
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "results" / "coverage.md")
    options = parser.parse_args()
    designs = [DESIGNS[number] for number in options.designs]
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in options.judges]
    summary = run_all(options.runs, designs, scenarios, options.resamples, options.seed, options.jobs)
    summary["plain_false_alarms"] = summary["plain_false_alarms"].astype(float)
    options.output.write_text(report(summary, options.runs, options.resamples, options.seed), encoding="utf-8")
    misses = missed(summary, options.runs)
    for line in misses:
        print(line, file=sys.stderr)
    return 1 if misses else 0


if __name__ == "__main__":
    sys.exit(main())
