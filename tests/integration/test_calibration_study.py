"""A study whose judge gives probabilities, with development sets: from a real model's replies to the page."""

import csv

import pytest
import yaml
from workflow_runs import copy_workflow, runner

from judgemerge.core.files import read_jsonl

pytestmark = pytest.mark.slow
STUDY = {
    "study": "sure",
    "suites": {
        "pairs": {
            "benchmarks": ["demo_pairwise", "demo_pointwise"],
            "development": ["demo_pairwise_development"],
            "limit": 40,
        }
    },
    "judges": ["near"],
    "pairs_from_grades": {"judges": ["near"], "prompt": "brief_pointwise_expected", "suites": ["pairs"]},
    "judging": {"prompts": {"pairwise": "brief_pairwise_choice", "pointwise": "brief_pointwise_expected"}},
    "statistics": {"resamples": 100},
}
VERDICTS = "results/sure/verdicts/near/pairs.jsonl"
TABLE = "results/sure/tables/calibration"


def test_probabilities_reach_the_page_and_old_verdicts_gain_them_without_a_model(repository, tiny_models, tmp_path):
    folder = copy_workflow(repository, tmp_path)
    model = {"models": {"near": {"path": str(tiny_models["base"])}}}
    (folder / "sure.yaml").write_text(yaml.safe_dump(STUDY | model), encoding="utf-8")
    run = runner(folder)
    page = [f"{TABLE}.html", "results/sure/figures/reliability.svg", "results/sure/figures/risk_coverage.svg"]
    process = run("--configfile", "sure.yaml", "--", *page)
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]

    verdicts = list(read_jsonl(folder / VERDICTS))
    assert {row["benchmark"] for row in verdicts} == {"demo_pairwise", "demo_pointwise", "demo_pairwise_development"}
    for row in verdicts:
        assert sum(row["probabilities"].values()) == pytest.approx(1)
        if row["outcome"] == "score":
            mean = sum(float(grade) * share for grade, share in row["probabilities"].items())
            assert row["score"] == pytest.approx(mean, abs=1e-6)
        else:
            assert row["probabilities"][row["outcome"]] == max(row["probabilities"].values())
    with open(folder / f"{TABLE}.csv", encoding="utf-8", newline="") as file:
        cells = {(row["judge"], row["benchmark"], row["metric"]): row for row in csv.DictReader(file)}
    assert {(judge, benchmark) for judge, benchmark, _ in cells} == {
        ("near", "demo_pairwise"),
        ("near", "demo_pointwise"),
        ("near_from_grades", "demo_pairwise"),
    }
    fitted = cells["near", "demo_pairwise", "temperature"]
    assert float(fitted["value"]) > 0 and fitted["note"] == "fitted on demo_pairwise_development"
    assert ("near", "demo_pointwise", "ece") in cells and ("near", "demo_pointwise", "temperature") not in cells
    assert "Calibrated, fitted on demo_pairwise_development" in (folder / page[0]).read_text(encoding="utf-8")

    # The file of verdicts is of a version that dropped the probabilities: only parsing happens again.
    before = (folder / VERDICTS).read_bytes()
    (folder / VERDICTS).unlink()
    again = run("--configfile", "sure.yaml", "--", VERDICTS)
    assert again.returncode == 0, (again.stdout + again.stderr)[-3000:]
    assert "judge_suite" not in again.stdout + again.stderr
    assert (folder / VERDICTS).read_bytes() == before
