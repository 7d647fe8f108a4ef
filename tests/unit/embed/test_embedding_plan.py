"""What the embedding part of a study consists of, asked of the study that comes with the package."""

from pathlib import Path

import pytest
import yaml

from judgemerge.settings import config
from judgemerge.study.load import load_study

STUDY = yaml.safe_load(Path("config/studies/embedder.yaml").read_text(encoding="utf-8"))


def plan(changes=None, **keys):
    return load_study(config._laid_over(STUDY, changes or {}) | keys, "embedder.yaml", "config").embedding


@pytest.fixture(scope="module")
def full():
    return plan(downloads=True)


@pytest.fixture(scope="module")
def tiny():
    return plan(scale="tiny")


def test_documents_are_a_folder_or_made_on_the_spot(full, tiny):
    assert full.folder == {"target": STUDY["embedding"]["documents"]["folder"]}
    assert list(full.synthetic_collections) == ["kitchen", "garden"]
    assert tiny.folder == {} and set(tiny.synthetic_collections) == {"kitchen", "garden", "target"}
    assert full.collections == ["target", "kitchen", "garden"] and sorted(tiny.collections) == sorted(full.collections)


def test_evaluation_sets_are_written_or_brought_along(full, tiny):
    assert list(full.file_tasks) == ["nq", "msmarco", "nli"] and tiny.file_tasks == {}
    assert full.source_keys == ["flagembedding_nq", "flagembedding_msmarco", "flagembedding_nli"]
    assert full.task_roles == {"target": "target"} | dict.fromkeys(
        ["kitchen", "garden", "nq", "msmarco", "nli"], "other"
    )


def test_a_set_of_ones_own_replaces_held_out_documents(full):
    own = plan({"embedding": {"evaluation": {"path": "mine.jsonl", "keys": {"query": "ask"}}}})
    assert own.file_tasks == {"target": "mine.jsonl"} and own.task_file_keys == {"target": {"query": "ask"}}
    assert (own.held_out, full.held_out) == (0, 0.2)
    assert (full.evaluated_share("target"), full.evaluated_share("kitchen")) == (0.2, 0)


def test_an_iteration_waits_for_the_one_before_it_and_the_reranker_for_all(full):
    assert full.earlier_iteration("1") == [] and full.earlier_iteration("3") == ["2"]
    assert full.trained_encoders == ["iteration_1", "iteration_2", "iteration_3", "reranker_tuned"]
    assert [full.trained_on(name) for name in ("iteration_2", "reranker_tuned")] == [["2"], ["1", "2", "3"]]
    assert [full.decided_before(name) for name in ("iteration_2", "reranker_tuned")] == [["1"], ["1", "2", "3"]]
    assert [full.trained_from(name) for name in ("iteration_2", "reranker_tuned")] == ["base", "reranker"]
    assert full.training("iteration_1")["query_prompt"] == full.settings.query_prompt
    assert full.training("reranker_tuned") == full.settings.reranker_training.plain()


def test_parents_of_mixtures_are_compared_with_the_base_before_it_is_trained():
    other = {"repo": "a/b", "revision": "0" * 40}
    cocktails = {"three": {"base": 0.5, "tuned": 0.25, "e5": 0.25}}
    mixed = plan({"embedding": {"others": {"e5": other, "gte": other}, "forgetting": {"cocktails": cocktails}}})
    assert list(mixed.mixed_parents) == ["base", "e5"]
    assert [mixed.compared_with(name) for name in ("base", "e5", "gte")] == [[], ["base"], []]
    assert mixed.parents_before("iteration_1") == ["e5"] and mixed.parents_before("reranker_tuned") == []
    assert mixed.other_kinds == {"e5": "other", "gte": "other", "three": "cocktail"}
    assert mixed.measured_encoders[-3:] == ["e5", "gte", "three"]


def test_models_made_here_need_few_minutes_and_others_many_on_the_cpu(full, tiny):
    on_cpu = plan(gpus=0)
    assert (full.minutes(10), tiny.minutes(10), on_cpu.minutes(10)) == (10, 10, 120)
    assert full.memory(3) == round(2000 + 3000 * 2.27) and tiny.memory(3) == 2030


def test_a_reranker_made_here_starts_from_the_base(tiny):
    assert tiny.encoders_with("make") == ["base", "reranker"]
    assert (tiny.start("base"), tiny.start("reranker")) == ([], ["base"])
    assert (tiny.kind("base"), tiny.kind("reranker")) == ("embedder", "reranker")


def test_a_study_without_embedding_has_no_plan():
    study = load_study(
        {"study": "x", "suites": {"s": {"benchmarks": ["demo_pairwise"]}}, "judges": ["longer"]}, "x", "config"
    )
    assert study.embedding is None


def test_packages_give_models_documents_and_tasks():
    small = plan(scale="small")
    assert small.encoders_with("package") == ["base"] and small.folder == {}
    assert list(small.packaged_collections) == ["networkx", "target"] and small.package("target")["name"] == "sympy"
    assert list(small.synthetic_collections) == ["garden"] and sorted(small.file_tasks) == []
    assert {name: small.has_openings(name) for name in small.collections} == {
        "target": True, "networkx": True, "garden": False,
    }  # fmt: skip
