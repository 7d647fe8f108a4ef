"""The study `embedder`, smaller than tiny: the whole graph, an iteration not needed, a plan of the full size."""

import csv
import json

import pytest
import yaml

from judgemerge.catalogues import load_yaml
from judgemerge.config import at_scale

pytestmark = [pytest.mark.slow, pytest.mark.long]

SMALL = ("--configfile", "small.yaml")


def smaller(repository):
    """Return the tiny scale with a sixth of everything; any recall is enough, so one iteration is passed over."""
    study = at_scale(load_yaml(repository / "config/studies/embedder.yaml") | {"scale": "tiny"}, "embedder.yaml")
    part = study["embedding"]
    part["documents"]["make"]["n_documents"] = 12
    for model in ("embedder", "reranker"):
        part[model]["make"] |= {"n_documents": 6, "training": {"epochs": 1, "max_pairs": 300}}
    part["iterations"]["recall"] = 0.001
    part["training"]["epochs"] = part["reranker_training"]["epochs"] = 1
    part["reranker_training"]["max_pairs"] = 60
    part["forgetting"]["weights"] = [0.5]
    for task in ("kitchen", "garden"):
        part["forgetting"]["tasks"][task]["make"]["n_documents"] = 3
    return study | {"study": "small", "statistics": {"resamples": 200}}


@pytest.fixture(scope="module")
def run(repository, checkout, snakemake):
    """Run the small study once; return its folder of results."""
    (checkout / "small.yaml").write_text(yaml.safe_dump(smaller(repository), sort_keys=False), encoding="utf-8")
    process = snakemake(*SMALL)
    assert process.returncode == 0, process.stderr[-4000:]
    return checkout / "results" / "small"


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def test_every_model_is_measured_on_every_task(run):
    table = rows(run / "tables" / "retrieval.csv")
    models = {"base", "iteration_1", "mixed_50", "mixed_by_loss", "tuned"}
    for task in ("target", "kitchen", "garden"):
        found = {row["model"] for row in table if row["task"] == task and row["metric"] == "recall@5"}
        assert found == models | ({"reranker", "reranker_tuned"} if task == "target" else set())
    assert all(float(row["ci_low"]) <= float(row["value"]) <= float(row["ci_high"]) for row in table if row["ci_low"])
    tuned, first = ([row["value"] for row in table if row["model"] == name] for name in ("tuned", "iteration_1"))
    assert tuned == first


def test_differences_are_against_the_base(run):
    differences = rows(run / "tables" / "retrieval_differences.csv")
    assert {row["against"] for row in differences if row["kind"] != "reranked"} == {"base"}
    assert {"ci_low", "ci_high", "p", "n"} <= set(differences[0])


def test_an_iteration_that_is_not_needed_is_passed_over(run):
    first, second = (
        json.loads((run / f"embedding/iterations/{number}/decision.json").read_text()) for number in (1, 2)
    )
    assert first["stop"] and "has reached 0.001" in first["reason"] and "passed_over" not in first
    assert second == {**first, "passed_over": True}
    assert (run / "embedding/iterations/2/questions.jsonl").read_text() == ""
    assert not list((run / "embedding/models/iteration_2").glob("*.safetensors"))
    assert "not needed" in (run / "tables/retrieval.html").read_text()


def test_exactly_the_share_is_kept_and_pairs_stay_together(run):
    counts = json.loads((run / "embedding/iterations/1/training.counts.json").read_text())
    assert counts["kept_by_rank"] == round(0.8 * counts["scored"])
    assert counts["training"] == counts["pairs"] + counts["rewrites"]
    chunks = {json.loads(line)["text"] for line in lines(run / "embedding/chunks/target.jsonl")}
    pairs = [json.loads(line) for line in lines(run / "embedding/iterations/1/training.jsonl")]
    assert all(pair["positive"] in chunks for pair in pairs)


def test_evaluated_documents_are_not_trained_on(run):
    evaluated = {json.loads(line)["cluster"] for line in lines(run / "embedding/tasks/target.jsonl")}
    trained = {json.loads(line)["document"] for line in lines(run / "embedding/iterations/1/questions.jsonl")}
    assert len(evaluated) == 4 and not evaluated & trained


def test_a_study_without_judges_has_a_record_and_no_table_of_judges(run):
    record = json.loads((run / "run.json").read_text())
    assert set(record["tables"]) == {"retrieval.csv", "retrieval_differences.csv"}
    assert {"base", "tuned", "mixed_50", "reranker_tuned"} <= set(record["models"])
    assert not (run / "tables/agreement.csv").exists()


def test_a_second_run_has_nothing_to_do(run, snakemake):
    process = snakemake("--dry-run", *SMALL)
    assert "Nothing to be done" in process.stdout + process.stderr


def test_the_full_size_is_planned_without_documents_or_endpoint(snakemake):
    process = snakemake("--dry-run", "--profile", "slurm", "--configfile", "config/studies/embedder.yaml")
    assert process.returncode == 0, process.stderr[-3000:]
    assert "GPU hours" in process.stderr and "train_embedder" in process.stderr
