"""What the finished demo must show: that experts learn, that merging keeps both skills, and that it can be traced."""

import json

import pandas as pd
import pytest

from judgemerge.core.items import read_items, read_verdicts
from judgemerge.evaluate.comparisons import compare_benchmark
from judgemerge.settings.report import Statistics

MERGES = ("dare_ties", "ties", "linear", "slerp")


@pytest.fixture(scope="module")
def demo(repository):
    """Return the folder of the finished demo, or skip."""
    folder = repository / "results" / "demo"
    if not (folder / "run.json").exists():
        pytest.skip(f"needs the finished demo: {folder}/run.json is missing; run `make demo` first")
    return folder


@pytest.fixture(scope="module")
def values(demo):
    """Return the demo's values by (judge, benchmark, metric), under our own rules."""
    table = pd.read_csv(demo / "tables" / "agreement.csv")
    return table[table["rules"] == "house"].set_index(["judge", "benchmark", "metric"])["value"]


def test_the_pairwise_expert_beats_its_base(demo):
    items = read_items(demo / "items" / "demo_pairwise.jsonl")
    verdicts = {
        judge: list(read_verdicts(demo / "verdicts" / judge / "demo.jsonl", "demo_pairwise"))
        for judge in ("pairwise", "tiny")
    }
    table = compare_benchmark(items, verdicts, Statistics(resamples=10_000, confidence=0.95, seed=7))
    row = table[table["metric"] == "accuracy"].iloc[0]
    assert (row["judge_a"], row["judge_b"]) == ("pairwise", "tiny")
    assert row["ci_low"] > 0, f"difference {row['difference']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"


def test_each_expert_beats_the_other_at_its_own_skill(values):
    assert values["pairwise", "demo_pairwise", "accuracy"] > values["pointwise", "demo_pairwise", "accuracy"]
    assert values["pointwise", "demo_pointwise", "spearman"] > values["pairwise", "demo_pointwise", "spearman"]


def test_a_merge_keeps_both_skills(values):
    skills = {
        merge: (values[merge, "demo_pairwise", "accuracy"], values[merge, "demo_pointwise", "spearman"])
        for merge in MERGES
    }
    assert any(accuracy >= 0.70 and spearman >= 0.50 for accuracy, spearman in skills.values()), skills


def test_every_judge_is_there_with_n_errors_and_intervals(demo):
    table = pd.read_csv(demo / "tables" / "agreement.csv")
    for benchmark in ("demo_pairwise", "demo_pointwise"):
        rows = table[table["benchmark"] == benchmark]
        assert {"tiny", "pointwise", "pairwise", *MERGES, "longer", "random", "majority"} <= set(rows["judge"])
        assert (rows["n"] == 300).all() and rows["errors"].notna().all()
        empty = rows[rows[["value", "ci_low", "ci_high"]].isna().any(axis=1)]
        assert empty["note"].notna().all(), "an undefined value or interval says why"
        assert len(empty) < len(rows) / 4


def test_the_run_record_traces_models_and_settings(demo):
    record = json.loads((demo / "run.json").read_text())
    for model in ("tiny", "pointwise", "pairwise", *MERGES):
        manifest = json.loads((demo / "models" / f"{model}.json").read_text())
        assert record["models"][model] == manifest["digest"]
    assert json.loads((demo / "models" / "ties.json").read_text())["made_by"]["parents"].keys() == {
        "tiny",
        "pointwise",
        "pairwise",
    }
    assert record["settings"]["merges"]["dare_ties"]["models"]["pairwise"] == {"density": 0.53, "weight": 0.4}
    assert record["seeds"]["seed"] == 42 and record["versions"]["snakemake"]
    assert {"make_model/tiny", "train_expert/pairwise"} <= {timing["job"] for timing in record["timings"]}


def test_every_prompt_was_judged_once(demo):
    for path in (demo / "store").glob("*/*.jsonl"):
        keys = [json.loads(line)["prompt"] for line in path.read_text().splitlines()]
        assert len(keys) == len(set(keys)), path
