"""All trials of a search for a merge in one process: worth what written models are, and kept one by one."""

import dataclasses
from pathlib import Path

import pytest
import torch

from judgemerge.core import files, models
from judgemerge.core.errors import JudgemergeError
from judgemerge.core.items import write_items
from judgemerge.judge.backends.transformers import Transformers
from judgemerge.merge import in_memory, runs
from judgemerge.merge.recipes import Merge
from judgemerge.search import merge_trials, searching
from judgemerge.search.merge_trials import MergeTrials
from judgemerge.synthetic import demo_tasks

SPACE = {"models.one.weight": {"low": 0.0, "high": 1.0}, "models.two.weight": {"low": 0.1, "high": 1.0}}
METRICS = {"pairs": "accuracy", "grades": "pearson"}
KEYS = {"merge": "m", "rounds": 2, "width": 2, "development": METRICS}
HALVES = {"one": {"weight": 0.5}, "two": {"weight": 0.5}}


def merge_of(method, dtype="bfloat16", base=True, models=HALVES, **more):
    entry = {"method": method, "models": models, "parameters": {}, "dtype": dtype, "seed": 7, **more}
    return entry | ({"base": "base"} if base else {})


@pytest.fixture
def search_of(tmp_path, tiny_models, tools_on_path, repository):
    """Return a function that gives a search for a merge on two development sets, in a folder of its own."""
    sets = {kind: tmp_path / f"{kind}.jsonl" for kind in ("pairwise", "pointwise")}
    for kind, path in sets.items():
        write_items(path, demo_tasks.make_items(kind, "base", 8, seed=5))
    judging = {"dtype": "auto", "batch_tokens": 2048, "max_prompt_tokens": 1024}
    prompts = {kind: f"brief_{kind}_choice" for kind in sets}

    def search(merge, folder="search", **changes):
        names = Merge.of(merge).models_read
        parents = runs.Parents({name: str(tiny_models[name]) for name in names}, dict.fromkeys(names, "0"))
        space = {name: span for name, span in SPACE.items() if name.split(".")[1] in merge["models"]}
        keys = KEYS | {"space": space, **changes}
        asked = {"default": searching.defaults(merge, space), "prompts": prompts, "judging": judging, "sources": "raw"}
        development, contents = [str(path) for path in sets.values()], {"brief": "words"}
        return MergeTrials.at(
            keys, str(tmp_path / folder), merge=merge, parents=parents, threads=1, development=development,
            prompt_contents=contents, trial_settings=asked,
        )  # fmt: skip

    return search


@pytest.mark.parametrize(
    "merge",
    [
        merge_of("linear", base=False, engine="streamed"),
        merge_of("ties", engine="streamed", models={name: {"weight": 0.5, "density": 0.4} for name in HALVES}),
        merge_of("dare_ties", models={name: {"weight": 0.5, "density": 0.4} for name in HALVES}),
        merge_of("linear", base=False, dtype="float32"),
    ],
    ids=["streamed linear", "streamed ties", "dare_ties of mergekit", "linear of mergekit"],
)
def test_a_merge_in_memory_is_the_merge_that_is_written(tmp_path, tiny_models, tools_on_path, search_of, merge):
    search = search_of(merge)
    folder = tmp_path / "written"
    runs.make_model(merge, search.parents, 1, str(folder), f"{folder}.json", f"{folder}.yaml")
    source = in_memory.Source(merge, search.parents, 1, tmp_path / "scratch")
    loaded = Transformers(source.describe(), "auto", 1024, 1).model
    source.merge_into(merge, loaded)
    written = Transformers(folder, "auto", 1024, 1).model
    for name, values in written.state_dict().items():
        assert values.dtype == loaded.state_dict()[name].dtype
        assert torch.equal(values, loaded.state_dict()[name]), name


STREAMED = merge_of("linear", base=False, engine="streamed")


def written_of(folder):
    """Return what a search leaves behind, by path."""
    kept = [path for path in Path(folder).rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in kept}


@pytest.mark.parametrize(
    "changes",
    [{"layers": 2, "filters": ["mlp"]}, {"pruning": "median", "pruning_every": 6}],
    ids=["by layers and parts", "pruned"],
)
def test_trials_in_memory_are_worth_what_written_ones_are(search_of, monkeypatch, changes):
    in_one_model = search_of(STREAMED, "one", **changes)
    results = in_one_model.run()
    monkeypatch.setattr(in_memory.Source, "merge_into", lambda *arguments: (_ for _ in ()).throw(in_memory.Unfit))
    by_folders = search_of(STREAMED, "other", **changes)
    assert by_folders.run() == results
    ours, theirs = written_of(in_one_model.folder), written_of(by_folders.folder)
    assert ours == theirs and len([name for name in ours if "verdicts" in name]) == 2 * len(results)
    values = [result.value for result in results]
    assert len(results) == 4 and len(set(values)) > 1 and results[0].params == {}


def test_a_search_goes_on_behind_the_last_finished_trial(search_of, monkeypatch):
    whole = search_of(STREAMED, "whole")
    results = whole.run()
    search, asked = search_of(STREAMED, "killed"), []
    judge = merge_trials.Candidates.judge

    def until_killed(self, merge, give_up):
        if len(asked) == 3:
            raise KeyboardInterrupt
        asked.append(merge)
        return judge(self, merge, give_up)

    monkeypatch.setattr(merge_trials.Candidates, "judge", until_killed)
    with pytest.raises(KeyboardInterrupt):
        search.run()
    monkeypatch.setattr(merge_trials.Candidates, "judge", lambda *now: asked.append(now) or judge(*now))
    assert search.run() == results and len(asked) == 4
    assert written_of(search.folder) == written_of(whole.folder)
    longer = search_of(STREAMED, "killed", rounds=3)
    assert longer.run()[:4] == results and len(asked) == 6


def test_a_trial_is_run_again_when_what_it_was_asked_has_changed(search_of, monkeypatch):
    search = search_of(STREAMED, rounds=1)
    search.run()
    asked = []
    monkeypatch.setattr(
        merge_trials.Candidates, "judge", lambda *now: asked.append(now) or ({"pairs": [], "grades": []}, True)
    )
    other = dataclasses.replace(search, prompt_contents={"brief": "other words"})
    other.run()
    assert len(asked) == 2


def test_every_prompt_is_tokenized_once_for_all_trials(search_of, monkeypatch):
    texts = []
    tokenize = merge_trials.TokenCache.__call__

    def counted(self, asked, **how):
        inner = self._tokenizer

        def each(new, **more):
            texts.extend(new)
            return inner(new, **more)

        self._tokenizer = each
        try:
            return tokenize(self, asked, **how)
        finally:
            self._tokenizer = inner

    monkeypatch.setattr(merge_trials.TokenCache, "__call__", counted)
    search_of(STREAMED).run()
    assert texts and len(texts) == len(set(texts))


def test_a_merge_that_is_not_finite_is_an_error(search_of):
    search = search_of(merge_of("linear", base=False, engine="streamed", models={"one": {"weight": float("inf")}}))
    with pytest.raises(JudgemergeError, match="is not finite after merging"):
        search.run()


def test_a_model_that_packs_its_weights_when_loaded_is_unfit(tmp_path, tiny_models):
    loaded = Transformers(tiny_models["one"], "auto", 1024, 1).model
    shapes = {name: tuple(values.shape) for name, values in models.tensors(tiny_models["one"])}
    in_memory.IntoModel(loaded, shapes)
    name = next(iter(shapes))
    for wrong in ({**shapes, "model.experts.0.weight": (2, 2)}, {**shapes, name: (1, 1)}, {name: shapes[name]}):
        with pytest.raises(in_memory.Unfit):
            in_memory.IntoModel(loaded, wrong)
    taker = in_memory.IntoModel(loaded, shapes)
    with pytest.raises(in_memory.Unfit):
        taker.finish()


def test_the_results_of_a_search_are_read_from_one_file(tmp_path):
    rows = [searching.Result(number, 0, {}, "complete", 0.5).row() for number in range(2)]
    files.write_json(tmp_path / "results.json", rows)
    assert [result.trial for result in searching.read_results([tmp_path / "results.json"])] == [0, 1]
