"""Juries and cascades in a study: what is planned for them, and what comes out without asking any model."""

import csv
import json

import pytest
import yaml
from workflow_runs import BASELINES, copy_workflow, planned, runner

from judgemerge.core.files import read_jsonl

STUDY = BASELINES | {
    "study": "panels",
    "judges": ["longer", "random", "majority", "vote", "careful"],
    "juries": {"vote": {"members": ["longer", "random", "majority"], "baselines": True}},
    "cascades": {"careful": {"members": ["random", "longer"], "target": 0.5, "baselines": True}},
}
TABLES = "results/panels/tables"


@pytest.fixture(scope="module")
def study(repository, tmp_path_factory):
    folder = copy_workflow(repository, tmp_path_factory.mktemp("panels"))
    (folder / "panels.yaml").write_text(yaml.safe_dump(STUDY), encoding="utf-8")
    return folder


def test_a_jury_is_one_cheap_job_per_suite_and_asks_no_model(study):
    jobs = planned(runner(study)("--dry-run", "--configfile", "panels.yaml"))
    assert jobs["assemble_jury"] == 2 + 1  # random answers pairs alone
    assert not set(jobs) & {"judge_suite", "parse_replies", "link_model"}
    assert jobs["make_table"] == 3  # items, replaceability, panels


@pytest.mark.slow
def test_they_stand_in_every_table_beside_their_members(study):
    wanted = [f"{TABLES}/{name}" for name in ("panels.csv", "panels.html", "agreement.csv")]
    process = runner(study)("--configfile", "panels.yaml", "--", *wanted, "results/panels/figures/panels.svg")
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]
    verdicts = {
        row["item"] + row["order"]: row for row in read_jsonl(study / "results/panels/verdicts/vote/few_pairs.jsonl")
    }
    members = {
        name: {
            row["item"] + row["order"]: row
            for row in read_jsonl(study / f"results/panels/verdicts/{name}/few_pairs.jsonl")
        }
        for name in ("longer", "random", "majority")
    }
    for key, row in verdicts.items():
        said = [members[name][key]["outcome"] for name in members]
        assert row["outcome"] == max(set(said), key=said.count) if max(map(said.count, said)) > 1 else "tie"
    with open(study / TABLES / "agreement.csv", encoding="utf-8", newline="") as file:
        judges = {(row["judge"], row["benchmark"]) for row in csv.DictReader(file)}
    assert {("vote", "demo_pairwise"), ("careful", "demo_pairwise")} <= judges
    record = json.loads((study / "results/panels/verdicts/careful/few_pairs.panel.json").read_text())
    assert record["target"] == 0.5 and len(record["benchmarks"]["demo_pairwise"]) == 2
    with open(study / TABLES / "panels.csv", encoding="utf-8", newline="") as file:
        rows = {(row["judge"], row["benchmark"], row["metric"]): row for row in csv.DictReader(file)}
    assert rows["vote", "demo_pairwise", "accuracy"]["n"] == rows["careful", "demo_pairwise", "coverage"]["n"] == "300"
    assert rows["vote", "demo_pairwise", "tokens_per_item"]["value"] == "0.0"  # baselines ask no model
