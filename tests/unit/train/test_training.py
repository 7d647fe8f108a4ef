"""What LLaMA-Factory is given: rows, data sets, recipes; and what is checked before it starts."""

import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
import yaml

from judgemerge.core import models
from judgemerge.core.errors import JudgemergeError
from judgemerge.prompting.prompts import Template, load_template
from judgemerge.study.load import load_study
from judgemerge.synthetic.demo_tasks import make_items
from judgemerge.train import curves, llamafactory, training, training_audit


@pytest.fixture(scope="module")
def templates(repository):
    folder = repository / "config" / "prompts"
    return {protocol: load_template(folder / f"brief_{protocol}.yaml") for protocol in ("pairwise", "pointwise")}


@pytest.fixture(scope="module")
def pairs():
    return make_items("pairwise", "train", n_items=60, seed=1)


@pytest.fixture(scope="module")
def grades():
    return make_items("pointwise", "train", n_items=20, seed=1)


def test_both_orders_swap_the_target_and_keep_ties(templates, pairs):
    rows = list(training.rows(pairs, templates["pairwise"], "both"))
    assert len(rows) == 2 * len(pairs)
    answer = {"first": "Verdict: A", "second": "Verdict: B", "tie": "Verdict: tie"}
    swapped = {"first": "Verdict: B", "second": "Verdict: A", "tie": "Verdict: tie"}
    assert {item.truth for item in pairs} == {"first", "second", "tie"}
    for item, own, other in zip(pairs, rows[::2], rows[1::2], strict=True):
        (first,), (second,) = item.responses
        assert (own["output"], other["output"]) == (answer[item.truth], swapped[item.truth])
        assert f"Answer A: {first}\nAnswer B: {second}" in own["instruction"]
        assert f"Answer A: {second}\nAnswer B: {first}" in other["instruction"]
        assert own.keys() == {"instruction", "input", "output"}


def test_one_order_is_the_benchmarks_own(templates, pairs):
    both = list(training.rows(pairs, templates["pairwise"], "both"))
    assert list(training.rows(pairs, templates["pairwise"], "original")) == both[::2]


def test_grades_have_one_order(templates, grades):
    rows = list(training.rows(grades, templates["pointwise"], "both"))
    assert [row["output"] for row in rows] == [f"Score: {item.truth:g}" for item in grades]


def test_sets_of_both_protocols_use_their_own_template(templates, pairs, grades):
    rows = training.rows_of_sets([pairs, [], grades], templates, "both")
    assert len(rows) == 2 * len(pairs) + len(grades)
    assert rows[0]["output"].startswith("Verdict") and rows[-1]["output"].startswith("Score")


def test_an_item_that_cannot_be_shown_stops_the_training(templates, pairs):
    wants = Template(**{**vars(templates["pairwise"]), "user": templates["pairwise"].user + "{reference}"})
    with pytest.raises(JudgemergeError, match=r"cannot show it \(no_reference\); use another prompt or item set"):
        list(training.rows(pairs, wants, "both"))


def test_a_system_message_becomes_a_column(tmp_path, templates, pairs):
    strict = Template(**{**vars(templates["pairwise"]), "system": "Be strict."})
    rows = list(training.rows(pairs[:1], strict, "original"))
    assert rows[0]["system"] == "Be strict."
    training.write_dataset(tmp_path, rows)
    info = json.loads((tmp_path / "dataset_info.json").read_text())
    assert info["training"]["columns"]["system"] == "system"


def test_the_data_set_is_named_and_its_columns_are_there(tmp_path, templates, pairs):
    rows = list(training.rows(pairs, templates["pairwise"], "both"))
    assert training.write_dataset(tmp_path / "rows", rows) == len(rows)
    info = json.loads((tmp_path / "rows" / "dataset_info.json").read_text())["training"]
    assert info["columns"] == {"prompt": "instruction", "query": "input", "response": "output"}
    written = json.loads((tmp_path / "rows" / info["file_name"]).read_text())
    assert written == rows
    assert training.write_dataset(tmp_path / "texts", texts=["a", "b"]) == 2
    info = json.loads((tmp_path / "texts" / "dataset_info.json").read_text())["training"]
    assert info["columns"] == {"prompt": "text"}
    assert json.loads((tmp_path / "texts" / info["file_name"]).read_text()) == [{"text": "a"}, {"text": "b"}]


def test_a_recipe_holds_what_the_study_says_and_what_we_decide():
    recipe = training.training_recipe(
        "models/tiny", "data", "output", {**training.LORA, "learning_rate": 1e-3, "cutoff_len": 256}, seed=3
    )
    assert {key: recipe[key] for key in ("model_name_or_path", "dataset_dir", "dataset", "output_dir", "seed")} == {
        "model_name_or_path": "models/tiny",
        "dataset_dir": "data",
        "dataset": "training",
        "output_dir": "output",
        "seed": 3,
    }
    assert (recipe["stage"], recipe["finetuning_type"], recipe["lora_target"]) == ("sft", "lora", "all")
    assert (recipe["learning_rate"], recipe["cutoff_len"]) == (1e-3, 256)
    assert (recipe["trust_remote_code"], recipe["report_to"], recipe["save_strategy"]) == (False, "none", "no")
    assert recipe["overwrite_output_dir"] is True
    assert "resume_from_checkpoint" not in recipe
    assert training.training_recipe("m", "d", "o", {"seed": 9}, seed=3)["seed"] == 9


def test_checkpoints_are_saved_and_resumed():
    recipe = training.training_recipe("m", "d", "o", {"save_steps": 50}, 3, checkpoint="o/checkpoint-50")
    assert (recipe["save_strategy"], recipe["save_steps"], recipe["save_total_limit"]) == ("steps", 50, 1)
    assert recipe["resume_from_checkpoint"] == "o/checkpoint-50"
    assert recipe["overwrite_output_dir"] is False
    assert (
        training.training_recipe("m", "d", "o", {"save_steps": 50, "save_total_limit": 3}, 3)["save_total_limit"] == 3
    )
    assert training.training_recipe("m", "d", "o", {"val_size": 0.1}, 3)["eval_strategy"] == "steps"


def test_an_export_never_runs_foreign_code():
    recipe = training.export_recipe("base", "adapter", "out", "llama3")
    assert recipe["trust_remote_code"] is False
    assert recipe["export_legacy_format"] is False  # safetensors
    assert (recipe["model_name_or_path"], recipe["adapter_name_or_path"]) == ("base", "adapter")


def test_an_example_that_would_be_cut_is_refused(tiny_models, templates, pairs):
    form = llamafactory.load_form(tiny_models["base"], {}, {}, "mine")
    rows = list(training.rows(pairs, templates["pairwise"], "both"))
    longest = training.check_lengths(form, rows, 10_000, "mine")
    assert training.check_lengths(form, rows, longest, "mine") == longest
    long = {**rows[0], "instruction": rows[0]["instruction"] + " word" * 300}
    with pytest.raises(JudgemergeError) as caught:
        training.check_lengths(form, [*rows, long], longest, "recipes/mine.yaml")
    assert str(caught.value).startswith(f"recipes/mine.yaml: training example {len(rows)} has ")
    assert str(caught.value).endswith(f"tokens, cutoff_len is {longest} and would cut it; raise cutoff_len")
    with_system = [{**rows[0], "system": "Be strict and brief."}]
    assert training.check_lengths(form, with_system, 10_000, "mine") > training.check_lengths(
        form, rows[:1], 10_000, "mine"
    )


def test_an_incomplete_checkpoint_is_not_resumed(tmp_path):
    assert training.latest_checkpoint(tmp_path / "none") is None
    for step, complete in ((50, True), (100, True), (90, True), (150, False)):
        folder = tmp_path / f"checkpoint-{step}"
        folder.mkdir()
        (folder / "optimizer.pt").touch()
        if complete:
            (folder / "trainer_state.json").write_text("{}")
    assert training.latest_checkpoint(tmp_path) == tmp_path / "checkpoint-100"


# ---- several GPUs ----

RECIPE = {"stage": "sft", "cutoff_len": 512, "output_dir": "absent"}


def test_one_gpu_changes_nothing():
    for gpus in (0, 1):
        assert (
            training.shared_settings(SimpleNamespace(gpus=gpus, nodes=1, rehearsal=None, training=dict(RECIPE)))
            == RECIPE
        )
    assert llamafactory.distributed(RECIPE) == (RECIPE, {})


def test_four_gpus_are_four_processes_with_zero_3(repository):
    shared = training.shared_settings(SimpleNamespace(gpus=4, nodes=1, rehearsal=None, training=RECIPE))
    assert shared == {**RECIPE, "deepspeed": "config/deepspeed/zero3.json", "processes": 4}
    recipe, environment = llamafactory.distributed(training.training_recipe("base", "data", "out", shared, 3))
    assert environment == {"FORCE_TORCHRUN": "1", "NPROC_PER_NODE": "4"}
    assert recipe["deepspeed"] == shared["deepspeed"] and "processes" not in recipe
    zero = json.loads((repository / shared["deepspeed"]).read_text())
    assert zero["zero_optimization"]["stage"] == 3
    assert zero["zero_optimization"]["stage3_gather_16bit_weights_on_model_save"] is True
    assert zero["train_micro_batch_size_per_gpu"] == zero["gradient_accumulation_steps"] == "auto"


def test_plain_data_parallelism_and_files_of_ones_own():
    none = training.shared_settings(SimpleNamespace(gpus=2, nodes=1, rehearsal=None, training={"deepspeed": "none"}))
    assert none == {"processes": 2}
    own = training.shared_settings(
        SimpleNamespace(gpus=2, nodes=1, rehearsal=None, training={"deepspeed": "mine.json"})
    )
    assert own["deepspeed"] == "mine.json"


def test_the_command_that_is_run(monkeypatch):
    seen = {}

    def run_tool(command, threads, stop=None, **environment):
        seen.update(command=command[:2], threads=threads, environment=environment)
        seen["recipe"] = yaml.safe_load(Path(command[2]).read_text())

    monkeypatch.setattr(llamafactory, "run_tool", run_tool)
    monkeypatch.setattr(llamafactory.importlib.util, "find_spec", lambda name: name)
    llamafactory.train(training.shared_settings(SimpleNamespace(gpus=4, nodes=1, rehearsal=None, training=RECIPE)), 8)
    assert seen == {
        "command": ["llamafactory-cli", "train"],
        "threads": 8,
        "environment": {"DISABLE_VERSION_CHECK": "1", "FORCE_TORCHRUN": "1", "NPROC_PER_NODE": "4"},
        "recipe": {**RECIPE, "deepspeed": "config/deepspeed/zero3.json"},
    }


def test_two_nodes_are_two_launches_that_meet_on_the_first(monkeypatch, tmp_path):
    seen = {}

    def run_tool(command, threads, stop=None, **environment):
        seen.update(command=command, environment=environment, recipe=yaml.safe_load(Path(command[-1]).read_text()))

    monkeypatch.setattr(llamafactory, "run_tool", run_tool)
    monkeypatch.setattr(llamafactory.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(llamafactory.socket, "gethostname", lambda: "node17")
    shared = training.shared_settings(SimpleNamespace(gpus=4, nodes=2, rehearsal=None, training=RECIPE))
    assert shared["deepspeed"] == "config/deepspeed/zero3.json"
    output = tmp_path / "shared" / "output"
    output.parent.mkdir()
    llamafactory.train({**shared, "output_dir": str(output)}, 8)
    command, environment = seen["command"], seen["environment"]
    assert command[:6] == [
        "srun",
        "--nodes=2",
        "--ntasks=2",
        "--ntasks-per-node=1",
        "--cpus-per-task=8",
        "--kill-on-bad-exit=1",
    ]
    assert command[6:-1] == ["sh", "-c", 'NODE_RANK=$SLURM_NODEID exec "$@"', "node", "llamafactory-cli", "train"]
    assert Path(command[-1]).parents[1] == output.parent  # where the other node sees it
    assert int(environment.pop("MASTER_PORT")) > 1023
    assert environment == {
        "DISABLE_VERSION_CHECK": "1",
        "FORCE_TORCHRUN": "1",
        "NPROC_PER_NODE": "4",
        "NNODES": "2",
        "MASTER_ADDR": "node17",
    }
    assert seen["recipe"]["data_shared_file_system"] is True
    assert not seen["recipe"].keys() & {"processes", "nodes"}


def test_two_nodes_without_slurm_are_one_sentence(monkeypatch):
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    shared = training.shared_settings(SimpleNamespace(gpus=0, nodes=2, rehearsal=None, training={}))
    assert shared == {"processes": 1, "nodes": 2}
    with pytest.raises(JudgemergeError, match=r"2 nodes .*; call Snakemake with --profile slurm, or set nodes: 1$"):
        llamafactory.train({**shared, "output_dir": "out"}, 1)


def test_a_missing_deepspeed_is_one_sentence(monkeypatch):
    monkeypatch.setattr(llamafactory.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        JudgemergeError,
        match=r"deepspeed, which this environment lacks; run `make venv-gpu` once, .* set deepspeed: none",
    ):
        llamafactory.train({"deepspeed": "config/deepspeed/zero3.json", "processes": 4}, 1)


@pytest.mark.slow
def test_two_processes_train_together(tiny_models, templates, pairs, tools_on_path, tmp_path):
    rows = list(training.rows(pairs, templates["pairwise"], "both")) * 4
    training.write_dataset(tmp_path / "data", rows)
    settings = {"deepspeed": "none", "max_steps": 2, "per_device_train_batch_size": 2, "cutoff_len": 1024}
    shared = training.shared_settings(SimpleNamespace(gpus=2, nodes=1, rehearsal=None, training=settings))
    recipe = training.training_recipe(
        tiny_models["base"], tmp_path / "data", tmp_path / "out", {**training.LORA, **shared}, 3
    )
    llamafactory.train(recipe, 1)
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    result = json.loads((tmp_path / "out" / "all_results.json").read_text())
    # Two steps of two processes with two rows each.
    assert result["train_loss"] > 0
    assert result["epoch"] == pytest.approx(8 / len(rows), rel=0.3)


# Stands where srun stands: starts the command once per node, with what srun sets, and fails if one of them does.
SRUN = """#!/bin/bash
while [[ $1 == --* ]]; do [[ $1 == --nodes=* ]] && nodes=${1#--nodes=}; shift; done
for ((node = 0; node < nodes; node++)); do SLURM_NODEID=$node "$@" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || exit 1; done
"""


@pytest.mark.slow
@pytest.mark.long  # tests/cluster trains on two nodes of a real SLURM
def test_two_nodes_train_together(tiny_models, templates, pairs, tools_on_path, tmp_path, monkeypatch, capfd):
    """Two real launches of LLaMA-Factory with node ranks 0 and 1 meet and share the steps; only srun is played here.

    tests/cluster runs the same over two nodes of a real SLURM.
    """
    srun = tmp_path / "bin" / "srun"
    srun.parent.mkdir()
    srun.write_text(SRUN)
    srun.chmod(0o755)
    monkeypatch.setenv("PATH", f"{srun.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.setattr(llamafactory.socket, "gethostname", lambda: "localhost")
    rows = list(training.rows(pairs, templates["pairwise"], "both")) * 4
    training.write_dataset(tmp_path / "data", rows)
    settings = {"max_steps": 2, "per_device_train_batch_size": 2, "cutoff_len": 1024}
    shared = training.shared_settings(SimpleNamespace(gpus=0, nodes=2, rehearsal=None, training=settings))
    recipe = training.training_recipe(
        tiny_models["base"], tmp_path / "data", tmp_path / "out", {**training.LORA, **shared}, 3
    )
    llamafactory.train(recipe, 1)
    said = "".join(capfd.readouterr())
    assert "num nodes: 2, node rank: 0" in said and "num nodes: 2, node rank: 1" in said
    assert "world size: 2" in said
    assert (tmp_path / "out" / "adapter_model.safetensors").is_file()
    result = json.loads((tmp_path / "out" / "all_results.json").read_text())
    # As with two processes of one machine: two steps of two processes with two rows each.
    assert result["epoch"] == pytest.approx(8 / len(rows), rel=0.3)


# ---- patience ----


def test_patience_keeps_the_checkpoint_with_the_lowest_loss(tiny_models, tmp_path, tools_on_path):
    """At such a rate the loss on other rows rises soon: what is kept is the model before that."""
    rows = [{"instruction": f"Question {n}", "input": "", "output": f"Verdict: {'AB'[n % 2]}"} for n in range(8)]
    training.write_dataset(tmp_path / "data", rows)
    other = [{"instruction": "Name animals", "input": "", "output": "fox, owl, hen, and a sly cat"}]
    training.write_dataset(tmp_path / "data", other, name=training.EVALUATION)
    settings = {"cutoff_len": 64, "per_device_train_batch_size": 2, "num_train_epochs": 10.0, "learning_rate": 0.05}
    settings |= {"eval_dataset": training.EVALUATION, "eval_steps": 2, "early_stopping_steps": 2}
    recipe = training.training_recipe(
        tiny_models["base"], tmp_path / "data", tmp_path / "out", training.expert_settings({}, settings), 3
    )
    llamafactory.train(recipe, threads=1)
    state = curves.state_of(tmp_path / "out")
    losses = {row["step"]: row["loss"] for row in curves.rows(state) if row["part"] == "evaluation"}
    lowest = min(losses, key=losses.get)
    assert state["global_step"] == lowest + 2 * settings["eval_steps"] < state["max_steps"] == 40
    assert state["best_global_step"] == lowest
    training_audit.check(tmp_path / "out", recipe, len(rows), None, "here")  # ended because it was asked to
    kept = dict(models.tensors(tmp_path / "out"))
    saved = dict(models.tensors(tmp_path / "out" / f"checkpoint-{lowest}"))
    assert all(torch.equal(kept[name], saved[name]) for name in kept)


@pytest.mark.parametrize(
    ("expert", "said"),
    [
        (
            {"settings": {"early_stopping_steps": 2, "eval_steps": 5}},
            "needs an evaluation; add evaluate_on",
        ),
        ({"settings": {"early_stopping_steps": 2, "val_size": 0.1}}, "counts evaluations; set eval_steps"),
        (
            {"settings": {"val_size": 0.1}, "evaluate_on": ["demo_pairwise_development"]},
            "has evaluate_on and val_size, of which LLaMA-Factory takes one",
        ),
    ],
)
def test_an_evaluation_that_is_asked_for_is_possible(repository, expert, said):
    study = {
        "study": "mine", "models": {"base": {"make": {}}}, "base": "base", "judges": ["one"],
        "experts": {"one": {"train_on": ["demo_pairwise_train"], **expert}},
        "suites": {"demo": {"benchmarks": ["demo_pairwise"]}},
        "judging": {"prompts": {"pairwise": "brief_pairwise"}},
    }  # fmt: skip
    with pytest.raises(JudgemergeError, match=said):
        load_study(study, "mine.yaml", repository / "config")


# ---- limits and rows as they are ----


def test_a_limit_draws_over_all_sets_and_not_the_first_rows():
    rows = [{"number": number} for number in range(1000)]
    drawn = training.limited(rows, {"max_samples": 100}, seed=1)
    numbers = [row["number"] for row in drawn]
    assert len(set(numbers)) == 100 and numbers == sorted(numbers) and max(numbers) > 900
    assert (
        drawn == training.limited(rows, {"max_samples": 100}, seed=1) != training.limited(rows, {"max_samples": 100}, 2)
    )
    assert training.limited(rows, {}, 1) is training.limited(rows, {"max_samples": 1000}, 1) is rows


def test_rows_of_a_training_file_are_copied_as_they_are(tmp_path, templates, pairs):
    given = {"instruction": " Compare [BEGIN DATA] … \n", "input": "", "output": "###Final Result: {A}"}
    items = [dataclasses.replace(pairs[0], extra={"training_row": given})]
    rows = training.rows_of_sets([items], templates, "original", form="as_published")
    training.write_dataset(tmp_path, rows, form="as_published")
    assert json.loads((tmp_path / "training.json").read_text()) == [given]
    with pytest.raises(JudgemergeError, match="does not hold the row that it comes from"):
        training.rows_of_sets([pairs[:1]], templates, "original", form="as_published")
