"""Judges in a study that grade both responses of pairs, that are asked with another prompt, that are a checkpoint."""

import csv

import pytest
import yaml
from workflow_runs import copy_workflow, runner

from judgemerge.core.files import read_json, read_jsonl, sha256_file
from judgemerge.train.checkpoints import folder_of

pytestmark = pytest.mark.slow
STUDY = {
    "study": "sides",
    "suites": {"pairs": {"benchmarks": ["demo_pairwise"], "limit": 4}},
    "base": "near",
    "training": {"cutoff_len": 512, "max_steps": 3, "lora_rank": 4, "flash_attn": "sdpa", "learning_rate": 0.01},
    "experts": {
        "tuned": {
            "train_on": ["demo_pairwise_train"],
            "subset": {"first": 8},
            "checkpoints": {"every": 1, "development": {"demo_pairwise_development": "accuracy"}, "choose": "best"},
        }
    },
    "judges": ["near", "longer"],
    "pairs_from_grades": {"judges": ["near"], "prompt": "brief_pointwise", "suites": ["pairs"]},
    "judging": {
        "prompts": {"pairwise": "brief_pairwise"},
        "variants": {"chosen": {"judges": ["near"], "pairwise": "brief_pairwise_choice"}},
        "sampling": {"temperature": 0.5, "runs": 2, "seed": 1},
        "retries": 1,
    },
}


ALONG = ("tables/checkpoints.csv", "figures/checkpoints.svg", "models/tuned.json")


@pytest.fixture(scope="module")
def folder(repository, tiny_models, tmp_path_factory):
    folder = copy_workflow(repository, tmp_path_factory.mktemp("sides"))
    settings = STUDY | {"models": {"near": {"path": str(tiny_models["base"])}}}
    (folder / "sides.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    return folder


def make(folder, *wanted):
    process = runner(folder)("--configfile", "sides.yaml", "--", *(f"results/sides/{path}" for path in wanted))
    assert process.returncode == 0, (process.stdout + process.stderr)[-3000:]


def test_both_responses_are_graded_and_a_judge_is_asked_twice(folder):
    wanted, compared = "verdicts/near_from_grades/pairs.jsonl", "tables/variants.csv"
    make(folder, wanted, compared)
    results = folder / "results/sides"
    replies = list(read_jsonl(results / "replies/near/pairs_from_grades.jsonl"))
    assert len(replies) == 8 and {row["run"] for row in replies} == {1}, "one grade for each of two responses"
    verdicts = list(read_jsonl(results / wanted))
    assert sorted((row["item"], row["order"]) for row in verdicts) == sorted(
        (item, order) for item in {row["item"] for row in verdicts} for order in ("original", "swapped")
    )
    assert len(verdicts) == 8
    usual, other = (list(read_jsonl(results / f"replies/{name}/pairs.jsonl")) for name in ("near", "near_chosen"))
    assert {row["item"] for row in usual} == {row["item"] for row in other}
    assert {row["prompt"] for row in usual}.isdisjoint(row["prompt"] for row in other)
    assert len(list((results / "store").glob("*/pairs.jsonl"))) == 1, "both have the same weights"
    assert not (results / "models/near_chosen").exists()
    rows = list(csv.DictReader((results / compared).read_text().splitlines()))
    assert [(row["judge"], row["asked"], row["n"]) for row in rows] == [
        ("near", "usual", "4"), ("near", "variant", "4"), ("near", "variant_minus_usual", "4"),
    ]  # fmt: skip
    assert rows[2]["prompt"] == "brief_pairwise_choice − brief_pairwise"


@pytest.mark.long
def test_checkpoints_are_judged_and_the_best_one_is_exported(folder):
    make(folder, *ALONG)
    results = folder / "results/sides"
    steps = list(csv.DictReader((results / ALONG[0]).read_text().splitlines()))
    assert [row["step"] for row in steps] == ["0", "1", "2", "3"] and {row["n"] for row in steps} == {"60"}
    choice = read_json(results / "checkpoints/tuned.json")
    assert [row["step"] for row in steps if row["chosen"] == "True"] == [str(choice["chosen"])] and choice["chosen"] > 0
    taken = folder_of(results / "adapters/tuned", choice["chosen"])
    made_by = read_json(results / ALONG[2])["made_by"]
    assert made_by["adapter"] == sha256_file(taken / "adapter_model.safetensors")
