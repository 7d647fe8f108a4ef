"""A small study of somebody else, rehearsed: published models by name, several GPUs, training, merge and judging."""

import json

import pandas as pd
import pytest
import yaml

pytestmark = pytest.mark.long

STUDY = {
    "study": "small",
    "description": "Two experts of a published model.",
    "gpus": 2,
    "models": {"llama": {"repo": "meta-llama/Llama-3.2-1B-Instruct", "revision": "9" * 40, "size_gb": 2.5}},
    "base": "llama",
    "training": {"template": "llama3", "cutoff_len": 1024, "bf16": True, "save_steps": 500, "lora_rank": 8},
    "experts": {
        "panda": {
            "train_on": ["pandalm_train"],
            "orders": "original",
            "format": "messages",
            "prompts": {"pairwise": "brief_unified"},
            "settings": {"optim": "adamw_8bit"},
        }
    },
    "merges": {"half": {"method": "linear", "models": {"llama": {"weight": 0.5}, "panda": {"weight": 0.5}}}},
    "suites": {"pairs": {"benchmarks": ["demo_pairwise"]}},
    "judges": ["panda", "half", "longer"],
    "judging": {"prompts": {"pairwise": "brief_pairwise"}, "dtype": "bfloat16"},
}


@pytest.fixture(scope="module")
def rehearsed(checkout, snakemake):
    """Return what a rehearsal said, and the folder of its results."""
    (checkout / "small.yaml").write_text(yaml.safe_dump(STUDY))
    process = snakemake("--configfile", "small.yaml", "--config", "scale=twins")
    assert process.returncode == 0, (process.stdout + process.stderr)[-4000:]
    return process.stderr, checkout / "results" / "small_twins"


def test_the_whole_graph_of_a_study_runs_on_twins(rehearsed):
    _, results = rehearsed
    agreement = pd.read_csv(results / "tables/agreement.csv")
    assert set(agreement.judge) == {"panda", "half", "longer"}
    assert {*agreement.n.dropna()} == {2}
    recipe = yaml.safe_load((results / "recipes/panda.train.yaml").read_text())
    assert (recipe["processes"], recipe["max_steps"], recipe["save_steps"]) == (2, 2, 1)
    assert any((results / "models/llama").glob("model*.safetensors"))


def test_what_was_not_rehearsed_is_said_and_kept(rehearsed):
    said, results = rehearsed
    record = json.loads((results / "run.json").read_text())
    kept = record["settings"]["rehearsal"]["not_rehearsed"]
    assert all(sentence in said for sentence in kept)
    assert "stand-ins: pandalm_train" in said
    items = pd.read_csv(results / "tables/items.csv").set_index(["benchmark", "count"]).value
    assert items["pandalm_train", "stand_ins"] == "pandalm_train"
    assert items["pandalm_train", "items"] == "12"
    assert record["settings"]["description"].startswith("Rehearsal on twins")
