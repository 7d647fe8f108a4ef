"""The study `embedder`, smaller than tiny: the whole graph, an iteration not needed, a plan of the full size."""

import csv
import json

import pytest
import torch
import yaml
from hub_models import hub_model
from transformers import AutoModel

from judgemerge.core.catalogues import load_yaml
from judgemerge.settings.config import at_scale

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
    assert "GPU hours" in process.stderr and "train_encoder" in process.stderr


# ---- a base as the hub has it, and a model of somebody else ----


@pytest.fixture(scope="module")
def hub_run(repository, checkout, snakemake):
    """Run a study on an encoder that no library of ours has saved; return its folder of results."""
    hub_model(checkout / "hub" / "base", "bert_with_its_first_head")
    hub_model(checkout / "hub" / "other", "bert", seed=3)
    study = {
        "study": "hub",
        "statistics": {"resamples": 200},
        "embedding": {
            "documents": {"make": {"domain": "workshop", "n_documents": 8, "seed": 7}, "chunk": 400, "overlap": 80},
            "embedder": {"path": "hub/base"},
            "others": {"neighbour": {"path": "hub/other", "query_prompt": "ask: "}},
            "max_tokens": 40,
            "iterations": {"maximum": 1},
            "training": {"epochs": 1, "batch_size": 8, "accumulation": 1, "max_tokens": 40},
            "forgetting": {
                "weights": [0.5],
                "by_loss": {"examples": 3, "negatives": 2},
                "cocktails": {
                    "three": {"base": 0.2, "tuned": 0.5, "neighbour": 0.3},
                    "weighed": ["tuned", "neighbour"],
                },
            },
        },
    }
    (checkout / "hub.yaml").write_text(yaml.safe_dump(study, sort_keys=False), encoding="utf-8")
    process = snakemake("--configfile", "hub.yaml")
    assert process.returncode == 0, (process.stdout + process.stderr)[-4000:]
    return checkout / "results" / "hub"


def test_a_base_of_the_hub_is_trained_mixed_and_measured(hub_run):
    found = {row["model"]: row["kind"] for row in rows(hub_run / "tables" / "retrieval.csv")}
    assert found == {
        "base": "base", "iteration_1": "iteration", "mixed_50": "mixed", "mixed_by_loss": "mixed", "tuned": "tuned",
        "neighbour": "other", "three": "cocktail", "weighed": "cocktail",
    }  # fmt: skip


def test_mixtures_are_the_sums_of_what_transformers_reads(hub_run):
    parts = {
        name: dict(AutoModel.from_pretrained(hub_run / "embedding" / "models" / name).state_dict())
        for name in ("base", "tuned", "neighbour", "mixed_50", "three")
    }
    for name in [name for name in parts["tuned"] if "pooler" not in name]:
        base, tuned, neighbour = (parts[model][name] for model in ("base", "tuned", "neighbour"))
        assert torch.allclose(parts["mixed_50"][name], (base + tuned) / 2, atol=1e-6), name
        assert torch.allclose(parts["three"][name], 0.2 * base + 0.5 * tuned + 0.3 * neighbour, atol=1e-6), name


def test_mixtures_have_cards(hub_run):
    card = (hub_run / "embedding" / "models" / "mixed_by_loss" / "README.md").read_text()
    assert "| tuned | parent |" in card and "softmax(−loss / 5) over 3 of" in card
    assert "neighbour" in (hub_run / "embedding" / "models" / "three" / "README.md").read_text()
