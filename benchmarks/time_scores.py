"""Prints how long the whole score table takes, and how much longer a loop over its cells would.

    python benchmarks/time_scores.py

Eight benchmarks of the sizes of the real ones × twelve judges × 10,000 resamples, on one thread. The loop is what one
would write first: for every judge and metric, for every resample, pick the items and compute the metric with NumPy
and SciPy; it is timed on a few resamples and multiplied up. Building items and verdicts is not timed; turning them
into arrays is.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "scripts"))

from judgemerge.core.items import CLASSES, Item, Verdict  # noqa: E402
from judgemerge.evaluate.metrics import METRICS  # noqa: E402
from judgemerge.evaluate.score import score_benchmark  # noqa: E402
from judgemerge.evaluate.verdict_arrays import BenchmarkArrays, JudgeArrays, benchmark_arrays, judge_arrays  # noqa: E402
from judgemerge.settings.report import Statistics  # noqa: E402

# name: items, clusters (as in LLMBar, Auto-J, PandaLM, MT-Bench and MELD)
SIZES = {
    "natural": (100, 100),
    "neighbor": (134, 134),
    "gptinst": (92, 92),
    "autoj": (1392, 1182),
    "pandalm": (999, 900),
    "mtbench": (1814, 80),
    "meld_pairwise": (960, 950),
    "meld_pointwise": (960, 950),
}


def make(name: str, n_judges: int, rng: np.random.Generator) -> tuple[list[Item], dict[str, list[Verdict]]]:
    """Return a made-up benchmark and judges that are right in 60–80 % of cases and err in 2 %."""
    n_items, n_clusters = SIZES[name]
    pointwise = name.endswith("pointwise")
    truths = rng.integers(0, 21, n_items) / 2 if pointwise else rng.choice(CLASSES, n_items, p=[0.42, 0.43, 0.15])
    items = [
        Item(
            id=f"{index:05d}",
            benchmark=name,
            protocol="pointwise" if pointwise else "pairwise",
            turns=("question",),
            responses=(("one",),) if pointwise else (("one",), ("two",)),
            truth=float(truth) if pointwise else str(truth),
            cluster=str(rng.integers(n_clusters)),
            origin={},
        )
        for index, truth in enumerate(truths)
    ]
    judge = _pointwise_judge if pointwise else _pairwise_judge
    return items, {f"judge{index}": judge(items, rng) for index in range(n_judges)}


def _pairwise_judge(items: list[Item], rng: np.random.Generator) -> list[Verdict]:
    verdicts = []
    skill = rng.uniform(0.6, 0.8)
    for order in ("original", "swapped"):
        for item, chance in zip(items, rng.random(len(items)), strict=True):
            outcome = "error" if chance > 0.98 else item.truth if chance < skill else str(rng.choice(CLASSES))
            verdicts.append(Verdict(item.id, order, outcome, reason="made_up" if outcome == "error" else None))
    return verdicts


def _pointwise_judge(items: list[Item], rng: np.random.Generator) -> list[Verdict]:
    scores = np.clip(np.round([item.truth + rng.normal(0, 2) for item in items]), 1, 10)
    return [Verdict(item.id, "original", "score", float(score)) for item, score in zip(items, scores, strict=True)]


def time_loop(benchmark: BenchmarkArrays, judge: JudgeArrays, n_resamples: int, rng: np.random.Generator) -> float:
    """Return the seconds that the plain loop takes for one judge and all its metrics."""
    members = [np.flatnonzero(benchmark.cluster == cluster) for cluster in range(benchmark.n_clusters)]
    functions = _pairwise_functions(judge) if benchmark.protocol == "pairwise" else _pointwise_functions(judge)
    start = time.perf_counter()
    for function in functions:
        for _ in range(n_resamples):
            drawn = rng.integers(0, benchmark.n_clusters, benchmark.n_clusters)
            rows = np.concatenate([members[cluster] for cluster in drawn])
            function(benchmark.truth[rows], rows)
    return time.perf_counter() - start


def _pairwise_functions(judge: JudgeArrays) -> list[Callable]:
    def share(truth: np.ndarray, rows: np.ndarray) -> float:
        return (judge.codes[rows, 0] == truth).mean()

    def table(truth: np.ndarray, rows: np.ndarray) -> float:
        cells = np.bincount(np.tile(truth, 2) * 4 + judge.codes[rows].T.ravel(), minlength=12).reshape(3, 4)
        return np.trace(cells[:, :3]) / cells.sum()

    n_tables = sum(name.startswith(("macro", "kappa")) for name in METRICS["pairwise"])
    return [table] * n_tables + [share] * (len(METRICS["pairwise"]) - n_tables)


def _pointwise_functions(judge: JudgeArrays) -> list[Callable]:
    return [
        lambda truth, rows: stats.pearsonr(truth, judge.scores[rows])[0],
        lambda truth, rows: stats.spearmanr(truth, judge.scores[rows])[0],
        lambda truth, rows: stats.kendalltau(truth, judge.scores[rows])[0],
        *[lambda truth, rows: np.abs(truth - judge.scores[rows]).mean()] * (len(METRICS["pointwise"]) - 3),
    ]


def main() -> int:
    """Time both and print one line per benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--judges", type=int, default=12)
    parser.add_argument("--resamples", type=int, default=10_000)
    parser.add_argument("--loop-resamples", type=int, default=20, help="resamples on which the loop is timed")
    options = parser.parse_args()
    rng = np.random.default_rng(0)
    total = loop_total = 0.0
    with threadpool_limits(1):
        for name in SIZES:
            items, verdicts = make(name, options.judges, rng)
            start = time.perf_counter()
            score_benchmark(items, verdicts, Statistics(resamples=options.resamples))
            seconds = time.perf_counter() - start
            benchmark = benchmark_arrays(items)
            judge = judge_arrays(benchmark, "judge0", verdicts["judge0"])
            loop = time_loop(benchmark, judge, options.loop_resamples, rng)
            loop *= options.judges * options.resamples / options.loop_resamples
            print(f"{name:15} {len(items):5} items {seconds:7.2f} s, loop {loop:8.0f} s, {loop / seconds:6.0f} times")
            total, loop_total = total + seconds, loop_total + loop
    print(f"{'all':15} {'':11} {total:7.2f} s, loop {loop_total:8.0f} s, {loop_total / total:6.0f} times")
    return 0


if __name__ == "__main__":
    sys.exit(main())
