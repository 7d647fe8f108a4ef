"""A judge that cannot judge takes nothing with it: the others are tabulated, it is named, and the run fails."""

import csv
import json

import pytest
import yaml
from workflow_runs import BASELINES, copy_workflow, planned, runner

from judgemerge.core.files import read_jsonl

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def broken(repository, tmp_path_factory):
    """Return (folder, run): a study with a recorded judge whose file has other items, and one whose weights are cut."""
    folder = copy_workflow(repository, tmp_path_factory.mktemp("broken"))
    write_verdicts(folder, "another")
    entry = {"label": "Theirs", "format": "jsonl", "benchmarks": {"demo_pairwise": {"original": "theirs.jsonl"}}}
    entry |= {"options": {"fields": {"item": "id", "verdict": "v"}, "labels": {"A": "first"}}}
    catalogue = folder / "config/recorded.yaml"
    catalogue.write_text(catalogue.read_text() + yaml.safe_dump({"theirs": entry}))
    (folder / "cut").mkdir()
    (folder / "cut/config.json").write_text("{}")
    (folder / "cut/model.safetensors").write_bytes(b"\0\1")
    write_study(folder, "longer", "theirs", "cut", "random")
    run = runner(folder)
    return folder, lambda *arguments: run(*arguments, "--configfile", "broken.yaml")


def write_study(folder, *judges):
    study = {**BASELINES, "study": "broken", "models": {"cut": {"path": "cut"}}, "judges": list(judges)}
    study["judging"] = {"prompts": {"pairwise": "brief_pairwise", "pointwise": "brief_pointwise"}}
    (folder / "broken.yaml").write_text(yaml.safe_dump(study, sort_keys=False))


def write_verdicts(folder, prefix):
    rows = ({"id": f"{prefix}{number}", "v": "A"} for number in range(300))
    (folder / "theirs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_the_others_are_tabulated_and_the_run_fails(broken):
    folder, run = broken
    process = run("--dry-run")
    assert process.returncode == 0 and "Traceback" not in process.stderr, process.stderr[-3000:]
    process = run()
    said = process.stdout + process.stderr
    assert process.returncode != 0 and "2 judges could not judge" in said, said[-3000:]
    with open(folder / "results/broken/tables/agreement.csv", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["benchmark"] == "demo_pairwise"]
    judges = ("longer", "theirs", "cut", "random")
    values = {judge: [row["value"] for row in rows if row["judge"] == judge] for judge in judges}
    assert any(values["longer"]) and any(values["random"]) and not any(values["theirs"] + values["cut"])
    assert all(row["note"].startswith("not judged: ") for row in rows if row["judge"] in ("theirs", "cut"))
    assert any("model.safetensors: the file is cut short" in row["note"] for row in rows if row["judge"] == "cut")
    for page in ("agreement", "comparisons", "humans", "bias"):
        text = (folder / f"results/broken/tables/{page}.html").read_text()
        assert "Missing, because they could not judge: " in text and "theirs on demo_pairwise (" in text
    assert (folder / "results/broken/figures/accuracy.svg").exists()
    assert not (folder / "results/broken/run.json").exists()


def test_the_next_run_judges_what_failed_and_nothing_else(broken):
    folder, run = broken
    due = planned(run("--dry-run"))
    assert due["read_recorded"] == due["link_model"] == 1 and due["judge_suite"] == 2
    assert not {"answer_baselines", "write_items"} & due.keys()
    write_study(folder, "longer", "theirs", "random")
    items = [row["id"] for row in read_jsonl(folder / "results/broken/items/demo_pairwise.jsonl")]
    (folder / "theirs.jsonl").write_text("".join(json.dumps({"id": item, "v": "A"}) + "\n" for item in items))
    process = run()
    assert process.returncode == 0, process.stderr[-3000:]
    assert "could not judge" not in (folder / "results/broken/tables/agreement.html").read_text()
    assert planned(run("--dry-run")) == {}


def test_a_target_without_the_record_fails_too(broken):
    folder, run = broken
    write_verdicts(folder, "another")
    process = run("results/broken/tables/agreement.csv")
    assert process.returncode != 0
    assert "some judges could not judge" in process.stdout + process.stderr
