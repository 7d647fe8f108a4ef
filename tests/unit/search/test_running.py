"""One trial: what is trained or merged with the proposed settings, when it is given up, and what its file says."""

import dataclasses
from pathlib import Path

import pytest

from judgemerge.core import files
from judgemerge.core.items import Item, write_items
from judgemerge.core.processes import Stopped
from judgemerge.search import development, running, trials
from judgemerge.settings.searches import ExpertSearch, MergeSearch
from judgemerge.train import experts, trained_models

SPACE = {"learning_rate": {"low": 0.1, "high": 0.5}}
EXPERT = {"settings": {"learning_rate": 0.3}, "train_on": ["a"]}
JUDGING = {"dtype": "float32", "batch_tokens": 64, "max_prompt_tokens": 64}
HISTORY = [{"step": step, "eval_loss": loss} for step, loss in ((10, 2.0), (20, 1.5))]


def trial_of(folder, search):
    files.write_json(folder / "round_0.json", {"round": 0, "trials": [{"trial": 1, "params": {"learning_rate": 0.2}}]})
    return running.Trial(
        search=search, number=1, round_file=str(folder / "round_0.json"), earlier=[], default={"learning_rate": 0.3},
        development={"d": "d.jsonl"}, prompts={}, judging=JUDGING, folder=folder / "trial_1",
        result=str(folder / "trial_1.json"), sources="raw",
    )  # fmt: skip


@pytest.fixture
def pair():
    """Return one item."""
    texts = {"turns": ("Why?",), "responses": (("Because.",), ("No.",)), "truth": "first", "cluster": "why"}
    return Item(id="p1", benchmark="mine", protocol="pairwise", origin={"source": "made", "row": 0}, **texts)


@pytest.fixture
def training(tmp_path, monkeypatch):
    """Return a function that runs a trial whose training and judging are made up, and returns what was trained."""
    monkeypatch.setattr(development, "read_items", lambda path: [])
    monkeypatch.setattr(trained_models, "load", lambda *arguments: "backend")
    monkeypatch.setattr(trials, "judge", lambda *arguments: ({"d": []}, True))
    monkeypatch.setattr(trials, "finish", lambda *arguments: {"value": 0.5, "n": 2, "errors": 1})
    trained = {}

    def train_expert(expert, data, common, start, results, watch):
        trained.update(settings=expert["settings"], evaluation=data.evaluation, watched=watch is not None)
        files.write_json(Path(results.adapter, "trainer_state.json"), {"log_history": HISTORY})
        Path(results.recipe).write_text("asked_by: text\n")
        if trained.get("stopped"):
            raise Stopped

    def run(stopped=False, **changes):
        keys = {"expert": "e", "space": SPACE, "development": "d", "pruning_every": 10, **changes}
        trained["stopped"] = stopped
        monkeypatch.setattr(experts, "train_expert", train_expert)
        data, start = experts.Data({}, "", {}), experts_start()
        running.run_training(trial_of(tmp_path, ExpertSearch.of(keys)), EXPERT, data, {}, start)
        return trained, files.read_json(tmp_path / "trial_1.json")

    return run


def experts_start():
    from judgemerge.train.runs import Start

    return Start("base", "digest", 1, 1, "work")


def test_the_trial_of_a_job_knows_its_sets_by_name_and_where_texts_of_prompts_lie():
    search = {"expert": "e", "space": SPACE, "development": {"d": "accuracy", "e": "accuracy"}}
    files_of_sets, how = ["1.jsonl", "2.jsonl"], {"default": {}, "prompts": {}, "judging": JUDGING, "sources": "raw"}
    trial = running.Trial.at(search, "3", "round_1.json", [], files_of_sets, folder="trial_3", result="3.json", **how)
    assert isinstance(trial.search, ExpertSearch) and (trial.number, trial.sources) == (3, "raw")
    assert trial.development == {"d": "1.jsonl", "e": "2.jsonl"} and trial.folder == Path("trial_3")


def test_a_trial_is_trained_with_the_proposed_settings_and_judged(training):
    trained, result = training()
    assert trained["settings"] == {"learning_rate": 0.2} and trained["evaluation"] == [] and not trained["watched"]
    assert result == {
        "trial": 1, "round": 0, "params": {"learning_rate": 0.2}, "state": "complete", "value": 0.5, "n": 2,
        "errors": 1, "reports": [[10, -2.0], [20, -1.5]],
    }  # fmt: skip


def test_a_trial_with_patience_ends_early_and_may_be_worth_its_loss(training):
    trained, result = training(patience=3, metric="evaluation_loss")
    assert trained["settings"]["early_stopping_steps"] == 3 and trained["settings"]["eval_steps"] == 10
    assert trained["evaluation"] == ["d.jsonl"] and not trained["watched"]
    assert result["value"] == result["evaluation_loss"] == 1.5


def test_a_trial_that_was_given_up_has_no_verdicts(training):
    trained, result = training(stopped=True, pruning="median")
    assert trained["watched"] and trained["settings"]["save_steps"] == 10
    assert (result["state"], result["value"], result["n"]) == ("pruned", None, 0) and "evaluation_loss" not in result


def test_items_of_development_sets_get_the_categories_that_the_study_names(tmp_path, pair):
    items = [dataclasses.replace(pair, benchmark="d", category="humanities")]
    write_items(tmp_path / "d.jsonl", items)
    trial = trial_of(tmp_path, MergeSearch.of({"merge": "m", "space": SPACE, "development": "d"}))
    trial = dataclasses.replace(trial, development={"d": str(tmp_path / "d.jsonl")})
    assert [item.category for item in trial.sets["d"]] == ["humanities"]
    mapped = dataclasses.replace(trial, judging=JUDGING | {"categories": {"d": {"humanities": "knowledge"}}})
    assert [item.category for item in mapped.sets["d"]] == ["knowledge"]


@pytest.mark.parametrize(("asked", "expected"), [({}, "nan"), ({"value_of_nothing": 0.0}, "0.0")])
def test_a_trial_without_a_defined_value_counts_nothing_in_a_rehearsal_alone(tmp_path, monkeypatch, asked, expected):
    monkeypatch.setattr(trials, "judge", lambda *arguments: ({"d": []}, True))
    monkeypatch.setattr(trials, "finish", lambda *arguments: {"value": float("nan"), "n": 2, "errors": 2})
    trial = trial_of(tmp_path, MergeSearch.of({"merge": "m", "space": SPACE, "development": "d"}))
    trial = dataclasses.replace(trial, development={}, judging=JUDGING | asked)
    values = trial.judge("backend")
    assert str(values["value"]) == expected
